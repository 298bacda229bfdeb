import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../../columns/containers.ts';
import { defaultPodTemplate } from '../../../core/v1/pod/defaults.ts';
import { REPLICA_SETS } from '../../../generated/resources.ts';
import type { ReplicaSet } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind, type KindColumn } from '../../../registry/kind.ts';
import { checkNotNegative, type FieldErrors } from '../../../validation/basics.ts';
import { hostnameWarnings } from '../../../validation/hostname-warning.ts';
import { checkReplicaCounts, checkSelectorAndTemplate, workloadWarnings } from '../pod-template.ts';

const specPath = new FieldPath('spec');

const columns: readonly KindColumn<ReplicaSet>[] = [
  nameColumn,
  column('Desired', 'How many pods are wanted.', ({ spec }) => spec.replicas ?? 1, { type: 'integer' }),
  column('Current', 'How many pods there are.', ({ status }) => status?.replicas ?? 0, { type: 'integer' }),
  column('Ready', 'How many pods are ready.', ({ status }) => status?.readyReplicas ?? 0, { type: 'integer' }),
  ageColumn,
  ...containerColumns<ReplicaSet>(({ spec }) => spec.template?.spec),
  selectorColumn('Which pods belong to the replica set.', ({ spec }) => spec.selector),
];

export const replicaSets = defineKind(REPLICA_SETS, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      defaultPodTemplate((next.spec.template ??= {}));
      next.spec.replicas ??= 1;
      next.status ??= { replicas: 0 };
    },
    prepareForCreate(next) {
      next.status = { replicas: 0 };
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.spec.selector, current.spec.selector, specPath.child('selector')),
    ],
    validateStatusUpdate: (next) => validateStatus(next),
    warnings: (next, current) => [...hostnameWarnings(next.metadata.name, current), ...workloadWarnings(next, current)],
    scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
  },
  columns,
  selectableFields: { 'status.replicas': (set) => String(set.status?.replicas ?? 0) },
});

function validate(set: ReplicaSet): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = set;
  checkNotNegative(spec.replicas, specPath.child('replicas'), errors);
  checkNotNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
  checkSelectorAndTemplate(
    {
      selector: spec.selector,
      template: spec.template ?? {},
      path: specPath,
      kindText: 'deployment',
      deadlineText: 'ReplicaSet',
    },
    errors,
  );
  return errors;
}

function validateStatus({ status }: ReplicaSet): FieldError[] {
  const errors: FieldErrors = [];
  checkReplicaCounts({ ...status }, counts, errors);
  if ((status?.availableReplicas ?? 0) > (status?.readyReplicas ?? 0)) {
    const at = new FieldPath('status').child('availableReplicas');
    errors.push(invalidValue(at, status?.availableReplicas, 'cannot be greater than readyReplicas'));
  }
  return errors;
}

const counts = {
  all: [
    'replicas',
    'fullyLabeledReplicas',
    'readyReplicas',
    'availableReplicas',
    'terminatingReplicas',
    'observedGeneration',
  ],
  parts: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
} as const;
