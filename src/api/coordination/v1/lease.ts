import { type FieldError, forbiddenValue, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { LEASES } from '../../generated/resources.ts';
import type { Lease } from '../../generated/types.ts';
import { checkLeaseStrategy } from './lease-strategy.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkNotNegative, type FieldErrors } from '../../validation/basics.ts';

const specPath = new FieldPath('spec');

export const leases = defineKind(LEASES, {
  strategy: {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    validate,
    validateUpdate: (next) => validate(next),
  },
  columns: [
    nameColumn,
    column('Holder', 'Who holds the lease.', (lease) => lease.spec.holderIdentity ?? ''),
    ageColumn,
  ],
});

function validate({ spec }: Lease): FieldError[] {
  const errors: FieldErrors = [];
  const { leaseDurationSeconds, leaseTransitions } = spec ?? {};
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    errors.push(invalidValue(specPath.child('leaseDurationSeconds'), leaseDurationSeconds, 'must be greater than 0'));
  }
  checkNotNegative(leaseTransitions, specPath.child('leaseTransitions'), errors);
  const { strategy, preferredHolder = '' } = spec ?? {};
  if (strategy !== undefined) checkLeaseStrategy(strategy, specPath.child('strategy'), errors);
  if (preferredHolder !== '' && (strategy ?? '') === '') {
    const detail = 'may only be specified if `strategy` is defined';
    errors.push(forbiddenValue(specPath.child('preferredHolder'), detail));
  }
  return errors;
}
