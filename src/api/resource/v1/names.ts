import { invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isCIdentifier, isDns1123Label, isDns1123Subdomain } from '#machinery/validation/names.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';

/** Names in the API of devices: of drivers, pools, devices, requests and attributes. */

const DRIVER_NAME_MAX = 63;
const POOL_NAME_MAX = 253;
const IDENTIFIER_MAX = 32;

export function checkDriver(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') {
    errors.push(required(path, ''));
    return;
  }
  if (Buffer.byteLength(name) > DRIVER_NAME_MAX) errors.push(tooLong(path, DRIVER_NAME_MAX));
  checkMessages(isDns1123Subdomain(name), name, path, errors);
}

/** DNS subdomains with slashes between them. */
export function checkPool(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') {
    errors.push(required(path, ''));
    return;
  }
  if (Buffer.byteLength(name) > POOL_NAME_MAX) errors.push(tooLong(path, POOL_NAME_MAX));
  for (const part of name.split('/')) checkMessages(isDns1123Subdomain(part), part, path, errors);
}

export function checkLabelName(name: string | undefined, path: FieldPath, errors: FieldErrors): void {
  if (name === undefined || name === '') errors.push(required(path, ''));
  else checkMessages(isDns1123Label(name), name, path, errors);
}

/** `name`, which means one of the driver's own domain, or `domain/name`. */
export function checkQualifiedName(name: string, path: FieldPath, errors: FieldErrors): void {
  const [first = '', second, ...more] = name.split('/');
  if (name === '') errors.push(required(path, 'name required'));
  else if (more.length > 0) errors.push(invalidValue(path, name, 'too many slashes'));
  else if (second === undefined) checkIdentifier(first, path, errors);
  else {
    if (first === '') errors.push(required(path, 'the domain must not be empty'));
    else checkDriver(first, path, errors);
    if (second === '') errors.push(required(path, 'the name must not be empty'));
    else checkIdentifier(second, path, errors);
  }
}

export function checkFullyQualifiedName(name: string, path: FieldPath, errors: FieldErrors): void {
  checkQualifiedName(name, path, errors);
  if (name !== '' && !name.includes('/')) errors.push(invalidValue(path, name, 'must include a domain'));
}

function checkIdentifier(name: string, path: FieldPath, errors: FieldErrors): void {
  if (Buffer.byteLength(name) > IDENTIFIER_MAX) errors.push(tooLong(path, IDENTIFIER_MAX));
  checkMessages(isCIdentifier(name), name, path, errors);
}
