import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { immutableField } from '#machinery/validation/metadata.ts';
import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { containerColumns, selectorColumn } from '../../../columns/containers.ts';
import { formatLabels } from '../../../columns/selector.ts';
import { defaultPodTemplate } from '../../../core/v1/pod/defaults.ts';
import { templateWarnings } from '../../../core/v1/pod/warnings.ts';
import { DAEMON_SETS } from '../../../generated/resources.ts';
import type { DaemonSet, DaemonSetStatus } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { checkNotNegative, checkOneOf, type FieldErrors } from '../../../validation/basics.ts';
import { checkAtMostWhole, checkIntOrPercent, isZero } from '../../../validation/int-or-percent.ts';
import { checkSelectorAndTemplate } from '../pod-template.ts';

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
    warnings: (next) => templateWarnings(next.spec.template),
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
  const path = specPath.child('updateStrategy');
  checkOneOf(spec.updateStrategy?.type, ['OnDelete', 'RollingUpdate'], path, errors);
  const rolling = spec.updateStrategy?.rollingUpdate;
  if (rolling !== undefined) {
    const at = path.child('rollingUpdate');
    checkIntOrPercent(rolling.maxUnavailable, at.child('maxUnavailable'), errors);
    checkIntOrPercent(rolling.maxSurge, at.child('maxSurge'), errors);
    if (isZero(rolling.maxUnavailable) === isZero(rolling.maxSurge)) {
      const detail = isZero(rolling.maxSurge)
        ? 'cannot be 0 when maxSurge is 0'
        : 'may not be set when maxSurge is non-zero';
      errors.push(invalidValue(at.child('maxUnavailable'), rolling.maxUnavailable, detail));
    }
    checkAtMostWhole(rolling.maxUnavailable, at.child('maxUnavailable'), errors);
    checkAtMostWhole(rolling.maxSurge, at.child('maxSurge'), errors);
  }
  checkNotNegative(spec.revisionHistoryLimit, specPath.child('revisionHistoryLimit'), errors);
  return errors;
}
