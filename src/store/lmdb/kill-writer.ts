import { writeSync } from 'node:fs';
import { RealClock } from '#machinery/clock/real-clock.ts';
import type { Store } from '../store.ts';
import { openLmdbStore } from './lmdb-store.ts';

/*
 * The child of the kill test: writes to the store in argv[2] until it is killed. Before each write it prints
 * `try VALUE`, and after the store acknowledged it `ack REVISION KEY VALUE`; deletes have the value `-`. argv[3] names
 * this run, so that values are unique.
 */

const WRITERS = 16;
const KEYS_PER_WRITER = 3;

const [, , path = '', run = ''] = process.argv;
const store = await openLmdbStore({ path, clock: new RealClock(), historyBytesMax: 1_000_000_000 });
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => writeForever(store, writer)));

async function writeForever(target: Store, writer: number): Promise<never> {
  for (let count = 0; ; count++) {
    const key = `/kill/${writer}/${count % KEYS_PER_WRITER}`;
    const { kv } = await target.get(key);
    const isDelete = kv !== undefined && count % 7 === 6;
    const value = isDelete ? '-' : `${run}.${writer}.${count}.${'x'.repeat((writer * 997) % 5000)}`;
    writeSync(1, `try ${label(value)}\n`);
    const result = await target.commit({
      key,
      value: isDelete ? undefined : new TextEncoder().encode(value),
      expectedRevision: kv?.modRevision ?? 0,
    });
    if (result.type !== 'committed') throw new Error(`conflict on ${key}, which nobody else writes`);
    writeSync(1, `ack ${result.revision} ${key} ${label(value)}\n`);
  }
}

/** The value without its padding. */
function label(value: string): string {
  return value.replace(/x*$/, '');
}
