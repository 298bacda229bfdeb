import type { Pod, PodCondition } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';

/** A strategic patch body of `/status` that says why a pod is about to be deleted (KEP-3329). */
export function disruptionPatch(
  pod: Pod,
  cause: { reason: string; message: string; nowMs: number; phase?: string },
): unknown {
  const condition: PodCondition = {
    type: 'DisruptionTarget',
    status: 'True',
    lastTransitionTime: formatTime(cause.nowMs),
    reason: cause.reason,
    message: cause.message,
    observedGeneration: pod.metadata.generation ?? 0,
  };
  const status = { conditions: [condition], ...(cause.phase === undefined ? {} : { phase: cause.phase }) };
  return { metadata: { uid: pod.metadata.uid }, status };
}
