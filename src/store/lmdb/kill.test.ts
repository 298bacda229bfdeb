import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import { openLmdbStore } from './lmdb-store.ts';

const KILLS = 50;
const ACKS_BEFORE_KILL_MAX = 150;
const SEED = 20_260_101;

const directory = mkdtempSync(join(tmpdir(), 'tiphys-kill-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What the store holds at a revision, as `KEY VALUE`. */
type Log = Map<number, string>;

test(`a store whose process is killed ${KILLS} times loses nothing acknowledged and holds nothing else (seed ${SEED})`, {
  timeout: 120_000,
}, async () => {
  const random = new SeededRandom(SEED);
  const path = join(directory, 'store');
  let verified = 1;
  for (let run = 0; run < KILLS; run++) {
    const printed = await writeUntilKilled({ path, run: `${run}`, acks: 1 + random.int(ACKS_BEFORE_KILL_MAX) });
    const log = await readLog(path, verified);
    for (const [revision, text] of printed.acknowledged) {
      expect(log.get(revision), `run ${run}, revision ${revision}`).toBe(text);
    }
    const untried = [...log.values()].filter((text) => !printed.tried.has(text.slice(text.indexOf(' ') + 1)));
    expect(untried, `run ${run}`).toEqual([]);
    verified += log.size;
    expect([...log.keys()].at(-1), `run ${run}`).toBe(verified);
  }
  expect(verified).toBeGreaterThan(KILLS * 10);
});

interface Printed {
  readonly tried: Set<string>;
  readonly acknowledged: Log;
}

/** Starts a writer and kills it once it has printed that many acknowledgements. */
async function writeUntilKilled(options: { path: string; run: string; acks: number }): Promise<Printed> {
  const { path, run, acks } = options;
  const writer = join(import.meta.dirname, 'kill-writer.ts');
  const child = spawn(process.execPath, [writer, path, run], { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise<NodeJS.Signals | null>((resolve) => child.on('close', (_, signal) => resolve(signal)));
  const tried = new Set<string>();
  const acknowledged: Log = new Map();
  let rest = '';
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [verb, first = '', ...others] = line.split(' ');
      if (verb === 'try') tried.add(first);
      else acknowledged.set(Number(first), others.join(' '));
    }
    if (acknowledged.size >= acks) child.kill('SIGKILL');
  });
  const signal = await closed;
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${stderr}`);
  return { tried, acknowledged };
}

/** Every write after a revision, from the store as the killed process left it. */
async function readLog(path: string, afterRevision: number): Promise<Log> {
  await using store = await openLmdbStore({ path, clock: new VirtualClock(), historyBytesMax: 1_000_000_000 });
  const log: Log = new Map();
  await store.subscribe({
    prefix: '/kill/',
    afterRevision,
    onBatch: ({ events }) => {
      for (const { type, kv } of events) {
        const value = type === 'delete' ? '-' : new TextDecoder().decode(kv.value).replace(/x*$/, '');
        log.set(kv.modRevision, `${kv.key} ${value}`);
      }
    },
    onEnd: () => undefined,
  });
  return log;
}
