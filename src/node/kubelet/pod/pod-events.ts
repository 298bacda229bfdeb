import type { Container, Pod } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

export interface EventText {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** The part of the object that it is about: `spec.containers{web}`. */
  readonly fieldPath?: string;
}

/** Where events go: a recorder in a cluster, a list in tests. Never fails and never waits. */
export interface EventSink {
  event(object: KubeObject, event: EventText): void;
}

export const NO_EVENTS: EventSink = { event: () => undefined };

/** An event about one container of a pod. */
export function containerEvent(
  sink: EventSink,
  target: { pod: Pod; container: Container },
  event: Omit<EventText, 'fieldPath'>,
): void {
  const fieldPath = containerFieldPath(target.pod, target.container.name);
  sink.event(target.pod, { ...event, ...(fieldPath === undefined ? {} : { fieldPath }) });
}

function containerFieldPath(pod: Pod, name: string): string | undefined {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  if (containers.some((one) => one.name === name)) return `spec.containers{${name}}`;
  if (initContainers.some((one) => one.name === name)) return `spec.initContainers{${name}}`;
  return ephemeralContainers.some((one) => one.name === name) ? `spec.ephemeralContainers{${name}}` : undefined;
}
