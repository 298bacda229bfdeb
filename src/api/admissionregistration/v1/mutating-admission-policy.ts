import { type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import {
  MUTATING_ADMISSION_POLICIES,
  MUTATING_ADMISSION_POLICIES_V1ALPHA1,
  MUTATING_ADMISSION_POLICIES_V1BETA1,
  MUTATING_ADMISSION_POLICY_BINDINGS,
  MUTATING_ADMISSION_POLICY_BINDINGS_V1ALPHA1,
  MUTATING_ADMISSION_POLICY_BINDINGS_V1BETA1,
} from '../../generated/resources.ts';
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, Mutation } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { sameShape } from '../../registry/same-shape.ts';
import { checkOneOf, type FieldErrors } from '../../validation/basics.ts';
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
const reinvocationPolicies = ['IfNeeded', 'Never'];

export const mutatingAdmissionPolicies = defineKind(MUTATING_ADMISSION_POLICIES, {
  strategy: {
    allowUnconditionalUpdate: false,
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
      'Mutations',
      'Mutations indicates the number of mutations rules defined in this configuration',
      ({ spec }) => spec?.mutations?.length ?? 0,
      {
        type: 'integer',
      },
    ),
    paramKindColumn(({ spec }) => spec?.paramKind),
    ageColumn,
  ],
});

export const mutatingAdmissionPolicyBindings = defineKind(MUTATING_ADMISSION_POLICY_BINDINGS, {
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

export const mutatingAdmissionPoliciesV1beta1 = sameShape(
  mutatingAdmissionPolicies,
  MUTATING_ADMISSION_POLICIES_V1BETA1,
);
export const mutatingAdmissionPoliciesV1alpha1 = sameShape(
  mutatingAdmissionPolicies,
  MUTATING_ADMISSION_POLICIES_V1ALPHA1,
);
export const mutatingAdmissionPolicyBindingsV1beta1 = sameShape(
  mutatingAdmissionPolicyBindings,
  MUTATING_ADMISSION_POLICY_BINDINGS_V1BETA1,
);
export const mutatingAdmissionPolicyBindingsV1alpha1 = sameShape(
  mutatingAdmissionPolicyBindings,
  MUTATING_ADMISSION_POLICY_BINDINGS_V1ALPHA1,
);

function validatePolicy({ spec }: MutatingAdmissionPolicy, current: MutatingAdmissionPolicy | undefined): FieldError[] {
  const errors: FieldErrors = [];
  const { matchConditions = [], variables = [], mutations = [], reinvocationPolicy } = spec ?? {};
  const expressions = new PolicyExpressions({
    hasParams: spec?.paramKind !== undefined,
    hasVariables: variables.length > 0,
    makesObjects: true,
  });
  checkPolicyHead(spec ?? {}, specPath, errors);
  checkConditions(matchConditions, specPath.child('matchConditions'), {
    before: current === undefined ? undefined : (current.spec?.matchConditions ?? []),
    expressions,
    errors,
  });
  checkVariables(variables, specPath.child('variables'), { expressions, errors });
  const path = specPath.child('mutations');
  if (mutations.length === 0) errors.push(required(path, 'mutations must contain at least one item'));
  for (const [index, mutation] of mutations.entries())
    checkMutation(mutation, path.index(index), { expressions, errors });
  checkOneOf(reinvocationPolicy, reinvocationPolicies, specPath.child('reinvocationPolicy'), errors);
  return errors;
}

function checkMutation(
  mutation: Mutation,
  path: FieldPath,
  { expressions, errors }: { expressions: PolicyExpressions; errors: FieldErrors },
): void {
  const { patchType = '' } = partly(mutation);
  const fields = { ApplyConfiguration: 'applyConfiguration', JSONPatch: 'jsonPatch' } as const;
  if (patchType === '') {
    errors.push(required(path.child('patchType'), ''));
    return;
  }
  if (!(patchType in fields)) {
    errors.push(notSupported(path.child('patchType'), patchType, Object.keys(fields)));
    return;
  }
  for (const [type, field] of Object.entries(fields)) {
    const at = path.child(field);
    const value = mutation[field];
    if (type !== patchType) {
      const detail = `must not be specified when patchType is ${patchType}`;
      if (value !== undefined) errors.push(invalidValue(at, `{${field}}`, detail));
    } else if (value === undefined) errors.push(required(at, `must be specified when patchType is ${patchType}`));
    else {
      checkExpression(value.expression, at.child('expression'), errors);
      expressions.check(value.expression ?? '', at.child('expression'), {
        expected: field === 'jsonPatch' ? EXPECTED.jsonPatch : EXPECTED.applyConfiguration,
        errors,
      });
    }
  }
}

function validateBinding({ spec }: MutatingAdmissionPolicyBinding): FieldError[] {
  const errors: FieldErrors = [];
  const { policyName, paramRef, matchResources } = spec ?? {};
  checkPolicyName(policyName, specPath.child('policyName'), errors);
  if (paramRef !== undefined) checkParamRef(paramRef, specPath.child('paramRef'), errors);
  if (matchResources !== undefined) checkMatching(matchResources, specPath.child('matchResources'), errors);
  return errors;
}
