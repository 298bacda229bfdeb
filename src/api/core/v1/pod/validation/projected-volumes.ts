import { forbiddenValue, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { isDns1123Subdomain } from '#machinery/validation/names.ts';
import { checkSignerName } from '../../../../certificates/signer-name.ts';
import type {
  ClusterTrustBundleProjection,
  DownwardAPIVolumeFile,
  VolumeProjection,
} from '../../../../generated/types.ts';
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
    checkSource(source, { path: at, volumePath: path }, errors);
    for (const file of filesOf(source)) {
      if (file === '') continue;
      if (paths.has(file)) errors.push(invalidValue(path, file, 'conflicting duplicate paths'));
      paths.add(file);
    }
    if (Object.keys(source).length > 1) {
      errors.push(forbiddenValue(at, 'may not specify more than 1 volume type per source'));
    }
  }
}

function checkSource(
  source: VolumeProjection,
  { path, volumePath }: { path: FieldPath; volumePath: FieldPath },
  errors: FieldErrors,
): void {
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
    // Upstream reports the path of a token as if it were the volume's.
    checkTokenPath(source.serviceAccountToken.path, volumePath.child('path'), errors);
  }
  if (source.clusterTrustBundle !== undefined) {
    checkTrustBundle(source.clusterTrustBundle, path.child('clusterTrustBundle'), errors);
  }
}

/** One bundle by its name, or all of a signer that have some labels (KEP-3257). */
function checkTrustBundle(projection: ClusterTrustBundleProjection, path: FieldPath, errors: FieldErrors): void {
  const { name, signerName, labelSelector } = projection;
  if (name !== undefined && signerName !== undefined) {
    // Upstream prints its internal form.
    const value = {
      Name: name,
      SignerName: signerName,
      LabelSelector: labelSelector ?? null,
      Optional: projection.optional ?? null,
      Path: projection.path,
    };
    errors.push(invalidValue(path, value, 'only one of name and signerName may be used'));
  } else if (name !== undefined) {
    if (name === '') errors.push(required(path.child('name'), 'must be a valid object name'));
    for (const message of trustBundleNameMessages(name)) {
      errors.push(invalidValue(path.child('name'), name, `not a valid clustertrustbundlename: ${message}`));
    }
    if (labelSelector !== undefined) {
      const detail = 'labelSelector must be unset if name is specified';
      errors.push(invalidValue(path.child('labelSelector'), labelSelector, detail));
    }
  } else if (signerName !== undefined) {
    if (signerName === '') errors.push(required(path.child('signerName'), 'must be a valid signer name'));
    checkSignerName(signerName, path.child('signerName'), errors);
    errors.push(...validateLabelSelector(labelSelector, path.child('labelSelector'), {}));
  } else errors.push(required(path, 'either name or signerName must be specified'));
  checkTokenPath(projection.path, path.child('path'), errors);
}

/** `example.com:signer:name` for bundles of a signer, a DNS subdomain for others. */
function trustBundleNameMessages(name: string): string[] {
  const [domain, path, ...rest] = name.split(':');
  const own = domain !== undefined && path !== undefined && rest.length > 0 ? rest.join(':') : name;
  return isDns1123Subdomain(own);
}

function checkTokenPath(value: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (value === undefined || value === '') errors.push(required(path, ''));
  else checkNonReservedPath(value, path, errors);
}

function filesOf(source: VolumeProjection): string[] {
  const items = source.secret?.items ?? source.configMap?.items ?? source.downwardAPI?.items ?? [];
  const single = source.clusterTrustBundle?.path;
  return [...items.map((item) => item.path ?? ''), ...(single === undefined ? [] : [single])];
}
