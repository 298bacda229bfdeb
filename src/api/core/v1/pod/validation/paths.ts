import { invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';

/** A relative path that never leaves its root. */
export function checkDescendingPath(value: string, path: FieldPath, errors: FieldErrors): void {
  if (value.startsWith('/')) errors.push(invalidValue(path, value, 'must be a relative path'));
  checkNoBacksteps(value, path, errors);
}

export function checkNoBacksteps(value: string, path: FieldPath, errors: FieldErrors): void {
  if (value.split('/').includes('..')) errors.push(invalidValue(path, value, "must not contain '..'"));
}

/** A path for a file in a volume of files: names that begin with two dots are the kubelet's own. */
export function checkNonReservedPath(value: string, path: FieldPath, errors: FieldErrors): void {
  checkDescendingPath(value, path, errors);
  if (value.startsWith('..') && !value.startsWith('../') && value !== '..') {
    errors.push(invalidValue(path, value, "must not start with '..'"));
  }
}
