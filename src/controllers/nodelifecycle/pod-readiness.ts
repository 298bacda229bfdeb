import type { Pod, PodCondition } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';

/** The pod's conditions with Ready=False, or undefined where it is not ready anyway. */
export function notReadyConditions(pod: Pod, nowMs: number): PodCondition[] | undefined {
  const conditions = pod.status?.conditions ?? [];
  const ready = conditions.find((condition) => condition.type === 'Ready');
  if (ready === undefined || ready.status === 'False') return undefined;
  const lastTransitionTime = formatTime(nowMs);
  return conditions.map((one) => (one === ready ? { ...one, status: 'False', lastTransitionTime } : one));
}
