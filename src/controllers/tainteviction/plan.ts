import { toleratesTaint } from '#api/core/v1/taints.ts';
import type { Pod, Taint, Toleration } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';

/** What was observed. */
export interface TaintEvictionInput {
  readonly pod: Pod;
  readonly taints: readonly Taint[];
  /** When a taint without a time of its own was first seen. */
  readonly firstSeenMs: (taint: Taint) => number;
}

export type TaintEvictionPlan =
  | { readonly type: 'stay' }
  /** Delete the pod at this time, or at once where it has passed. */
  | { readonly type: 'evict'; readonly atMs: number };

/** When the NoExecute taints of its node end a pod: as soon as the first toleration runs out. */
export function planTaintEviction({ pod, taints, firstSeenMs }: TaintEvictionInput): TaintEvictionPlan {
  if (pod.metadata.deletionTimestamp !== undefined) return { type: 'stay' };
  let atMs = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const seconds = toleratedSeconds(pod.spec.tolerations ?? [], taint);
    if (seconds === Number.POSITIVE_INFINITY) continue;
    atMs = Math.min(atMs, startOf(taint, pod, firstSeenMs) + seconds * 1000);
  }
  return atMs === Number.POSITIVE_INFINITY ? { type: 'stay' } : { type: 'evict', atMs };
}

/** 0 without a toleration, infinite where one has no limit; of several that match, the shortest counts. */
function toleratedSeconds(tolerations: readonly Toleration[], taint: Taint): number {
  const matching = tolerations.filter((toleration) => toleratesTaint(toleration, taint));
  if (matching.length === 0) return 0;
  return matching.reduce(
    (shortest, toleration) => Math.min(shortest, Math.max(0, toleration.tolerationSeconds ?? Number.POSITIVE_INFINITY)),
    Number.POSITIVE_INFINITY,
  );
}

// A pod that came after the taint has its full time.
function startOf(taint: Taint, pod: Pod, firstSeenMs: (taint: Taint) => number): number {
  const taintedMs = parseTime(taint.timeAdded ?? '') ?? firstSeenMs(taint);
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  const placedMs = parseTime(scheduled?.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '') ?? 0;
  return Math.max(taintedMs, placedMs);
}
