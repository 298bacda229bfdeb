import { isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import type { Node, Pod } from '#api/generated/types.ts';

const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

/** Why a pod that no kubelet will ever remove is removed by force. */
export interface PodGarbage {
  readonly pod: Pod;
  /** Recorded as DisruptionTarget; absent: the pod had ended anyway. */
  readonly disruption?: { readonly reason: string; readonly message: string };
}

/** Pods bound to a node that does not exist. */
export function planOrphaned(pods: readonly Pod[]): PodGarbage[] {
  const disruption = { reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' };
  return pods.map((pod) => ({ pod, disruption }));
}

/** A pod that was deleted before it was bound. */
export function isUnscheduledTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && (pod.spec.nodeName ?? '') === '';
}

/** Terminating pods of a node that is not ready and that an administrator declared out of service. */
export function planOutOfService(node: Node, pods: readonly Pod[]): PodGarbage[] {
  const isReady = node.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
  const isOut = (node.spec.taints ?? []).some((taint) => taint.key === OUT_OF_SERVICE);
  if (isReady || !isOut) return [];
  return pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined).map((pod) => ({ pod }));
}

/** Ended pods beyond the threshold: evicted ones first, then the oldest. */
export function planTerminated(ended: readonly Pod[], threshold: number): PodGarbage[] {
  if (threshold <= 0 || ended.length <= threshold) return [];
  const evictedFirst = (pod: Pod) => (pod.status?.reason === 'Evicted' ? 0 : 1);
  const created = (pod: Pod) => pod.metadata.creationTimestamp ?? '';
  return ended
    .toSorted((a, b) => {
      if (evictedFirst(a) !== evictedFirst(b)) return evictedFirst(a) - evictedFirst(b);
      if (created(a) !== created(b)) return created(a) < created(b) ? -1 : 1;
      return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
    })
    .slice(0, ended.length - threshold)
    .map((pod) => ({ pod }));
}

/** What ends a pod's life before its deletion, where it has not ended yet. */
export function forcedPhase(pod: Pod): string | undefined {
  return isPodTerminal(pod) ? undefined : 'Failed';
}
