import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { NodeFiles } from '../../host/node-files.ts';
import { formatLogLine, parseLogLine } from './cri-log.ts';
import { type LogOptions, readLog } from './read-log.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tiphys-logs-'));
  path = join(directory, '0.log');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const at = (second: number) => `2026-01-01T00:00:0${second}.123456789Z`;
const PLAIN: LogOptions = { follow: false, timestamps: false };

async function text(options: Partial<LogOptions>): Promise<string> {
  const source = {
    files: new NodeFiles(),
    clock: new VirtualClock(),
    path,
    isRunning: async () => false,
    signal: new AbortController().signal,
  };
  const pieces: Uint8Array[] = [];
  for await (const piece of readLog(source, { ...PLAIN, ...options })) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('readLog', () => {
  beforeEach(async () => {
    const lines = [1, 2, 3].map((second) =>
      formatLogLine(at(second), second === 2 ? 'stderr' : 'stdout', `line ${second}`),
    );
    await writeFile(path, lines.join(''));
  });

  test.each<[string, Partial<LogOptions>, string]>([
    ['everything', {}, 'line 1\nline 2\nline 3\n'],
    ['with times', { timestamps: true, tailLines: 1 }, `${at(3)} line 3\n`],
    ['the last lines', { tailLines: 2 }, 'line 2\nline 3\n'],
    ['no line', { tailLines: 0 }, ''],
    ['more lines than there are', { tailLines: 9 }, 'line 1\nline 2\nline 3\n'],
    ['from a time on', { sinceMs: 1_767_225_602_000 }, 'line 2\nline 3\n'],
    ['one stream', { stream: 'stderr' }, 'line 2\n'],
    ['at most so many bytes', { limitBytes: 9 }, 'line 1\nli'],
    ['to the end of a container that does not run', { follow: true }, 'line 1\nline 2\nline 3\n'],
  ])('reads %s', async (_name, options, expected) => {
    expect(await text(options)).toBe(expected);
  });

  test('joins the parts of a long line', async () => {
    await writeFile(path, `${at(1)} stdout P long \n${at(2)} stdout F line\nrubbish\n`);
    expect(await text({ timestamps: true })).toBe(`${at(1)} long line\n`);
  });

  test('follows what is appended and a file that takes its place', async () => {
    let isRunning = true;
    let steps = 0;
    const files = new NodeFiles();
    // Each wait of the reader is one more thing that happens to the log.
    const clock = new (class extends VirtualClock {
      override async sleep(): Promise<void> {
        steps += 1;
        if (steps === 1) await appendFile(path, formatLogLine(at(4), 'stdout', 'appended'));
        if (steps === 2) {
          await rename(path, `${path}.old`);
          await writeFile(path, formatLogLine(at(5), 'stdout', 'rotated'));
        }
        if (steps === 3) isRunning = false;
      }
    })();
    const { signal } = new AbortController();
    const source = { files, clock, path, isRunning: async () => isRunning, signal };
    let seen = '';
    for await (const piece of readLog(source, { ...PLAIN, follow: true, tailLines: 1 }))
      seen += Buffer.from(piece).toString();
    expect(seen).toBe('line 3\nappended\nrotated\n');
  });
});

describe('parseLogLine', () => {
  test.each([
    ['2026-01-01T00:00:00Z stdout F hello world', 'hello world'],
    ['2026-01-01T00:00:00Z stdout F:tag hello', 'hello'],
    ['2026-01-01T00:00:00Z stdout F', ''],
    ['2026-01-01T00:00:00Z stdout F ', ''],
  ])('reads %s', (line, content) => {
    expect(Buffer.from(parseLogLine(Buffer.from(line))?.content ?? 'none').toString()).toBe(content);
  });

  test('refuses what is no record', () => {
    expect(parseLogLine(Buffer.from('hello world'))).toBeUndefined();
  });
});
