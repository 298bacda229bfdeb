import { type FieldError, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../../columns/containers.ts';
import { formatLabels } from '../../../columns/selector.ts';
import { defaultPodTemplate } from '../../../core/v1/pod/defaults.ts';
import { DAEMON_SETS } from '../../../generated/resources.ts';
import type { DaemonSet, DaemonSetStatus, DaemonSetUpdateStrategy } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { checkNotNegative, type FieldErrors } from '../../../validation/basics.ts';
import { checkAtMostWhole, checkIntOrPercent, isZero } from '../../../validation/int-or-percent.ts';
import { checkCollisions, checkReplicaCounts, checkSelectorAndTemplate, workloadWarnings } from '../pod-template.ts';
import { keepTemplateGeneration, startTemplateGeneration } from './template-generation.ts';

const specPath = new FieldPath('spec');

const emptyStatus: DaemonSetStatus = {
  currentNumberScheduled: 0,
  numberMisscheduled: 0,
  desiredNumberScheduled: 0,
  numberReady: 0,
};

export const daemonSets = defineKind(DAEMON_SETS, {
  strategy: {
    hasGeneration: true,
    applyDefaults(next) {
      const { spec } = next;
      defaultPodTemplate((spec.template ??= {}));
      const strategy = (spec.updateStrategy ??= {});
      strategy.type ||= 'RollingUpdate';
      if (strategy.type === 'RollingUpdate') {
        strategy.rollingUpdate ??= {};
        strategy.rollingUpdate.maxUnavailable ??= 1;
        strategy.rollingUpdate.maxSurge ??= 0;
      }
      spec.revisionHistoryLimit ??= 10;
    },
    prepareForCreate(next) {
      next.status = { ...emptyStatus };
      startTemplateGeneration(next);
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
      keepTemplateGeneration(next, current);
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    validate,
    validateUpdate: (next, current) => [
      ...validate(next),
      ...immutableField(next.spec.selector, current.spec.selector, specPath.child('selector')),
    ],
    validateStatusUpdate,
    warnings: (next, current) => workloadWarnings(next, current),
  },
  columns: [
    nameColumn,
    column('Desired', 'Nodes that should run the pod.', ({ status }) => status?.desiredNumberScheduled ?? 0, {
      type: 'integer',
    }),
    column('Current', 'Nodes that run the pod and should.', ({ status }) => status?.currentNumberScheduled ?? 0, {
      type: 'integer',
    }),
    column('Ready', 'Nodes where the pod is ready.', ({ status }) => status?.numberReady ?? 0, { type: 'integer' }),
    column(
      'Up-to-date',
      'The total number of nodes that are running updated daemon pod',
      ({ status }) => status?.updatedNumberScheduled ?? 0,
      { type: 'integer' },
    ),
    column(
      'Available',
      'Nodes where the pod has been ready for long enough.',
      ({ status }) => status?.numberAvailable ?? 0,
      { type: 'integer' },
    ),
    column('Node Selector', 'The node labels that the pod asks for.', ({ spec }) =>
      formatLabels(spec.template.spec?.nodeSelector),
    ),
    ageColumn,
    ...containerColumns<DaemonSet>(({ spec }) => spec.template.spec),
    selectorColumn('Which pods belong to the daemon set.', ({ spec }) => spec.selector),
  ],
});

function validate({ spec }: DaemonSet): FieldError[] {
  const errors: FieldErrors = [];
  checkSelectorAndTemplate(
    {
      selector: spec.selector,
      template: spec.template,
      path: specPath,
      kindText: 'daemonset',
      deadlineText: 'DaemonSet',
    },
    errors,
  );
  checkNotNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
  checkStrategy(spec.updateStrategy ?? {}, specPath.child('updateStrategy'), errors);
  checkNotNegative(spec.revisionHistoryLimit, specPath.child('revisionHistoryLimit'), errors);
  return errors;
}

function checkStrategy(strategy: DaemonSetUpdateStrategy, path: FieldPath, errors: FieldErrors): void {
  const rolling = strategy.rollingUpdate;
  if (strategy.type === 'OnDelete') return;
  if (strategy.type !== 'RollingUpdate') {
    // Upstream prints its internal form.
    const { maxUnavailable = 0, maxSurge = 0 } = rolling ?? {};
    const value = {
      Type: strategy.type ?? '',
      RollingUpdate: rolling === undefined ? null : { MaxUnavailable: maxUnavailable, MaxSurge: maxSurge },
    };
    errors.push(notSupported(path, value, ['RollingUpdate', 'OnDelete']));
    return;
  }
  const at = path.child('rollingUpdate');
  if (rolling === undefined) {
    errors.push(required(at, ''));
    return;
  }
  for (const field of ['maxUnavailable', 'maxSurge'] as const)
    checkIntOrPercent(rolling[field], at.child(field), errors);
  for (const field of ['maxUnavailable', 'maxSurge'] as const)
    checkAtMostWhole(rolling[field], at.child(field), errors);
  const hasUnavailable = !isZero(rolling.maxUnavailable);
  const hasSurge = !isZero(rolling.maxSurge);
  if (hasUnavailable && hasSurge) {
    const detail = 'may not be set when maxUnavailable is non-zero';
    errors.push(invalidValue(at.child('maxSurge'), rolling.maxSurge, detail));
  } else if (!hasUnavailable && !hasSurge) {
    errors.push(required(at.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0'));
  }
}

const counts = {
  all: [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ],
  parts: [],
} as const;

function validateStatusUpdate(next: DaemonSet, current: DaemonSet): FieldError[] {
  const errors: FieldErrors = [];
  checkReplicaCounts({ ...next.status }, counts, errors);
  checkCollisions(next.status?.collisionCount, current.status?.collisionCount, errors);
  return errors;
}
