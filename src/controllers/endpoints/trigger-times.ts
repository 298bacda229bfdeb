import { podCondition } from '#api/core/v1/pod/conditions.ts';
import type { Pod, Service } from '#api/generated/types.ts';

interface Known {
  readonly serviceTime: string;
  readonly podTimes: ReadonlyMap<string, string>;
}

/**
 * Finds out which change a pass over a service answers: the earliest one since the pass before. Only for the
 * annotation by which the latency of endpoints is measured; nothing is decided by it.
 */
export class TriggerTimes {
  readonly #known = new Map<string, Known>();

  /** RFC 3339; undefined where nothing changed that has a time, such as after the end of a pod. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#known.get(key);
    const serviceTime = service.metadata.creationTimestamp ?? '';
    const podTimes = new Map(pods.map((pod) => [pod.metadata.name ?? '', triggerTimeOf(pod)]));
    this.#known.set(key, { serviceTime, podTimes });
    const changed = [...podTimes].filter(([name, time]) => time !== '' && time !== before?.podTimes.get(name));
    const times = changed.map(([, time]) => time);
    if (serviceTime !== '' && serviceTime !== before?.serviceTime) times.push(serviceTime);
    return times.toSorted()[0];
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}

function triggerTimeOf(pod: Pod): string {
  return podCondition(pod.status, 'Ready')?.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '';
}
