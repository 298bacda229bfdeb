import { expect, test } from 'vitest';
import { parseTime } from '../clock/clock.ts';
import { VirtualClock } from '../clock/virtual-clock.ts';
import { silentLogger, textLogger } from './logger.ts';

test('textLogger writes lines as klog does', () => {
  const lines: string[] = [];
  const clock = new VirtualClock({ startMs: (parseTime('2026-11-23T20:54:37Z') ?? 0) + 120 });
  const log = textLogger({ write: (line) => lines.push(line), clock, verbosity: 2 }).with({ pod: 'a/b' });
  log.info('Started container', { count: 2, error: new Error('no "luck"') });
  log.debug('seen');
  log.debug('not seen', {}, 4);
  log.warn('careful');
  log.error('gone');
  const head = String.raw`1123 20:54:37\.120000 +[0-9]+ tiphys\]`;
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(
    new RegExp(String.raw`^I${head} "Started container" pod="a/b" count=2 error="no \\"luck\\""\n$`),
  );
  expect(lines.map((line) => line[0])).toEqual(['I', 'I', 'W', 'E']);
  expect(silentLogger.with({ a: 1 })).toBe(silentLogger);
});
