import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { VirtualClock } from '#machinery/clock/virtual-clock.ts';

import { LogWriter } from './log-writer.ts';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-log-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('LogWriter', () => {
  test('writes lines with time, stream and tag', async () => {
    const path = join(directory, 'pod/0.log');
    const log = new LogWriter(path, { clock: new VirtualClock({ startMs: 1_700_000_000_123 }) });
    log.write('stdout', Buffer.from('one\ntw'));
    log.write('stderr', Buffer.from('oops\n'));
    log.write('stdout', Buffer.from('o\nrest'));
    log.end();
    expect((await readFile(path, 'utf8')).split('\n')).toEqual([
      '2023-11-14T22:13:20.123000000Z stdout F one',
      '2023-11-14T22:13:20.123000000Z stderr F oops',
      '2023-11-14T22:13:20.123000000Z stdout F two',
      '2023-11-14T22:13:20.123000000Z stdout P rest',
      '',
    ]);
  });

  test('keeps every byte of one stream, however it is cut', async () => {
    const chunks = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'x'.repeat(9000)), maxLength: 6 }), {
      maxLength: 8,
    });
    let run = 0;
    const property = fc.asyncProperty(chunks, async (texts) => {
      run += 1;
      const path = join(directory, `${run}.log`);
      const log = new LogWriter(path, { clock: new VirtualClock({ startMs: 0 }) });
      for (const text of texts) log.write('stdout', Buffer.from(text));
      log.end();
      const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
      const content = lines.map((line) => {
        const [, , tag, ...rest] = line.split(' ');
        return rest.join(' ') + (tag === 'F' ? '\n' : '');
      });
      expect(content.join('')).toBe(texts.join(''));
      expect(Math.max(0, ...lines.map((line) => line.length))).toBeLessThan(16 * 1024 + 50);
    });
    await fc.assert(property, { numRuns: 50 });
  });

  test('goes on in a fresh file', async () => {
    const path = join(directory, '0.log');
    const log = new LogWriter(path, { clock: new VirtualClock({ startMs: 0 }) });
    log.write('stdout', Buffer.from('before\n'));
    await rename(path, `${path}.1`);
    log.reopen(path);
    log.write('stdout', Buffer.from('after\n'));
    log.end();
    expect(await readFile(path, 'utf8')).toContain('stdout F after');
    expect(await readFile(`${path}.1`, 'utf8')).toContain('stdout F before');
  });
});
