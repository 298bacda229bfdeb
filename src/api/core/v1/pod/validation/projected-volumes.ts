import { forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { DownwardAPIVolumeFile, VolumeProjection } from '../../../../generated/types.ts';
import { checkRequired, type FieldErrors } from '../../../../validation/basics.ts';
import { checkObjectFieldRef, checkResourceFieldRef, volumeFieldPaths } from './field-references.ts';
import { checkKeyToPath, checkMode } from './files.ts';
import { checkNonReservedPath } from './paths.ts';

const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;

/** `path` is the volume's; upstream reports a file at its index in the volume's path. */
export function checkDownwardFiles(
  files: readonly DownwardAPIVolumeFile[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  for (const file of files ?? []) checkDownwardFile(file, path, errors);
}

function checkDownwardFile(file: DownwardAPIVolumeFile, path: FieldPath, errors: FieldErrors): void {
  if ((file.path ?? '') === '') errors.push(required(path.child('path'), ''));
  else checkNonReservedPath(file.path, path.child('path'), errors);
  if (file.fieldRef !== undefined) {
    checkObjectFieldRef(file.fieldRef, volumeFieldPaths, path.child('fieldRef'), errors);
    if (file.resourceFieldRef !== undefined) {
      const detail = 'fieldRef and resourceFieldRef can not be specified simultaneously';
      errors.push(invalidValue(path, 'resource', detail));
    }
  } else if (file.resourceFieldRef !== undefined) {
    checkResourceFieldRef(file.resourceFieldRef, {
      path: path.child('resourceFieldRef'),
      needsContainer: true,
      errors,
    });
  } else {
    errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  }
  checkMode(file.mode, path.child('mode'), errors);
}

export function checkProjected(
  sources: readonly VolumeProjection[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  const paths = new Set<string>();
  for (const [index, source] of (sources ?? []).entries()) {
    const at = path.child('sources').index(index);
    const types = Object.keys(source);
    for (const type of types.slice(1)) {
      errors.push(forbiddenValue(at.child(type), 'may not specify more than 1 volume type per source'));
    }
    checkSource(source, at, errors);
    for (const file of filesOf(source)) {
      if (file === '') continue;
      if (paths.has(file)) errors.push(invalidValue(path, file, 'conflicting duplicate paths'));
      paths.add(file);
    }
  }
}

function checkSource(source: VolumeProjection, path: FieldPath, errors: FieldErrors): void {
  for (const field of ['secret', 'configMap'] as const) {
    const projection = source[field];
    if (projection === undefined) continue;
    const at = path.child(field);
    checkRequired(projection.name, at.child('name'), errors);
    for (const [index, item] of (projection.items ?? []).entries()) {
      checkKeyToPath(item, at.child('items').index(index), errors);
    }
  }
  if (source.downwardAPI !== undefined) checkDownwardFiles(source.downwardAPI.items, path.child('downwardAPI'), errors);
  if (source.serviceAccountToken !== undefined) {
    const at = path.child('serviceAccountToken');
    const seconds = source.serviceAccountToken.expirationSeconds ?? TOKEN_SECONDS_MIN;
    if (seconds < TOKEN_SECONDS_MIN) {
      const detail = 'may not specify a duration less than 10 minutes';
      errors.push(invalidValue(at.child('expirationSeconds'), seconds, detail));
    }
    if (seconds > TOKEN_SECONDS_MAX) {
      const detail = 'may not specify a duration larger than 2^32 seconds';
      errors.push(invalidValue(at.child('expirationSeconds'), seconds, detail));
    }
    checkTokenPath(source.serviceAccountToken.path, at.child('path'), errors);
  }
  if (source.clusterTrustBundle !== undefined) {
    checkTokenPath(source.clusterTrustBundle.path, path.child('clusterTrustBundle', 'path'), errors);
  }
}

function checkTokenPath(value: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (value === undefined || value === '') errors.push(required(path, ''));
  else checkNonReservedPath(value, path, errors);
}

function filesOf(source: VolumeProjection): string[] {
  const items = source.secret?.items ?? source.configMap?.items ?? source.downwardAPI?.items ?? [];
  const single = source.serviceAccountToken?.path ?? source.clusterTrustBundle?.path;
  return [...items.map((item) => item.path ?? ''), ...(single === undefined ? [] : [single])];
}
