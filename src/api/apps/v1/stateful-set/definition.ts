import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { containerColumns } from '../../../columns/containers.ts';
import { defaultPodTemplate } from '../../../core/v1/pod/defaults.ts';
import { templateWarnings } from '../../../core/v1/pod/warnings.ts';
import { defaultClaimSpec } from '../../../core/v1/pod/volume-defaults.ts';
import { STATEFUL_SETS } from '../../../generated/resources.ts';
import type { StatefulSet, StatefulSetSpec } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { checkNotNegative, checkOneOf, type FieldErrors } from '../../../validation/basics.ts';
import { checkSelectorAndTemplate } from '../pod-template.ts';

const specPath = new FieldPath('spec');

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export const statefulSets = defineKind(STATEFUL_SETS, {
  strategy: {
    hasGeneration: true,
    applyDefaults,
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
    validateUpdate,
    warnings: (next) => templateWarnings(next.spec.template),
    scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
  },
  columns: [
    nameColumn,
    column(
      'Ready',
      'Number of the pod with ready state',
      ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`,
    ),
    ageColumn,
    ...containerColumns<StatefulSet>(({ spec }) => spec.template.spec),
  ],
});

function applyDefaults(set: StatefulSet): void {
  const { spec } = set;
  defaultPodTemplate((spec.template ??= {}));
  spec.podManagementPolicy ||= 'OrderedReady';
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ||= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    strategy.rollingUpdate ??= {};
    strategy.rollingUpdate.partition ??= 0;
  }
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
  retention.whenDeleted ||= 'Retain';
  retention.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ||= 'v1';
    claim.kind ||= 'PersistentVolumeClaim';
    defaultClaimSpec(claim.spec);
    claim.status ??= {};
    claim.status.phase ||= 'Pending';
  }
}

function validate(set: StatefulSet): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = set;
  checkOneOf(spec.podManagementPolicy, ['OrderedReady', 'Parallel'], specPath.child('podManagementPolicy'), errors);
  const strategyPath = specPath.child('updateStrategy');
  checkOneOf(spec.updateStrategy?.type, ['OnDelete', 'RollingUpdate'], strategyPath.child('type'), errors);
  const partitionPath = strategyPath.child('rollingUpdate', 'partition');
  checkNotNegative(spec.updateStrategy?.rollingUpdate?.partition, partitionPath, errors);
  checkNotNegative(spec.replicas, specPath.child('replicas'), errors);
  checkNotNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
  checkNotNegative(spec.ordinals?.start, specPath.child('ordinals', 'start'), errors);
  checkSelectorAndTemplate(
    {
      selector: spec.selector,
      template: spec.template,
      path: specPath,
      kindText: 'statefulset',
      deadlineText: 'StatefulSet',
    },
    errors,
  );
  return errors;
}

function validateUpdate(next: StatefulSet, current: StatefulSet): FieldError[] {
  const errors = validate(next);
  const rest = (spec: StatefulSetSpec): object => {
    const copy: Record<string, unknown> = { ...spec };
    for (const field of changeable) delete copy[field];
    return copy;
  };
  if (!deepEqual(rest(next.spec), rest(current.spec))) {
    const detail =
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
    errors.push(forbiddenValue(specPath, detail));
  }
  return errors;
}
