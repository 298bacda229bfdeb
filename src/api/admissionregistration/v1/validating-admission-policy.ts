import { duplicateValue, type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { isQualifiedName } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS } from '../../generated/resources.ts';
import type {
  AuditAnnotation,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
} from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { EXPECTED, PolicyExpressions } from './policy-expressions.ts';
import {
  checkExpression,
  checkParamRef,
  checkPolicyHead,
  checkPolicyName,
  checkVariables,
  paramKindColumn,
  paramRefColumn,
} from './policy-parts.ts';
import { checkConditions, checkMatching, defaultMatching } from './rule-validation.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];
const actions = ['Audit', 'Deny', 'Warn'];
const ANNOTATIONS_MAX = 20;
const VALUE_EXPRESSION_BYTES_MAX = 5 * 1024;

export const validatingAdmissionPolicies = defineKind(VALIDATING_ADMISSION_POLICIES, {
  strategy: {
    allowUnconditionalUpdate: false,
    ...statusRules,
    hasGeneration: true,
    applyDefaults({ spec }) {
      if (spec === undefined) return;
      spec.failurePolicy ??= 'Fail';
      defaultMatching(spec.matchConstraints);
    },
    validate: (next) => validatePolicy(next, undefined),
    validateUpdate: validatePolicy,
  },
  columns: [
    nameColumn,
    column(
      'Validations',
      'Validations indicates the number of validation rules defined in this configuration',
      ({ spec }) => spec?.validations?.length ?? 0,
      { type: 'integer' },
    ),
    paramKindColumn(({ spec }) => spec?.paramKind),
    ageColumn,
  ],
});

export const validatingAdmissionPolicyBindings = defineKind(VALIDATING_ADMISSION_POLICY_BINDINGS, {
  strategy: {
    allowUnconditionalUpdate: false,
    hasGeneration: true,
    applyDefaults: ({ spec }) => {
      defaultMatching(spec?.matchResources);
    },
    validate: validateBinding,
    validateUpdate: (next) => validateBinding(next),
  },
  columns: [
    nameColumn,
    column(
      'PolicyName',
      'PolicyName indicates the policy definition which the policy binding binded to',
      ({ spec }) => spec?.policyName ?? '',
    ),
    paramRefColumn(({ spec }) => spec?.paramRef),
    ageColumn,
  ],
});

function validatePolicy(
  { metadata, spec }: ValidatingAdmissionPolicy,
  current: ValidatingAdmissionPolicy | undefined,
): FieldError[] {
  const errors: FieldErrors = [];
  const { matchConditions = [], variables = [], validations = [], auditAnnotations = [] } = spec ?? {};
  const expressions = new PolicyExpressions({
    hasParams: spec?.paramKind !== undefined,
    hasVariables: variables.length > 0,
  });
  checkPolicyHead(spec ?? {}, specPath, errors);
  checkConditions(matchConditions, specPath.child('matchConditions'), {
    before: current === undefined ? undefined : (current.spec?.matchConditions ?? []),
    expressions,
    errors,
  });
  checkVariables(variables, specPath.child('variables'), { expressions, errors });
  const validationsPath = specPath.child('validations');
  const annotationsPath = specPath.child('auditAnnotations');
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const detail = 'validations or auditAnnotations must contain at least one item';
    errors.push(required(validationsPath, detail), required(annotationsPath, detail));
    return errors;
  }
  for (const [index, validation] of validations.entries()) {
    checkValidation(validation, validationsPath.index(index), { expressions, errors });
  }
  if (auditAnnotations.length > ANNOTATIONS_MAX) {
    const detail = `must not have more than ${ANNOTATIONS_MAX} auditAnnotations`;
    errors.push(invalidValue(annotationsPath, auditAnnotations, detail));
  }
  for (const [index, annotation] of auditAnnotations.entries()) {
    const at = annotationsPath.index(index);
    checkAnnotation(annotation, at, { policy: metadata.name ?? '', expressions, errors });
    if (auditAnnotations.findIndex(({ key }) => key === annotation.key) < index) {
      errors.push(duplicateValue(at.child('key'), annotation.key));
    }
  }
  return errors;
}

interface Checking {
  readonly expressions: PolicyExpressions;
  readonly errors: FieldErrors;
}

function checkValidation(validation: Validation, path: FieldPath, { expressions, errors }: Checking): void {
  const { expression = '', message = '', messageExpression = '', reason } = partly(validation);
  checkExpression(expression, path.child('expression'), errors);
  expressions.check(expression, path.child('expression'), { expected: EXPECTED.condition, errors });
  const messagePath = path.child('message');
  if (messageExpression !== '' && messageExpression.trim() === '') {
    const detail = 'must be non-empty if specified';
    errors.push(invalidValue(path.child('messageExpression'), messageExpression, detail));
  }
  expressions.check(messageExpression, path.child('messageExpression'), { expected: EXPECTED.message, errors });
  const text = message.trim();
  if (message !== '' && text === '') {
    errors.push(invalidValue(messagePath, message, 'message must be non-empty if specified'));
  } else if (text.includes('\n') || text.includes('\r')) {
    errors.push(invalidValue(messagePath, message, 'message must not contain line breaks'));
  } else if (/[\n\r]/.test(expression.trim()) && text === '') {
    errors.push(required(messagePath, 'message must be specified if expression contains line breaks'));
  }
  if (reason !== undefined && !reasons.includes(reason)) {
    errors.push(notSupported(path.child('reason'), reason, reasons));
  }
}

function checkAnnotation(
  { key = '', valueExpression = '' }: Partial<AuditAnnotation>,
  path: FieldPath,
  { policy, expressions, errors }: Checking & { policy: string },
): void {
  const keyPath = path.child('key');
  if (key === '') errors.push(required(keyPath, ''));
  else {
    // The key of the audit event is the policy's name, a slash and this.
    const messages = isQualifiedName(`${policy}/${key}`);
    if (messages.length > 0) {
      errors.push(invalidValue(keyPath, key, `Audit annotation key must be a qualified name: ${messages.join(', ')}`));
    }
  }
  const valuePath = path.child('valueExpression');
  if (valueExpression.trim() === '') errors.push(required(valuePath, 'valueExpression is not specified'));
  else if (Buffer.byteLength(valueExpression) > VALUE_EXPRESSION_BYTES_MAX) {
    const detail = `must not exceed ${VALUE_EXPRESSION_BYTES_MAX} bytes in length`;
    errors.push(invalidValue(valuePath, valueExpression, detail));
  } else expressions.check(valueExpression, valuePath, { expected: EXPECTED.annotation, errors });
}

function validateBinding({ spec }: ValidatingAdmissionPolicyBinding): FieldError[] {
  const errors: FieldErrors = [];
  const { policyName, paramRef, matchResources, validationActions = [] } = partly(spec);
  checkPolicyName(policyName, specPath.child('policyName'), errors);
  if (paramRef !== undefined) checkParamRef(paramRef, specPath.child('paramRef'), errors);
  if (matchResources !== undefined) checkMatching(matchResources, specPath.child('matchResources'), errors);
  const path = specPath.child('validationActions');
  if (validationActions.length === 0) errors.push(required(path, 'at least one validation action is required'));
  for (const [index, action] of validationActions.entries()) {
    if (!actions.includes(action)) errors.push(notSupported(path.index(index), action, actions));
    if (validationActions.indexOf(action) < index) errors.push(duplicateValue(path.index(index), action));
  }
  if (validationActions.includes('Deny') && validationActions.includes('Warn')) {
    const detail =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    errors.push(invalidValue(path, validationActions, detail));
  }
  return errors;
}
