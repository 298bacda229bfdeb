import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';

export const NOT_NEGATIVE = 'must be greater than or equal to 0';
export const IMMUTABLE = 'field is immutable';
export const INT32_MAX = 2147483647;

/** Validators of this room append what they find, so that a valid object costs no lists. */
export type FieldErrors = FieldError[];

export function checkNotNegative(value: number | undefined, path: FieldPath, errors: FieldErrors): void {
  if (value !== undefined && value < 0) errors.push(invalidValue(path, value, NOT_NEGATIVE));
}

/** One Invalid error for each message of a name check. */
export function checkMessages(messages: readonly string[], value: unknown, path: FieldPath, errors: FieldErrors): void {
  for (const message of messages) errors.push(invalidValue(path, value, message));
}

/** A closed set of strings; an absent value is Required. Values are listed as given: upstream sorts them. */
export function checkOneOf(
  value: string | undefined,
  supported: readonly string[],
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (value === undefined || value === '') errors.push(required(path, ''));
  else if (!supported.includes(value)) errors.push(notSupported(path, value, supported));
}

/** The same where absent is fine. */
export function checkOptionalOneOf(
  value: string | undefined,
  supported: readonly string[],
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (value !== undefined && !supported.includes(value)) errors.push(notSupported(path, value, supported));
}

export function checkRequired(
  value: string | readonly unknown[] | undefined,
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (value === undefined || value.length === 0) errors.push(required(path, ''));
}

/** Exactly one member of a union of optional fields may be set. Gives the name of the first that is set. */
export function checkUnion(
  object: object,
  options: { members: readonly string[]; path: FieldPath; second: string; none?: string; errors: FieldErrors },
): string | undefined {
  const { members, path, second, none, errors } = options;
  let found: string | undefined;
  for (const member of members) {
    if ((object as Record<string, unknown>)[member] === undefined) continue; // Safe: read-only view of a JSON object.
    if (found === undefined) found = member;
    else errors.push(forbiddenValue(path.child(member), second));
  }
  if (found === undefined && none !== undefined) errors.push(required(path, none));
  return found;
}

/** An error about a field whose value the message leaves out (`field.OmitValueType`). */
export function invalidField(path: FieldPath, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field: path.toString(), message: `Invalid value: ${detail}` };
}

/** The error with something to say after its value. */
export function withDetail(error: FieldError, detail: string): FieldError {
  return { ...error, message: `${error.message}: ${detail}` };
}

/** Between two whole numbers, both allowed. */
export function checkRange(
  value: number | undefined,
  { min, max }: { min: number; max: number },
  path: FieldPath,
  errors: FieldErrors,
): void {
  if (value === undefined || (value >= min && value <= max)) return;
  errors.push(invalidValue(path, value, `must be between ${min} and ${max}, inclusive`));
}
