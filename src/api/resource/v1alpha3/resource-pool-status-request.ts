import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { RESOURCE_POOL_STATUS_REQUESTS_V1ALPHA3 } from '../../generated/resources.ts';
import type { V1alpha3ResourcePoolStatusRequest } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { checkDriver, checkPool } from '../v1/names.ts';

const specPath = new FieldPath('spec');
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

export const resourcePoolStatusRequests = defineKind(RESOURCE_POOL_STATUS_REQUESTS_V1ALPHA3, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults({ spec }) {
      if (spec !== undefined) spec.limit ??= LIMIT_DEFAULT;
    },
    validate,
    validateUpdate: (next, current) =>
      deepEqual(next.spec, current.spec) ? [] : [invalidValue(specPath, next.spec, IMMUTABLE)],
  },
});

function validate({ spec }: V1alpha3ResourcePoolStatusRequest): FieldError[] {
  const errors: FieldErrors = [];
  const { driver, poolName, limit } = spec ?? {};
  checkDriver(driver, specPath.child('driver'), errors);
  if (poolName !== undefined) checkPool(poolName, specPath.child('poolName'), errors);
  if (limit !== undefined && (limit < 1 || limit > LIMIT_MAX)) {
    const bound = limit < 1 ? 'greater than or equal to 1' : `less than or equal to ${LIMIT_MAX}`;
    errors.push(invalidValue(specPath.child('limit'), limit, `must be ${bound}`));
  }
  return errors;
}
