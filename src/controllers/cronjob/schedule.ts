import type { CronJob } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { nextTime } from '#machinery/cron/next.ts';
import { isTimeZone, parseSchedule, type Schedule } from '#machinery/cron/schedule.ts';

/** Why a schedule cannot be followed. */
export interface ScheduleError {
  readonly reason: 'UnknownTimeZone' | 'UnparseableSchedule';
  readonly error: string;
}

/** From so many missed times on, upstream warns: something was asleep, or a clock is wrong. */
const MISSED_MAX = 100;

export function scheduleOf({ spec }: CronJob): { schedule: Schedule } | ScheduleError {
  if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) {
    return { reason: 'UnknownTimeZone', error: `unknown time zone ${spec.timeZone}` };
  }
  try {
    return { schedule: parseSchedule(spec.schedule) };
  } catch (error) {
    return { reason: 'UnparseableSchedule', error: error instanceof Error ? error.message : String(error) };
  }
}

interface Missed {
  /** The last scheduled time that has come and was not served; earlier ones are skipped. */
  readonly lastMs: number | undefined;
  readonly isTooMany: boolean;
}

/** Which times have come since the last start, and the next one to come. */
export function missedTimes(
  { metadata, spec, status }: CronJob,
  { schedule }: { schedule: Schedule },
  nowMs: number,
): { missed: Missed; nextMs: number | undefined } {
  const zone = spec.timeZone ?? 'UTC';
  let earliestMs = parseTime(status?.lastScheduleTime ?? '') ?? parseTime(metadata.creationTimestamp ?? '') ?? nowMs;
  const { startingDeadlineSeconds } = spec;
  if (startingDeadlineSeconds !== undefined) {
    earliestMs = Math.max(earliestMs, nowMs - startingDeadlineSeconds * 1000);
  }
  const nextMs = nextTime(schedule, nowMs, zone);
  const first = nextTime(schedule, earliestMs, zone);
  if (first === undefined || first > nowMs) return { missed: { lastMs: undefined, isTooMany: false }, nextMs };
  const second = nextTime(schedule, first, zone);
  const spacingMs = second === undefined ? Number.POSITIVE_INFINITY : second - first;
  const estimate = Math.floor((nowMs - first) / spacingMs) + 1;
  let lastMs = first;
  // Far behind, steps of one time each would take long: start near the end, where all that counts is the last.
  const jumpMs = nowMs - Math.max(2 * spacingMs, 1) * 2;
  if (estimate > MISSED_MAX && jumpMs > first) lastMs = nextTime(schedule, jumpMs, zone) ?? first;
  if (lastMs > nowMs) lastMs = first;
  for (let step = 0; step < 10_000; step++) {
    const next = nextTime(schedule, lastMs, zone);
    if (next === undefined || next > nowMs) break;
    lastMs = next;
  }
  return { missed: { lastMs, isTooMany: estimate > MISSED_MAX }, nextMs };
}
