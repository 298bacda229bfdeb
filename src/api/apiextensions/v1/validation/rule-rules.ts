import { type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { JsonSchema, ValidationRule } from '../../structural/json-schema.ts';
import { findField } from '../../structural/field-reference.ts';

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const LINE_BREAK = /[\n\r]/;

/** Checks rules in CEL for everything but the expressions themselves. */
export function validateRules(schema: JsonSchema, path: FieldPath): FieldError[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  return rules.flatMap((rule, index) => ruleErrors(rule, schema, path.child('x-kubernetes-validations').index(index)));
}

function ruleErrors(rule: ValidationRule, schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const text = (rule.rule ?? '').trim();
  const { message = '', messageExpression = '', reason, fieldPath = '' } = rule;
  if (text === '') errors.push(required(path.child('rule'), 'rule is not specified'));
  else if (message !== '' && message.trim() === '') {
    errors.push(invalidValue(path.child('message'), message, 'must be non-empty if specified'));
  } else if (LINE_BREAK.test(message.trim())) {
    errors.push(invalidValue(path.child('message'), message, 'must not contain line breaks'));
  } else if (LINE_BREAK.test(text) && message.trim() === '') {
    errors.push(required(path.child('message'), 'message must be specified if rule contains line breaks'));
  }
  if (messageExpression !== '' && messageExpression.trim() === '') {
    errors.push(required(path.child('messageExpression'), 'messageExpression must be non-empty if specified'));
  }
  if (reason !== undefined && !REASONS.includes(reason)) {
    errors.push(notSupported(path.child('reason'), reason, REASONS));
  }
  if (fieldPath !== '') {
    const at = path.child('fieldPath');
    if (fieldPath.trim() === '') errors.push(invalidValue(at, fieldPath, 'must be non-empty if specified'));
    if (LINE_BREAK.test(fieldPath)) errors.push(invalidValue(at, fieldPath, 'must not contain line breaks'));
    if (findField(fieldPath, schema).type === 'wrong') {
      errors.push(invalidValue(at, fieldPath, 'must be a valid path'));
    }
  }
  return errors;
}
