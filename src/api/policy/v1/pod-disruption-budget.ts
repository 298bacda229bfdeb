import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { POD_DISRUPTION_BUDGETS } from '../../generated/resources.ts';
import type { PodDisruptionBudget } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkNotNegative, checkOptionalOneOf, type FieldErrors } from '../../validation/basics.ts';
import { validateConditions } from '../../validation/conditions.ts';
import { checkAtMostWhole, checkIntOrPercent } from '../../validation/int-or-percent.ts';

const specPath = new FieldPath('spec');

export const podDisruptionBudgets = defineKind(POD_DISRUPTION_BUDGETS, {
  strategy: {
    hasGeneration: true,
    allowUnconditionalUpdate: false,
    prepareForCreate(next) {
      next.status = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    validate,
    validateUpdate: (next) => validate(next),
    validateStatusUpdate: (next) => validateStatus(next),
  },
  columns: [
    nameColumn,
    column('Min Available', 'The minimum number of pods that must be available.', ({ spec }) =>
      String(spec.minAvailable ?? 'N/A'),
    ),
    column('Max Unavailable', 'The maximum number of pods that may be unavailable.', ({ spec }) =>
      String(spec.maxUnavailable ?? 'N/A'),
    ),
    column(
      'Allowed Disruptions',
      'Calculated number of pods that may be disrupted at this time.',
      ({ status }) => status?.disruptionsAllowed ?? 0,
      { type: 'integer' },
    ),
    ageColumn,
  ],
});

function validate({ spec }: PodDisruptionBudget): FieldError[] {
  const errors: FieldErrors = [];
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    // Upstream prints its internal form.
    const value = {
      MinAvailable: spec.minAvailable,
      Selector: spec.selector ?? null,
      MaxUnavailable: spec.maxUnavailable,
      UnhealthyPodEvictionPolicy: spec.unhealthyPodEvictionPolicy ?? null,
    };
    errors.push(invalidValue(specPath, value, 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const field of ['minAvailable', 'maxUnavailable'] as const) {
    checkIntOrPercent(spec[field], specPath.child(field), errors);
    checkAtMostWhole(spec[field], specPath.child(field), errors);
  }
  errors.push(...validateLabelSelector(spec.selector, specPath.child('selector'), {}));
  const policies = ['AlwaysAllow', 'IfHealthyBudget'];
  checkOptionalOneOf(spec.unhealthyPodEvictionPolicy, policies, specPath.child('unhealthyPodEvictionPolicy'), errors);
  return errors;
}

function validateStatus({ status }: PodDisruptionBudget): FieldError[] {
  const path = new FieldPath('status');
  const errors = validateConditions(status?.conditions, path.child('conditions'));
  for (const field of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const) {
    checkNotNegative(status?.[field], path.child(field), errors);
  }
  return errors;
}
