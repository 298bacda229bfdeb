import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../../columns/containers.ts';
import { defaultPodTemplate } from '../../../core/v1/pod/defaults.ts';
import { DEPLOYMENTS } from '../../../generated/resources.ts';
import type { Deployment, DeploymentStrategy } from '../../../generated/types.ts';
import { statusRules } from '../../../registry/carry-over.ts';
import { defineKind, type KindColumn } from '../../../registry/kind.ts';
import { checkNotNegative, type FieldErrors } from '../../../validation/basics.ts';
import { checkAtMostWhole, checkIntOrPercent, isZero } from '../../../validation/int-or-percent.ts';
import { hostnameWarnings } from '../../../validation/hostname-warning.ts';
import { checkCollisions, checkReplicaCounts, checkSelectorAndTemplate, workloadWarnings } from '../pod-template.ts';

const specPath = new FieldPath('spec');

const columns: readonly KindColumn<Deployment>[] = [
  nameColumn,
  column(
    'Ready',
    'Number of the pod with ready state',
    ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`,
  ),
  column('Up-to-date', 'Pods of the newest template.', ({ status }) => status?.updatedReplicas ?? 0),
  column('Available', 'Pods that have been ready for long enough.', ({ status }) => status?.availableReplicas ?? 0),
  ageColumn,
  ...containerColumns<Deployment>(({ spec }) => spec.template.spec),
  selectorColumn('Which pods belong to the deployment.', ({ spec }) => spec.selector),
];

export const deployments = defineKind(DEPLOYMENTS, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    annotationsRaiseGeneration: true,
    applyDefaults,
    prepareForStatusUpdate(next, current) {
      statusRules.prepareForStatusUpdate(next, current);
      if (current.metadata.labels === undefined) delete next.metadata.labels;
      else next.metadata.labels = { ...current.metadata.labels };
    },
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.spec.selector, current.spec.selector, specPath.child('selector')),
    ],
    validateStatusUpdate,
    warnings: (next, current) => [...hostnameWarnings(next.metadata.name, current), ...workloadWarnings(next, current)],
    scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
  },
  columns,
});

const counts = {
  all: [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'unavailableReplicas',
    'terminatingReplicas',
    'collisionCount',
  ],
  parts: ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
} as const;

function applyDefaults(deployment: Deployment): void {
  const { spec } = deployment;
  defaultPodTemplate((spec.template ??= {}));
  spec.replicas ??= 1;
  const strategy = (spec.strategy ??= {});
  strategy.type ||= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const rollingUpdate = (strategy.rollingUpdate ??= {});
    rollingUpdate.maxUnavailable ??= '25%';
    rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
}

function validate(deployment: Deployment): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = deployment;
  checkNotNegative(spec.replicas, specPath.child('replicas'), errors);
  checkSelectorAndTemplate(
    {
      selector: spec.selector,
      template: spec.template,
      path: specPath,
      kindText: 'deployment',
      deadlineText: 'ReplicaSet',
    },
    errors,
  );
  checkStrategy(spec.strategy ?? {}, specPath.child('strategy'), errors);
  checkNotNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
  checkNotNegative(spec.revisionHistoryLimit, specPath.child('revisionHistoryLimit'), errors);
  const deadline = spec.progressDeadlineSeconds;
  if (deadline !== undefined) {
    const path = specPath.child('progressDeadlineSeconds');
    checkNotNegative(deadline, path, errors);
    if (deadline <= (spec.minReadySeconds ?? 0)) {
      errors.push(invalidValue(path, deadline, 'must be greater than minReadySeconds'));
    }
  }
  return errors;
}

function checkStrategy(strategy: DeploymentStrategy, path: FieldPath, errors: FieldErrors): void {
  const rolling = strategy.rollingUpdate;
  const rollingPath = path.child('rollingUpdate');
  switch (strategy.type) {
    case 'Recreate':
      if (rolling !== undefined) {
        errors.push(forbiddenValue(rollingPath, "may not be specified when strategy `type` is 'Recreate'"));
      }
      return;
    case 'RollingUpdate':
      if (rolling === undefined) {
        errors.push(required(rollingPath, 'this should be defaulted and never be nil'));
        return;
      }
      checkIntOrPercent(rolling.maxUnavailable, rollingPath.child('maxUnavailable'), errors);
      checkIntOrPercent(rolling.maxSurge, rollingPath.child('maxSurge'), errors);
      if (isZero(rolling.maxUnavailable) && isZero(rolling.maxSurge)) {
        const at = rollingPath.child('maxUnavailable');
        errors.push(invalidValue(at, rolling.maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
      }
      checkAtMostWhole(rolling.maxUnavailable, rollingPath.child('maxUnavailable'), errors);
      return;
    default:
      // Upstream prints its internal form.
      errors.push(
        notSupported(path, { Type: strategy.type ?? '', RollingUpdate: internalRollout(rolling) }, [
          'Recreate',
          'RollingUpdate',
        ]),
      );
  }
}

function internalRollout(rolling: DeploymentStrategy['rollingUpdate']): object | null {
  if (rolling === undefined) return null;
  return { MaxUnavailable: rolling.maxUnavailable ?? 0, MaxSurge: rolling.maxSurge ?? 0 };
}

function validateStatusUpdate(next: Deployment, current: Deployment): FieldError[] {
  const errors: FieldErrors = [];
  const status = next.status ?? {};
  checkReplicaCounts({ ...status }, counts, errors);
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
    const at = new FieldPath('status').child('availableReplicas');
    errors.push(invalidValue(at, status.availableReplicas, 'cannot be greater than readyReplicas'));
  }
  checkCollisions(status.collisionCount, current.status?.collisionCount, errors);
  return errors;
}
