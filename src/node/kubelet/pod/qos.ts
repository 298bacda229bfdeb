import type { Container, Pod } from '#api/generated/types.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** The pod's quality of service: who is killed first when the node runs short. */
export function qosClass(pod: Pod): QosClass {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const claims = pod.spec.resources === undefined ? containers.map((one) => one.resources ?? {}) : [pod.spec.resources];
  let isBestEffort = true;
  let isGuaranteed = true;
  for (const { requests = {}, limits = {} } of claims) {
    for (const resource of ['cpu', 'memory']) {
      const request = amount(requests[resource]);
      const limit = amount(limits[resource]);
      if (request > 0 || limit > 0) isBestEffort = false;
      // A request that is absent counts as the limit, as the API server's defaults make it.
      if (limit === 0 || (request !== 0 && request !== limit)) isGuaranteed = false;
    }
  }
  if (isBestEffort) return 'BestEffort';
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}

/** A container's amount of a resource in thousandths; 0 where it names none. */
export function amount(quantity: string | undefined): number {
  return quantity === undefined ? 0 : parseQuantity(quantity).milliValue();
}

/** The sum of one resource over the pod as the scheduler counts it: containers and sidecars, or the largest init step. */
export function podRequest(pod: Pod, resource: string): number {
  const own = (container: Container): number => amount(container.resources?.requests?.[resource]);
  let sidecars = 0;
  let initPeak = 0;
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      sidecars += own(container);
      initPeak = Math.max(initPeak, sidecars);
    } else {
      initPeak = Math.max(initPeak, sidecars + own(container));
    }
  }
  const running = pod.spec.containers.reduce((sum, container) => sum + own(container), sidecars);
  const explicit = pod.spec.resources?.requests?.[resource];
  const total = explicit === undefined ? Math.max(running, initPeak) : amount(explicit);
  return total + amount(pod.spec.overhead?.[resource]);
}
