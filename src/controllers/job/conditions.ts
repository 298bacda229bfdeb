import type { JobCondition } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';

/** The conditions with this one set; its transition time moves only with its status. */
export function withJobCondition(
  conditions: readonly JobCondition[] | undefined,
  next: { type: string; status: string; reason: string; message: string },
  nowMs: number,
): JobCondition[] {
  const now = formatTime(nowMs);
  const { type, status, reason, message } = next;
  const others = (conditions ?? []).filter((condition) => condition.type !== type);
  const before = conditions?.find((condition) => condition.type === type);
  const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
  return [...others, { type, status, lastProbeTime: now, lastTransitionTime, reason, message }];
}
