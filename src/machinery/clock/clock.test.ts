import { describe, expect, test } from 'vitest';
import { formatMicroTime, formatTime, parseTime } from './clock.ts';
import { RealClock } from './real-clock.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('VirtualClock', () => {
  test('fires timers in the order of their times, then of their creation', () => {
    const clock = new VirtualClock({ startMs: 0 });
    const seen: string[] = [];
    clock.setTimeout(() => seen.push('b'), 10);
    clock.setTimeout(() => {
      seen.push('a');
      clock.setTimeout(() => seen.push('nested'), 1);
    }, 5);
    clock.setTimeout(() => seen.push('c'), 10);
    clock.advance(10);
    expect(seen).toEqual(['a', 'nested', 'b', 'c']);
    expect(clock.now()).toBe(10);
  });

  test('forgets cancelled timers, however many', () => {
    const clock = new VirtualClock();
    let fired = 0;
    const timers = Array.from({ length: 1000 }, () => clock.setTimeout(() => (fired += 1), 10));
    for (const [index, timer] of timers.entries()) if (index % 10 !== 0) timer.cancel();
    timers[1]?.cancel();
    clock.advance(10);
    expect(fired).toBe(100);
    expect(clock.nextTimerAt()).toBeUndefined();
  });

  test('sleep ends with its signal', async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const asleep = clock.sleep(1000, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(asleep).rejects.toThrow('enough');
    expect(clock.nextTimerAt()).toBeUndefined();
    await expect(clock.sleep(1, { signal: controller.signal })).rejects.toThrow('enough');
    const slept = clock.sleep(5);
    clock.advance(5);
    await slept;
  });
});

describe('RealClock', () => {
  test('fires, and does not once cancelled', async () => {
    const clock = new RealClock();
    let isFired = false;
    clock.setTimeout(() => (isFired = true), 1).cancel();
    const before = clock.monotonic();
    await clock.sleep(2);
    expect(isFired).toBe(false);
    expect(clock.monotonic()).toBeGreaterThan(before);
    using timer = clock.setTimeout(() => undefined, 2 ** 40, { unref: true });
    timer.cancel();
  });
});

test('times are written and read as RFC 3339', () => {
  const epochMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  expect(formatTime(epochMs)).toBe('2026-01-02T03:04:05Z');
  expect(formatMicroTime(epochMs)).toBe('2026-01-02T03:04:05.678000Z');
  expect(parseTime('2026-01-02T03:04:05Z')).toBe(epochMs - 678);
  expect(parseTime('never')).toBeUndefined();
});
