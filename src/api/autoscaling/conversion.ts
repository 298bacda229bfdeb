import { deepCopy } from '#machinery/codec/deep.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import type { MetricSpec, V1HorizontalPodAutoscaler, V2HorizontalPodAutoscaler } from '../generated/types.ts';
import { builtinSchemas } from '../schema/load.ts';
import { partly } from '../validation/partly.ts';
import { defaultAutoscaler } from './defaults.ts';
import { behaviorFromV1, behaviorToV1, metricsFromV1, metricsToV1 } from './v1-shapes.ts';

/** Where autoscaling/v1 keeps what it has no fields for. */
const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const METRICS = `${PREFIX}metrics`;
const BEHAVIOR = `${PREFIX}behavior`;
const CONDITIONS = `${PREFIX}conditions`;
const CURRENT_METRICS = `${PREFIX}current-metrics`;
const tolerances = [`${PREFIX}scale-down-tolerance`, `${PREFIX}scale-up-tolerance`];

export const specAnnotations: readonly string[] = [METRICS, BEHAVIOR];
export const statusAnnotations: readonly string[] = [CONDITIONS, CURRENT_METRICS];
const allAnnotations = [...specAnnotations, ...statusAnnotations, ...tolerances];

type Spec = V2HorizontalPodAutoscaler['spec'];
type Status = NonNullable<V2HorizontalPodAutoscaler['status']>;

/** autoscaling/v1 to v2, which is what the store holds. */
export function toStoredAutoscaler(served: KubeObject): KubeObject {
  // Safe: the registry hands over only objects of this kind.
  const { spec, status, metadata, ...rest } = deepCopy(served) as V1HorizontalPodAutoscaler;
  const annotations = metadata.annotations ?? {};
  const object = {
    ...rest,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(metadata, without(annotations, allAnnotations)),
    spec: storedSpec(spec, annotations),
    status: storedStatus(status, annotations),
  };
  defaultAutoscaler(object);
  return object;
}

function storedSpec(spec: V1HorizontalPodAutoscaler['spec'], annotations: Readonly<Record<string, string>>): Spec {
  const { targetCPUUtilizationPercentage: percentage, ...stored } = spec ?? {};
  const given = parse(annotations[METRICS], (value) => metricsFromV1(value, 'spec'));
  const read = parse(annotations[BEHAVIOR], behaviorFromV1);
  const decoded = decodedAs<Spec>('Spec', {
    ...(given === undefined ? {} : { metrics: given }),
    ...(read === undefined ? {} : { behavior: read }),
  });
  const metrics = decoded?.metrics ?? [];
  if (percentage !== undefined) {
    const target = { type: 'Utilization', averageUtilization: percentage };
    metrics.push({ type: 'Resource', resource: { name: 'cpu', target } });
  }
  const result: Spec = { ...stored };
  if (metrics.length > 0) result.metrics = metrics;
  if (decoded?.behavior !== undefined && read !== undefined) result.behavior = decoded.behavior;
  return result;
}

function storedStatus(
  status: V1HorizontalPodAutoscaler['status'],
  annotations: Readonly<Record<string, string>>,
): Status {
  const { currentCPUUtilizationPercentage: percentage, ...stored } = partly(status);
  const given = parse(annotations[CURRENT_METRICS], (value) => metricsFromV1(value, 'status'));
  const conditions = parse(annotations[CONDITIONS], (value) => (Array.isArray(value) ? value : undefined));
  const decoded = decodedAs<Status>('Status', {
    ...(given === undefined ? {} : { currentMetrics: given }),
    ...(conditions === undefined ? {} : { conditions }),
  });
  const result: Status = { desiredReplicas: 0, ...stored };
  if (percentage !== undefined) {
    const current = { averageUtilization: percentage };
    result.currentMetrics = [{ type: 'Resource', resource: { name: 'cpu', current } }];
  }
  // The annotation says more.
  if (given !== undefined && decoded?.currentMetrics !== undefined) result.currentMetrics = decoded.currentMetrics;
  if (decoded?.conditions !== undefined) result.conditions = decoded.conditions;
  return result;
}

/** autoscaling/v2 to v1. */
export function fromStoredAutoscaler(stored: KubeObject): KubeObject {
  // Safe: the registry hands over only objects of this kind.
  const { spec, status, metadata, ...rest } = deepCopy(stored) as V2HorizontalPodAutoscaler;
  const { metrics = [], behavior, ...servedSpec } = spec ?? {};
  const others = metrics.filter((metric) => !isCpu(metric));
  const { currentMetrics = [], conditions = [], ...servedStatus } = status ?? {};
  const annotations = without(metadata.annotations ?? {}, allAnnotations);
  if (others.length > 0) annotations[METRICS] = JSON.stringify(metricsToV1(others, 'spec'));
  if (currentMetrics.length > 0) annotations[CURRENT_METRICS] = JSON.stringify(metricsToV1(currentMetrics, 'status'));
  if (behavior !== undefined) annotations[BEHAVIOR] = JSON.stringify(behaviorToV1(behavior));
  if (conditions.length > 0) annotations[CONDITIONS] = JSON.stringify(conditions);
  const target = metrics.find(isCpu)?.resource?.target.averageUtilization;
  const current = currentMetrics
    .filter(({ resource }) => resource?.name === 'cpu')
    .findLast(({ resource }) => resource?.current.averageUtilization !== undefined)?.resource
    ?.current.averageUtilization;
  const object: Record<string, unknown> = {
    ...rest,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(metadata, annotations),
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

function isCpu({ type, resource }: MetricSpec): boolean {
  return type === 'Resource' && resource?.name === 'cpu' && resource.target?.averageUtilization !== undefined;
}

/** Makes the annotations of `next` that belong to one half of the object those of `current`, or none. */
export function keepAnnotations(next: KubeObject, current: KubeObject | undefined, names: readonly string[]): void {
  const kept = without(next.metadata.annotations ?? {}, names);
  for (const name of names) {
    const text = current?.metadata.annotations?.[name];
    if (text !== undefined) kept[name] = text;
  }
  if (Object.keys(kept).length === 0) delete next.metadata.annotations;
  else next.metadata.annotations = kept;
}

function without(annotations: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  const left = { ...annotations };
  for (const name of names) delete left[name];
  return left;
}

function withAnnotations(
  metadata: KubeObject['metadata'],
  annotations: Record<string, string>,
): KubeObject['metadata'] {
  const { annotations: _old, ...others } = metadata;
  return Object.keys(annotations).length === 0 ? others : { ...others, annotations };
}

/** What a client wrote into an annotation counts only where it can be read. */
function parse<T>(text: string | undefined, read: (value: unknown) => T | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return read(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The value as the schema of this part of v2 reads it; undefined: it does not fit. */
function decodedAs<T>(part: 'Spec' | 'Status', value: object): Partial<T> | undefined {
  if (Object.keys(value).length === 0) return undefined;
  const schema = compileSchema(builtinSchemas(), `io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler${part}`);
  try {
    const decoded = schema.decode(value, { mode: 'prune' });
    return decoded.errors.length > 0 ? undefined : (decoded.value as Partial<T>); // Safe: the schema says so.
  } catch {
    return undefined;
  }
}
