import { invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import {
  byteLength,
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isRelaxedEnvVarName,
  maskTrailingDash,
} from '#machinery/validation/names.ts';
import type {
  Container,
  EphemeralContainer,
  EnvFromSource,
  FileKeySelector,
  EnvVar,
  EnvVarSource,
} from '../../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../../validation/basics.ts';
import { checkObjectFieldRef, checkResourceFieldRef, envFieldPaths } from './field-references.ts';
import { checkNonReservedPath } from './paths.ts';

const MORE_THAN_ONE = 'may not have more than one field specified at a time';

export function checkEnvironment(
  container: Container | EphemeralContainer,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (container.env !== undefined) {
    const envPath = path.child('env');
    for (const [index, variable] of container.env.entries()) checkVariable(variable, envPath.index(index), errors);
  }
  if (container.envFrom !== undefined) {
    const fromPath = path.child('envFrom');
    for (const [index, source] of container.envFrom.entries()) {
      checkFrom(source, { path: fromPath.index(index), listPath: fromPath, errors });
    }
  }
}

function checkVariable(variable: EnvVar, path: FieldPath, errors: FieldErrors): void {
  if ((variable.name ?? '') === '') errors.push(required(path.child('name'), ''));
  else checkMessages(isRelaxedEnvVarName(variable.name), variable.name, path.child('name'), errors);
  if (variable.valueFrom !== undefined) {
    checkValueFrom(variable.valueFrom, variable.value ?? '', path.child('valueFrom'), errors);
  }
}

function checkValueFrom(source: EnvVarSource, value: string, path: FieldPath, errors: FieldErrors): void {
  let sources = 0;
  if (source.fieldRef !== undefined) {
    sources++;
    checkObjectFieldRef(source.fieldRef, envFieldPaths, path.child('fieldRef'), errors);
  }
  if (source.resourceFieldRef !== undefined) {
    sources++;
    checkResourceFieldRef(source.resourceFieldRef, {
      path: path.child('resourceFieldRef'),
      needsContainer: false,
      errors,
    });
  }
  for (const field of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const ref = source[field];
    if (ref === undefined) continue;
    sources++;
    const at = path.child(field);
    checkMessages(isDns1123Subdomain(ref.name ?? ''), ref.name ?? '', at.child('name'), errors);
    if ((ref.key ?? '') === '') errors.push(required(at.child('key'), ''));
    else checkMessages(isConfigMapKey(ref.key), ref.key, at.child('key'), errors);
  }
  if (source.fileKeyRef !== undefined) {
    sources++;
    const at = path.child('fileKeyRef');
    checkFileKey(source.fileKeyRef, at, errors);
  }
  if (sources === 0) {
    const members = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    errors.push(invalidValue(path, '', `must specify one of: ${members}`));
  } else if (value !== '') {
    errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  } else if (sources > 1) {
    errors.push(invalidValue(path, '', MORE_THAN_ONE));
  }
}

const FILE_KEY_BYTES_MAX = 128;

/** A variable from a file that an init container wrote into a volume (KEP-3721). */
function checkFileKey(ref: FileKeySelector, path: FieldPath, errors: FieldErrors): void {
  const { key = '', path: file = '', volumeName = '' } = ref as Partial<FileKeySelector>; // Safe: wider.
  const keyPath = path.child('key');
  if (key === '') errors.push(required(keyPath, ''));
  else {
    checkMessages(isRelaxedEnvVarName(key), key, keyPath, errors);
    if (byteLength(key) > FILE_KEY_BYTES_MAX) errors.push(tooLong(keyPath, FILE_KEY_BYTES_MAX));
  }
  if (file === '') errors.push(required(path.child('path'), ''));
  else checkNonReservedPath(file, path.child('path'), errors);
  if (volumeName === '') errors.push(required(path.child('volumeName'), ''));
  else checkMessages(isDns1123Label(volumeName), volumeName, path.child('volumeName'), errors);
}

function checkFrom(
  source: EnvFromSource,
  { path, listPath, errors }: { path: FieldPath; listPath: FieldPath; errors: FieldErrors },
): void {
  if (source.prefix !== undefined && source.prefix !== '') {
    checkMessages(isRelaxedEnvVarName(source.prefix), source.prefix, path.child('prefix'), errors);
  }
  let sources = 0;
  for (const field of ['configMapRef', 'secretRef'] as const) {
    const ref = source[field];
    if (ref === undefined) continue;
    sources++;
    const { name = '' } = ref;
    const at = path.child(field, 'name');
    if (name === '') errors.push(required(at, ''));
    else checkMessages(isDns1123Subdomain(maskTrailingDash(name)), name, at, errors);
  }
  // Upstream reports these at the list.
  if (sources === 0) errors.push(invalidValue(listPath, '', 'must specify one of: `configMapRef` or `secretRef`'));
  else if (sources > 1) errors.push(invalidValue(listPath, '', MORE_THAN_ONE));
}
