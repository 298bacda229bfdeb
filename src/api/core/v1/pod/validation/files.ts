import { invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { KeyToPath } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';
import { checkNonReservedPath } from './paths.ts';

const MODE_DETAIL = 'must be a number between 0 and 0777 (octal), both inclusive';

export function checkMode(mode: number | undefined, path: FieldPath, errors: FieldErrors): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) errors.push(invalidValue(path, mode, MODE_DETAIL));
}

export function checkKeyToPath(item: KeyToPath, path: FieldPath, errors: FieldErrors): void {
  if ((item.key ?? '') === '') errors.push(required(path.child('key'), ''));
  if ((item.path ?? '') === '') errors.push(required(path.child('path'), ''));
  else checkNonReservedPath(item.path, path.child('path'), errors);
  checkMode(item.mode, path.child('mode'), errors);
}
