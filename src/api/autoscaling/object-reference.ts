import { required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isPathSegmentName } from '#machinery/validation/names.ts';
import { checkMessages, type FieldErrors } from '../validation/basics.ts';

/** What names an object of any version: kind and name must fit into a path. */
export function checkObjectReference(
  ref: { readonly kind?: string; readonly name?: string },
  path: FieldPath,
  errors: FieldErrors,
): void {
  for (const field of ['kind', 'name'] as const) {
    const value = ref[field] ?? '';
    if (value === '') errors.push(required(path.child(field), ''));
    else checkMessages(isPathSegmentName(value), value, path.child(field), errors);
  }
}
