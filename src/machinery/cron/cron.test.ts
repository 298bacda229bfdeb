import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTime, parseTime } from '../clock/clock.ts';
import { calendarDay, dayNumber } from './calendar.ts';
import { nextTime } from './next.ts';
import { isTimeZone, parseSchedule } from './schedule.ts';

describe('a schedule that cannot be read', () => {
  const cases: [string, string][] = [
    ['', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['0 * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['5-3 * * * *', 'beginning of range (5) beyond end of range (3): 5-3'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ['@often', 'unrecognized descriptor: @often'],
    ['@every x', 'failed to parse duration @every x: time: invalid duration "x"'],
    ['TZ=Mars/Base * * * * *', 'provided bad location Mars/Base: unknown time zone Mars/Base'],
  ];
  test.each(cases)('%s', (text, message) => {
    expect(() => parseSchedule(text)).toThrow(message);
  });
});

function times(schedule: string, after: string, options: { count: number; timeZone?: string }): string[] {
  const parsed = parseSchedule(schedule);
  const found: string[] = [];
  let timeMs: number | undefined = parseTime(after);
  while (found.length < options.count && timeMs !== undefined) {
    timeMs = nextTime(parsed, timeMs, options.timeZone);
    if (timeMs !== undefined) found.push(formatTime(timeMs).replace(':00Z', 'Z'));
  }
  return found;
}

describe('the next time', () => {
  const cases: [string, string, string, string, string[]][] = [
    ['each five minutes', '*/5 * * * *', 'UTC', '2026-01-01T00:03:30Z', ['2026-01-01T00:05Z', '2026-01-01T00:10Z']],
    ['is after the time itself', '0 0 * * *', 'UTC', '2026-01-01T00:00:00Z', ['2026-01-02T00:00Z']],
    [
      'a day of the month or of the week',
      '0 0 13 * fri',
      'UTC',
      '2026-03-01T00:00:00Z',
      ['2026-03-06T00:00Z', '2026-03-13T00:00Z', '2026-03-20T00:00Z'],
    ],
    ['29 February', '0 12 29 2 *', 'UTC', '2026-01-01T00:00:00Z', ['2028-02-29T12:00Z']],
    ['the end of a year', '59 23 31 dec *', 'UTC', '2026-12-31T23:59:00Z', ['2027-12-31T23:59Z']],
    ['30 February never comes', '0 0 30 2 *', 'UTC', '2026-01-01T00:00:00Z', []],
    ['@every', '@every 90m', 'UTC', '2026-01-01T00:00:00.500Z', ['2026-01-01T01:30Z', '2026-01-01T03:00Z']],
    ['in another zone', '30 9 * * 1-5', 'Asia/Kolkata', '2026-01-02T05:00:00Z', ['2026-01-05T04:00Z']],
    ['an hour that clocks skip', '30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-03-30T00:30Z']],
    [
      'an hour that clocks show twice',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30Z', '2026-10-25T01:30Z', '2026-10-26T01:30Z'],
    ],
    ['a midnight that clocks skip', '0 * * * *', 'America/Havana', '2026-03-08T04:30:00Z', ['2026-03-08T05:00Z']],
  ];
  test.each(cases)('%s', (_name, schedule, timeZone, after, expected) => {
    expect(times(schedule, after, { count: Math.max(1, expected.length), timeZone })).toEqual(expected);
  });

  test('agrees with a look at each minute', () => {
    const part = (min: number, max: number) =>
      fc.oneof(fc.constant('*'), fc.integer({ min, max }).map(String), fc.constant(`*/${Math.ceil(max / 3)}`));
    const schedules = fc.tuple(part(0, 59), part(0, 23), part(1, 28), part(1, 12), part(0, 6));
    fc.assert(
      fc.property(schedules, fc.integer({ min: 0, max: 366 * 24 * 60 }), (parts, minute) => {
        const schedule = parseSchedule(parts.join(' '));
        const afterMs = (parseTime('2026-01-01T00:00:00Z') ?? 0) + minute * 60_000;
        const found = nextTime(schedule, afterMs);
        if (found === undefined) return;
        // A time of the schedule is the next one after the minute before it.
        expect(found).toBeGreaterThan(afterMs);
        expect(nextTime(schedule, found - 60_000)).toBe(found);
        const between = afterMs + Math.floor((found - afterMs) / 120_000) * 60_000;
        expect(nextTime(schedule, between)).toBe(found);
      }),
      { numRuns: 50 },
    );
  });
});

test('a time zone has a name', () => {
  expect(['UTC', 'Europe/Rome', 'Etc/GMT+5'].map(isTimeZone)).toEqual([true, true, true]);
  expect(['', '+01:00', 'Mars/Base'].map(isTimeZone)).toEqual([false, false, false]);
});

test('the calendar counts days', () => {
  expect([dayNumber(1970, 1, 1), dayNumber(2000, 2, 29), dayNumber(2025, 13, 1)]).toEqual([0, 11016, 20454]);
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), (days) => {
      const { year, month, day } = calendarDay(days);
      expect(dayNumber(year, month, day)).toBe(days);
    }),
  );
});
