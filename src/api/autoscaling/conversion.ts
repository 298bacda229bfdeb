import { deepCopy } from '#machinery/codec/deep.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { MetricSpec, V1HorizontalPodAutoscaler, V2HorizontalPodAutoscaler } from '../generated/types.ts';

/** Where autoscaling/v1 keeps what it has no fields for. */
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';
const CURRENT_METRICS = 'autoscaling.alpha.kubernetes.io/current-metrics';

/** autoscaling/v1 to v2, which is what the store holds. */
export function toStoredAutoscaler(served: KubeObject): KubeObject {
  // Safe: the registry hands over only objects of this kind.
  const { spec, status, metadata, ...rest } = deepCopy(served) as V1HorizontalPodAutoscaler;
  const annotations = { ...metadata.annotations };
  const { targetCPUUtilizationPercentage: utilization, ...stored } = spec;
  const metrics: MetricSpec[] = parse<MetricSpec[]>(annotations[METRICS]) ?? [];
  if (utilization !== undefined) {
    metrics.unshift({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: utilization } },
    });
  }
  const behavior = parse<NonNullable<V2HorizontalPodAutoscaler['spec']['behavior']>>(annotations[BEHAVIOR]);
  for (const key of [METRICS, BEHAVIOR, CONDITIONS, CURRENT_METRICS]) delete annotations[key];
  const { annotations: _annotations, ...otherMetadata } = metadata;
  const { currentCPUUtilizationPercentage: _current, ...storedStatus } = status ?? {};
  const object: Record<string, unknown> = {
    ...rest,
    apiVersion: 'autoscaling/v2',
    metadata: Object.keys(annotations).length === 0 ? otherMetadata : { ...otherMetadata, annotations },
    spec: {
      ...stored,
      ...(metrics.length === 0 ? {} : { metrics }),
      ...(behavior === undefined ? {} : { behavior }),
    },
    status: storedStatus,
  };
  return object as unknown as KubeObject; // Safe: built from an object of the kind.
}

/** autoscaling/v2 to v1. */
export function fromStoredAutoscaler(stored: KubeObject): KubeObject {
  // Safe: the registry hands over only objects of this kind.
  const { spec, status, metadata, ...rest } = deepCopy(stored) as V2HorizontalPodAutoscaler;
  const { metrics = [], behavior, ...servedSpec } = spec;
  const isCpu = (metric: MetricSpec): boolean =>
    metric.resource?.name === 'cpu' && metric.resource.target.averageUtilization !== undefined;
  const cpu = metrics.find(isCpu);
  const others = metrics.filter((metric) => metric !== cpu);
  const { currentMetrics = [], conditions, ...servedStatus } = status ?? {};
  const currentCpu = currentMetrics.find((metric) => metric.resource?.name === 'cpu');
  const annotations = {
    ...metadata.annotations,
    ...(others.length === 0 ? {} : { [METRICS]: JSON.stringify(others) }),
    ...(behavior === undefined ? {} : { [BEHAVIOR]: JSON.stringify(behavior) }),
    ...(conditions === undefined ? {} : { [CONDITIONS]: JSON.stringify(conditions) }),
    ...(currentMetrics.length === 0 ? {} : { [CURRENT_METRICS]: JSON.stringify(currentMetrics) }),
  };
  const target = cpu?.resource?.target.averageUtilization;
  const current = currentCpu?.resource?.current.averageUtilization;
  const object: Record<string, unknown> = {
    ...rest,
    apiVersion: 'autoscaling/v1',
    metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
    spec: { ...servedSpec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    status: {
      currentReplicas: 0,
      desiredReplicas: 0,
      ...servedStatus,
      ...(current === undefined ? {} : { currentCPUUtilizationPercentage: current }),
    },
  };
  return object as unknown as KubeObject; // Safe: built from an object of the kind.
}

/** What a client wrote into an annotation counts only where it can be read. */
function parse<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T; // Safe enough: the stored version is validated after this.
  } catch {
    return undefined;
  }
}
