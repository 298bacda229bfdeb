import { deepEqual } from '#machinery/codec/deep.ts';
import { duplicateValue, type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { column } from '../../columns/common.ts';
import { STORAGE_VERSION_MIGRATIONS_V1BETA1 } from '../../generated/resources.ts';
import type { V1beta1StorageVersionMigration } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { IMMUTABLE } from '../../validation/basics.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const conditionsPath = new FieldPath('status').child('conditions');
const ENDINGS = ['Succeeded', 'Failed'];

export const storageVersionMigrations = defineKind(STORAGE_VERSION_MIGRATIONS_V1BETA1, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    validate: ({ spec }) =>
      (spec?.resource?.resource ?? '') === ''
        ? [required(specPath.child('resource', 'resource'), 'resource is required')]
        : [],
    validateUpdate: (next, current) =>
      deepEqual(next.spec, current.spec) ? [] : [invalidValue(specPath, next.spec, IMMUTABLE)],
    validateStatusUpdate: checkStatus,
  },
  columns: [
    column('Name', 'The name of the object.', ({ metadata }) => metadata.name ?? ''),
    column('Resource', 'The resource whose objects are written anew.', ({ spec }) => {
      const { group = '', resource = '' } = partly(spec?.resource ?? { group: '', resource: '' });
      return group === '' ? resource : `${resource}.${group}`;
    }),
  ],
});

/** A migration ends once, one way or the other. */
function checkStatus({ status }: V1beta1StorageVersionMigration): FieldError[] {
  const conditions = status?.conditions ?? [];
  const errors: FieldError[] = [];
  for (const [index, { type }] of conditions.entries()) {
    const isTwice = conditions.findIndex((other) => other.type === type) < index;
    if (isTwice) errors.push(duplicateValue(conditionsPath.index(index).child('type'), type));
  }
  const ended = conditions.filter((one) => ENDINGS.includes(one.type) && one.status === 'True');
  if (ended.length > 1) {
    errors.push(
      invalidValue(conditionsPath, conditions, 'Both success and failed conditions cannot be true at the same time'),
    );
  }
  return errors;
}
