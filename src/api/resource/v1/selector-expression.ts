import { required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { FieldErrors } from '../../validation/basics.ts';

const EXPRESSION_BYTES_MAX = 10 * 1024;

/** The CEL expression of a device selector. */
export function checkSelectorExpression(expression: string, path: FieldPath, errors: FieldErrors): void {
  if (expression.trim() === '') errors.push(required(path, 'expression is required'));
  else if (Buffer.byteLength(expression) > EXPRESSION_BYTES_MAX) errors.push(tooLong(path, EXPRESSION_BYTES_MAX));
}
