import { required, tooLong, invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain, isQualifiedName } from '#machinery/validation/names.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

const DRIVER_NAME_MAX = 63;
const PARAMETERS_MAX = 512;
const PARAMETERS_BYTES_MAX = 256 * 1024;

/** Names of CSI drivers: a DNS subdomain that fits into a label. */
export function checkDriverName(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') errors.push(required(path, ''));
  else {
    if (Buffer.byteLength(name) > DRIVER_NAME_MAX) errors.push(tooLong(path, DRIVER_NAME_MAX));
    checkMessages(isDns1123Subdomain(name.toLowerCase()), name, path, errors);
  }
}

/** Provisioners of classes, which are older than CSI. */
export function checkProvisioner(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') errors.push(required(path, ''));
  else checkMessages(isQualifiedName(name.toLowerCase()), name, path, errors);
}

export function checkParameters(
  parameters: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
  { allowEmpty, errors }: { allowEmpty: boolean; errors: FieldErrors },
): void {
  const entries = Object.entries(parameters ?? {});
  if (entries.length === 0 && !allowEmpty) {
    errors.push(required(path, 'must contain at least one key/value pair'));
    return;
  }
  if (entries.length > PARAMETERS_MAX) {
    errors.push(tooLong(path, PARAMETERS_MAX));
    return;
  }
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === '') errors.push(invalidValue(path, key, 'field can not be empty.'));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > PARAMETERS_BYTES_MAX) errors.push(tooLong(path, PARAMETERS_BYTES_MAX));
}
