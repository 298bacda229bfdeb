import { type FieldError, forbiddenValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { PRIORITY_CLASSES } from '../../generated/resources.ts';
import type { PriorityClass } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkOneOf, type FieldErrors } from '../../validation/basics.ts';

export const USER_PRIORITY_MAX = 1_000_000_000;
export const SYSTEM_CRITICAL_PRIORITY = 2 * USER_PRIORITY_MAX;
const SYSTEM_PREFIX = 'system-';

/** The classes that every cluster has. */
export const systemPriorityClasses: Readonly<Record<string, number>> = {
  'system-cluster-critical': SYSTEM_CRITICAL_PRIORITY,
  'system-node-critical': SYSTEM_CRITICAL_PRIORITY + 1000,
};

export const priorityClasses = defineKind(PRIORITY_CLASSES, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      next.preemptionPolicy ??= 'PreemptLowerPriority';
    },
    validate,
    validateUpdate,
  },
  columns: [
    nameColumn,
    column('Value', 'The priority of the pods.', ({ value }) => value, { type: 'integer' }),
    column(
      'Global-Default',
      'Whether pods without a class get this one.',
      ({ globalDefault }) => globalDefault ?? false,
      { type: 'boolean' },
    ),
    ageColumn,
    column(
      'PreemptionPolicy',
      'Whether the pods may push others out.',
      ({ preemptionPolicy }) => preemptionPolicy ?? '',
    ),
  ],
});

function validate(priorityClass: PriorityClass): FieldError[] {
  const errors: FieldErrors = [];
  const name = priorityClass.metadata.name ?? '';
  if (name.startsWith(SYSTEM_PREFIX)) {
    const reason = foreignReason(name, priorityClass);
    if (reason !== undefined) {
      const detail = `priority class names with '${SYSTEM_PREFIX}' prefix are reserved for system use only. error: ${reason}`;
      errors.push(forbiddenValue(new FieldPath('metadata.name'), detail));
    }
  } else if ((priorityClass.value ?? 0) > USER_PRIORITY_MAX) {
    const detail = `maximum allowed value of a user defined priority is ${USER_PRIORITY_MAX}`;
    errors.push(forbiddenValue(new FieldPath('value'), detail));
  }
  const policies = ['PreemptLowerPriority', 'Never'];
  checkOneOf(priorityClass.preemptionPolicy, policies, new FieldPath('preemptionPolicy'), errors);
  return errors;
}

/** Why a class of a system's name is none of those that every cluster has. */
function foreignReason(name: string, { value, globalDefault = false }: PriorityClass): string | undefined {
  const expected = systemPriorityClasses[name];
  if (expected === undefined) return `${name} is not a known system priority class`;
  if ((value ?? 0) !== expected) return `value of ${name} PriorityClass must be ${expected}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

function validateUpdate(next: PriorityClass, current: PriorityClass): FieldError[] {
  const errors: FieldErrors = [];
  if (next.value !== current.value) {
    errors.push(forbiddenValue(new FieldPath('value'), 'may not be changed in an update.'));
  }
  errors.push(...immutableField(next.preemptionPolicy, current.preemptionPolicy, new FieldPath('preemptionPolicy')));
  return errors;
}
