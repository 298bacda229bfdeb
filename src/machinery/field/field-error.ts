import { encodeValue } from '../codec/json.ts';
import type { FieldPath } from './field-path.ts';

/** Upstream's error types; the value is the `reason` of a Status cause (apimachinery `field.ErrorType`). */
export type FieldErrorReason =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'InternalError'
  | 'FieldValueTypeInvalid';

/** One problem of one field. Validation collects these and never throws for bad input. */
export interface FieldError {
  readonly reason: FieldErrorReason;
  readonly field: string;
  /** Everything after `field: `, as clients see it in `details.causes[].message`. */
  readonly message: string;
}

/** How a value looks in a message: strings quoted, objects as JSON, absent as `null`. */
function printValue(value: unknown): string {
  if (!Array.isArray(value) || value.length < LONG_LIST_ITEMS) return encodeValue(value);
  let text = longLists.get(value);
  if (text === undefined) longLists.set(value, (text = encodeValue(value)));
  return text;
}

/** Some rules complain of each item and show the whole list: for a long one that would be done over and over. */
const LONG_LIST_ITEMS = 500;
const longLists = new WeakMap<readonly unknown[], string>();

function build(reason: FieldErrorReason, path: FieldPath, head: string, detail: string): FieldError {
  return { reason, field: path.toString(), message: detail === '' ? head : `${head}: ${detail}` };
}

export function required(path: FieldPath, detail: string): FieldError {
  return build('FieldValueRequired', path, 'Required value', detail);
}

export function invalidValue(path: FieldPath, value: unknown, detail: string): FieldError {
  return build('FieldValueInvalid', path, `Invalid value: ${printValue(value)}`, detail);
}

export function typeInvalid(path: FieldPath, value: unknown, detail: string): FieldError {
  return build('FieldValueTypeInvalid', path, `Invalid value: ${printValue(value)}`, detail);
}

export function notFoundValue(path: FieldPath, value: unknown): FieldError {
  return build('FieldValueNotFound', path, `Not found: ${printValue(value)}`, '');
}

export function duplicateValue(path: FieldPath, value: unknown): FieldError {
  return build('FieldValueDuplicate', path, `Duplicate value: ${printValue(value)}`, '');
}

/** `supported` is printed sorted as given by the caller, quoted, as upstream does. */
export function notSupported(path: FieldPath, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((text) => JSON.stringify(text)).join(', ');
  const detail = supported.length === 0 ? '' : `supported values: ${list}`;
  return build('FieldValueNotSupported', path, `Unsupported value: ${printValue(value)}`, detail);
}

export function forbiddenValue(path: FieldPath, detail: string): FieldError {
  return build('FieldValueForbidden', path, 'Forbidden', detail);
}

export function tooLong(path: FieldPath, maxBytes: number): FieldError {
  return build('FieldValueTooLong', path, 'Too long', `may not be more than ${maxBytes} bytes`);
}

export function tooMany(path: FieldPath, actual: number, max: number): FieldError {
  return build('FieldValueTooMany', path, `Too many: ${actual}`, `must have at most ${max} items`);
}

export function internalFieldError(path: FieldPath, detail: string): FieldError {
  return build('InternalError', path, 'Internal error', detail);
}

/** The text of one error as it stands in a Status message. */
export function fieldErrorText(error: FieldError): string {
  return `${error.field}: ${error.message}`;
}
