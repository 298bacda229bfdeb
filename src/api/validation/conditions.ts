import { duplicateValue, type FieldError, invalidValue, required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { Condition } from '#machinery/meta/types.ts';
import { byteLength, isQualifiedName, patternMessage } from '#machinery/validation/names.ts';
import { checkMessages, checkOneOf, type FieldErrors } from './basics.ts';

const statuses = ['False', 'True', 'Unknown'];
const REASON = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const reasonForm = new RegExp(`^${REASON}$`);
const NOT_BELOW_ZERO = 'must be greater than or equal to zero';
const REASON_BYTES_MAX = 1024;
const MESSAGE_BYTES_MAX = 32 * 1024;

/** Conditions of the shape that all newer kinds share (`metav1.Condition`): one of each type, each of them whole. */
export function validateConditions(conditions: readonly Condition[] | undefined, path: FieldPath): FieldError[] {
  const errors: FieldErrors = [];
  const seen = new Set<string>();
  for (const [index, condition] of (conditions ?? []).entries()) {
    const { type = '' } = condition as Partial<Condition>; // Safe: wider.
    if (seen.has(type)) errors.push(duplicateValue(path.index(index), type));
    seen.add(type);
    checkCondition(condition, path.index(index), errors);
  }
  return errors;
}

function checkCondition(condition: Partial<Condition>, path: FieldPath, errors: FieldErrors): void {
  const { type = '', status = '', observedGeneration = 0, lastTransitionTime = '' } = condition;
  if (type === '') errors.push(required(path.child('type'), 'is required'));
  else checkMessages(isQualifiedName(type), type, path.child('type'), errors);
  checkOneOf(status, statuses, path.child('status'), errors);
  if (observedGeneration < 0) {
    errors.push(invalidValue(path.child('observedGeneration'), observedGeneration, NOT_BELOW_ZERO));
  }
  if (lastTransitionTime === '') errors.push(required(path.child('lastTransitionTime'), ''));
  const { reason = '', message = '' } = condition;
  const at = path.child('reason');
  if (reason === '') errors.push(required(at, ''));
  else {
    if (!reasonForm.test(reason)) {
      const rule =
        "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";
      errors.push(
        invalidValue(
          at,
          reason,
          patternMessage(rule, REASON, ['my_name', 'MY_NAME', 'MyName', 'ReasonA,ReasonB', 'ReasonA:ReasonB']),
        ),
      );
    }
    if (byteLength(reason) > REASON_BYTES_MAX) errors.push(tooLong(at, REASON_BYTES_MAX));
  }
  if (byteLength(message) > MESSAGE_BYTES_MAX) errors.push(tooLong(path.child('message'), MESSAGE_BYTES_MAX));
}
