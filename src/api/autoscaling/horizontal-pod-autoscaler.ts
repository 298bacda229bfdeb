import type { KubeObject } from '#machinery/meta/types.ts';
import { ageColumn, column, nameColumn } from '../columns/common.ts';
import { HORIZONTAL_POD_AUTOSCALERS, HORIZONTAL_POD_AUTOSCALERS_V1 } from '../generated/resources.ts';
import type { MetricSpec, MetricStatus, V2HorizontalPodAutoscaler } from '../generated/types.ts';
import { statusRules } from '../registry/carry-over.ts';
import { defineKind } from '../registry/kind.ts';
import {
  fromStoredAutoscaler,
  keepAnnotations,
  specAnnotations,
  statusAnnotations,
  toStoredAutoscaler,
} from './conversion.ts';
import { defaultAutoscaler } from './defaults.ts';
import { validateAutoscaler, validateAutoscalerStatus } from './validation.ts';

const METRICS_SHOWN_MAX = 2;

export const horizontalPodAutoscalers = defineKind(HORIZONTAL_POD_AUTOSCALERS, {
  strategy: {
    ...statusRules,
    prepareForCreate(next) {
      next.status = { desiredReplicas: 0 };
    },
    applyDefaults: defaultAutoscaler,
    validate: (next) => validateAutoscaler(next),
    validateUpdate: validateAutoscaler,
    validateStatusUpdate: (next) => validateAutoscalerStatus(next),
  },
  columns: [
    nameColumn,
    column(
      'Reference',
      'Reference to the scaled object',
      ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
    ),
    column('Targets', 'Target and current values of the metrics', ({ spec, status }) =>
      metricsCell(spec.metrics, status?.currentMetrics),
    ),
    column('MinPods', 'minReplicas is the lower limit for the number of replicas', ({ spec }) =>
      String(spec.minReplicas ?? '<unset>'),
    ),
    column('MaxPods', 'maxReplicas is the upper limit for the number of replicas', ({ spec }) => spec.maxReplicas),
    column(
      'Replicas',
      'currentReplicas is the current number of replicas',
      ({ status }) => status?.currentReplicas ?? 0,
    ),
    ageColumn,
  ],
});

/** The older version shows the cpu metric in fields of its own and the others as annotations. */
export const horizontalPodAutoscalersV1 = defineKind(HORIZONTAL_POD_AUTOSCALERS_V1, {
  strategy: {
    ...statusRules,
    prepareForCreate(next) {
      next.status = { currentReplicas: 0, desiredReplicas: 0 };
      keepAnnotations(next, undefined, statusAnnotations);
    },
    prepareForUpdate(next, current) {
      statusRules.prepareForUpdate(next, current);
      keepAnnotations(next, current, statusAnnotations);
    },
    prepareForStatusUpdate(next, current) {
      statusRules.prepareForStatusUpdate(next, current);
      keepAnnotations(next, current, specAnnotations);
    },
    applyDefaults({ spec }) {
      spec.minReplicas ??= 1;
    },
    validate: (next) => validateAutoscaler(storedOf(next)),
    validateUpdate: (next, current) => validateAutoscaler(storedOf(next), storedOf(current)),
    validateStatusUpdate: (next) => validateAutoscalerStatus(storedOf(next)),
  },
  columns: (horizontalPodAutoscalers.columns ?? []).map((shown) => ({
    ...shown,
    cell: (autoscaler: KubeObject, nowMs: number) => shown.cell(toStoredAutoscaler(autoscaler), nowMs),
  })),
  storedAs: {
    group: 'autoscaling',
    version: 'v2',
    kind: 'HorizontalPodAutoscaler',
    toStored: toStoredAutoscaler,
    fromStored: fromStoredAutoscaler,
  },
});

function storedOf(served: KubeObject): V2HorizontalPodAutoscaler {
  return toStoredAutoscaler(served) as V2HorizontalPodAutoscaler; // Safe: it makes this kind.
}

function metricsCell(specs: readonly MetricSpec[] | undefined, statuses: readonly MetricStatus[] | undefined): string {
  if (specs === undefined || specs.length === 0) return '<none>';
  const texts = specs.slice(0, METRICS_SHOWN_MAX).map((spec, index) => metricText(spec, statuses?.[index]));
  const text = texts.join(', ');
  return specs.length > METRICS_SHOWN_MAX ? `${text} + ${specs.length - METRICS_SHOWN_MAX} more...` : text;
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const target =
    spec.resource?.target ??
    spec.containerResource?.target ??
    spec.pods?.target ??
    spec.object?.target ??
    spec.external?.target;
  const current =
    status?.resource?.current ??
    status?.containerResource?.current ??
    status?.pods?.current ??
    status?.object?.current ??
    status?.external?.current;
  const name = spec.resource?.name ?? spec.containerResource?.name;
  const prefix = name === undefined ? '' : `${name}: `;
  if (target?.averageUtilization !== undefined) {
    const now = current?.averageUtilization === undefined ? '<unknown>' : `${current.averageUtilization}%`;
    return `${prefix}${now}/${target.averageUtilization}%`;
  }
  if (target?.averageValue !== undefined)
    return `${prefix}${current?.averageValue ?? '<unknown>'}/${target.averageValue}`;
  return `${prefix}${current?.value ?? '<unknown>'}/${target?.value ?? '<unknown>'}`;
}
