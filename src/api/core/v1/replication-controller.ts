import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { checkReplicaCounts, workloadWarnings } from '../../apps/v1/pod-template.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { containerColumns } from '../../columns/containers.ts';
import { formatLabels } from '../../columns/selector.ts';
import { REPLICATION_CONTROLLERS } from '../../generated/resources.ts';
import type { ReplicationController } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkNotNegative, type FieldErrors } from '../../validation/basics.ts';
import { hostnameWarnings } from '../../validation/hostname-warning.ts';
import { defaultPodTemplate } from './pod/defaults.ts';
import { checkPodTemplate } from './pod/validation/pod-spec.ts';

const specPath = new FieldPath('spec');

export const replicationControllers = defineKind(REPLICATION_CONTROLLERS, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    defaultPropagation: 'Orphan',
    applyDefaults(next) {
      const { spec } = next;
      const labels = spec.template?.metadata?.labels;
      if (labels !== undefined) {
        spec.selector ??= { ...labels };
        next.metadata.labels ??= { ...labels };
      }
      spec.replicas ??= 1;
      defaultPodTemplate(spec.template);
    },
    prepareForCreate(next) {
      next.status = { replicas: 0 };
    },
    validate,
    validateUpdate: (next) => validate(next),
    validateStatusUpdate,
    warnings: (next, current) => [
      ...hostnameWarnings(next.metadata.name, current),
      ...workloadWarnings(next, current, 'template'),
    ],
    scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
  },
  columns: [
    nameColumn,
    column('Desired', 'Replicas is the number of desired replicas.', ({ spec }) => spec.replicas ?? 1, {
      type: 'integer',
    }),
    column(
      'Current',
      'Replicas is the most recently observed number of replicas.',
      ({ status }) => status?.replicas ?? 0,
      { type: 'integer' },
    ),
    column(
      'Ready',
      'The number of ready replicas for this replication controller.',
      ({ status }) => status?.readyReplicas ?? 0,
      { type: 'integer' },
    ),
    ageColumn,
    ...containerColumns<ReplicationController>(({ spec }) => spec.template?.spec),
    column(
      'Selector',
      'Selector is a label query over pods that should match the Replicas count.',
      ({ spec }) => formatLabels(spec.selector),
      { wide: true },
    ),
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
});

function validate({ spec }: ReplicationController): FieldError[] {
  const errors: FieldErrors = [];
  checkNotNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
  const selector = spec.selector ?? {};
  if (Object.keys(selector).length === 0) errors.push(required(specPath.child('selector'), ''));
  checkNotNegative(spec.replicas, specPath.child('replicas'), errors);
  const templatePath = specPath.child('template');
  if (spec.template === undefined) {
    errors.push(required(templatePath, ''));
    return errors;
  }
  const labels = spec.template.metadata?.labels ?? {};
  if (Object.entries(selector).some(([key, value]) => labels[key] !== value)) {
    const detail = '`selector` does not match template `labels`';
    errors.push(invalidValue(templatePath.child('metadata', 'labels'), labels, detail));
  }
  checkPodTemplate(spec.template, templatePath, errors);
  if (spec.template.spec?.restartPolicy !== 'Always') {
    const at = templatePath.child('spec', 'restartPolicy');
    errors.push(notSupported(at, spec.template.spec?.restartPolicy ?? '', ['Always']));
  }
  if (spec.template.spec?.activeDeadlineSeconds !== undefined) {
    const at = templatePath.child('spec', 'activeDeadlineSeconds');
    errors.push(forbiddenValue(at, 'activeDeadlineSeconds in ReplicationController is not Supported'));
  }
  return errors;
}

const counts = {
  all: ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'],
  parts: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
} as const;

function validateStatusUpdate({ status }: ReplicationController): FieldError[] {
  const errors: FieldErrors = [];
  checkReplicaCounts({ ...status }, counts, errors);
  if ((status?.availableReplicas ?? 0) > (status?.readyReplicas ?? 0)) {
    const path = new FieldPath('status').child('availableReplicas');
    errors.push(invalidValue(path, status?.availableReplicas, 'cannot be greater than readyReplicas'));
  }
  return errors;
}
