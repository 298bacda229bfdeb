import { type CalendarDay, calendarDay, midnightMs } from './calendar.ts';
import { type CronFields, has, isDay, type Schedule } from './schedule.ts';

/** A schedule that finds nothing in so many years never will: 30 February. */
const YEARS_MAX = 5;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The first time of the schedule after a time, both in milliseconds since the epoch; undefined if there is none. Times
 * are those of the clocks on the wall in the zone: one that a clock skips in spring is left out, one that it shows
 * twice in autumn comes twice.
 */
export function nextTime(schedule: Schedule, afterMs: number, timeZone = 'UTC'): number | undefined {
  if (schedule.everyMs !== undefined) {
    return Math.floor(afterMs / SECOND_MS) * SECOND_MS + schedule.everyMs;
  }
  const { fields } = schedule;
  if (fields === undefined) return undefined;
  const zone = new Zone(schedule.timeZone ?? timeZone);
  // From the next whole minute on.
  let timeMs = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS;
  const lastYear = zone.wall(timeMs).year + YEARS_MAX;
  for (;;) {
    const wall = zone.wall(timeMs);
    if (wall.year > lastYear) return undefined;
    const laterMs = firstLater(fields, wall, { timeMs, zone });
    if (laterMs === undefined) return timeMs;
    timeMs = laterMs;
  }
}

/** Where to look next if this time does not fit; undefined if it does. */
function firstLater(
  fields: CronFields,
  wall: Wall,
  { timeMs, zone }: { timeMs: number; zone: Zone },
): number | undefined {
  if (!has(fields.month, wall.month)) return zone.startOf(wall.year, wall.month + 1, 1);
  if (!isDay(fields, wall.day, wall.weekday)) return zone.startOf(wall.year, wall.month, wall.day + 1);
  const intoHourMs = wall.minute * MINUTE_MS;
  if (!has(fields.hour, wall.hour)) return timeMs - intoHourMs + HOUR_MS;
  return has(fields.minute, wall.minute) ? undefined : timeMs + MINUTE_MS;
}

/** What the clocks show. */
interface Wall extends CalendarDay {
  readonly hour: number;
  readonly minute: number;
}

/** The clocks of a zone. Offsets are whole minutes in our time. */
class Zone {
  readonly #format: Intl.DateTimeFormat | undefined;

  constructor(name: string) {
    this.#format =
      name === 'UTC'
        ? undefined
        : new Intl.DateTimeFormat('en-US', {
            timeZone: name,
            hourCycle: 'h23',
            year: 'numeric',
            month: 'numeric',
            day: 'numeric',
            hour: 'numeric',
            minute: 'numeric',
            second: 'numeric',
          });
  }

  wall(timeMs: number): Wall {
    const shownMs = timeMs + this.#offsetMs(timeMs);
    const days = Math.floor(shownMs / DAY_MS);
    const minutes = Math.floor((shownMs - days * DAY_MS) / MINUTE_MS);
    return { ...calendarDay(days), hour: Math.floor(minutes / 60), minute: minutes % 60 };
  }

  /** When the day begins; where clocks skip midnight, the first moment after it. Months and days may run over. */
  startOf(year: number, month: number, day: number): number {
    const shownMs = midnightMs(year, month, day);
    // The offset may have changed since the day before, in either direction.
    const candidates = [shownMs - this.#offsetMs(shownMs - DAY_MS), shownMs - this.#offsetMs(shownMs + DAY_MS)];
    const exact = candidates.filter((timeMs) => timeMs + this.#offsetMs(timeMs) === shownMs);
    return exact.length > 0 ? Math.min(...exact) : Math.max(...candidates);
  }

  /** How far the clocks of the zone are ahead of UTC. */
  #offsetMs(timeMs: number): number {
    if (this.#format === undefined) return 0;
    const parts: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(timeMs)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    const shownMs = midnightMs(year, month, day) + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
    return shownMs - Math.floor(timeMs / SECOND_MS) * SECOND_MS;
  }
}
