import { isPodReady, podCondition } from '#api/core/v1/pod/conditions.ts';
import type { Pod, PodTemplateSpec } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { controllerReference } from './ownership.ts';

/** Since when the pod is ready, in milliseconds since the epoch; undefined where it is not. */
export function readySince(pod: Pod): number | undefined {
  const ready = podCondition(pod.status, 'Ready');
  return ready?.status === 'True' ? parseTime(ready.lastTransitionTime ?? '') : undefined;
}

/** Milliseconds until a ready pod counts as available, 0 or less where it does; undefined where it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  const since = readySince(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000 - nowMs;
}

/** Longest prefix of a generated name. */
const PREFIX_LENGTH_MAX = 247;

/** A new pod of a template, controlled by `owner`. The API server appends the random part of the name. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${(owner.metadata.name ?? '').slice(0, PREFIX_LENGTH_MAX)}-`,
      namespace: owner.metadata.namespace ?? '',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(owner)],
    },
    spec: template.spec ?? { containers: [] },
  };
}
