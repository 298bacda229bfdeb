import { expect, test } from 'vitest';
import { parseTime } from '../clock/clock.ts';
import { humanDuration, timestampSince, timestampUntil } from './human-duration.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  [-2 * SECOND, '<invalid>'],
  [-1 * SECOND, '0s'],
  [0, '0s'],
  [119 * SECOND, '119s'],
  [2 * MINUTE, '2m'],
  [9 * MINUTE + 59 * SECOND, '9m59s'],
  [10 * MINUTE + 30 * SECOND, '10m'],
  [179 * MINUTE, '179m'],
  [3 * HOUR, '3h'],
  [7 * HOUR + 5 * MINUTE, '7h5m'],
  [47 * HOUR, '47h'],
  [2 * DAY, '2d'],
  [7 * DAY + 3 * HOUR, '7d3h'],
  [8 * DAY + 3 * HOUR, '8d'],
  [729 * DAY, '729d'],
  [730 * DAY, '2y'],
  [800 * DAY, '2y70d'],
  [9 * 365 * DAY + DAY, '9y'],
])('humanDuration(%d) is %s', (durationMs, text) => {
  expect(humanDuration(durationMs)).toBe(text);
});

test('ages of timestamps', () => {
  const nowMs = parseTime('2026-01-02T00:00:00Z') ?? 0;
  expect(timestampSince('2026-01-01T23:00:00Z', nowMs)).toBe('60m');
  expect(timestampUntil('2026-01-02T00:00:05Z', nowMs)).toBe('5s');
  expect(timestampSince(undefined, nowMs)).toBe('<unknown>');
});
