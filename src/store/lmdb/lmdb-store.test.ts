import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { testStoreContract } from '../contract-suite.ts';
import { CompactedError, StoreFullError, StoreOpenError, StoreUnavailableError } from '../errors.ts';
import type { Store, StoreEvent } from '../store.ts';
import { FaultDisk } from './fault-disk.ts';
import { type LmdbStoreOptions, openLmdbStore } from './lmdb-store.ts';

const directory = mkdtempSync(join(tmpdir(), 'tiphys-store-'));
let opened = 0;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

testStoreContract('lmdb', ({ clock }) => openLmdbStore({ path: newPath(), clock }));

describe('LmdbStore with a disk that fails', () => {
  test('decides at once, shows only what is durable', async () => {
    const { store, disk, events } = await openWithFaults();
    disk.hold();
    const first = put(store, '/a', '1', 0);
    const second = put(store, '/a', '2', 2);
    const lost = store.commit({ key: '/a', value: bytes('3'), expectedRevision: 0 });
    await turns();
    expect(store.head()).toBe(1);
    expect((await store.get('/a')).kv).toBeUndefined();
    expect((await store.list({ prefix: '/' })).items).toEqual([]);
    expect(events).toEqual([]);
    disk.release();
    expect(await Promise.all([first, second])).toEqual([2, 3]);
    expect(await lost).toMatchObject({ type: 'conflict', current: { modRevision: 3 } });
    expect(events.map(({ kv }) => kv.modRevision)).toEqual([2, 3]);
    await store.close();
  });

  test('writes what comes during a flush as one batch after it', async () => {
    const { store, disk } = await openWithFaults();
    disk.hold();
    const first = put(store, '/first', '1', 0);
    await turns();
    const rest = Array.from({ length: 50 }, (_, i) => put(store, `/k${i}`, 'v', 0));
    disk.release();
    await Promise.all([first, ...rest]);
    expect(disk.batches.map(({ writes }) => writes.length)).toEqual([1, 50]);
    await store.close();
  });

  test('fails everything proposed after the durable head with a failed batch, and goes on from there', async () => {
    const { store, disk, events } = await openWithFaults();
    const head = await put(store, '/a', '1', 0);
    disk.hold();
    disk.fault = { type: 'refuse', error: new Error('MDB_BAD: injected') };
    const inBatch = [put(store, '/a', '2', head), put(store, '/b', '1', 0)];
    await turns();
    const later = [put(store, '/a', '3', head + 1), put(store, '/c', '1', 0)];
    const retried = store.commit({ key: '/b', value: bytes('winner'), expectedRevision: 0 });
    disk.release();
    const results = await Promise.allSettled([...inBatch, ...later]);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(results.map((result) => result.status === 'rejected' && result.reason)).toEqual(
      results.map(() => expect.any(StoreUnavailableError)),
    );
    disk.fault = { type: 'none' };
    await retried.catch(() => undefined);
    expect((await store.get('/a')).kv?.modRevision).toBe(head);
    expect(await put(store, '/a', '2', head)).toBe(store.head());
    expect(events.map(({ kv }) => kv.modRevision)).toEqual(revisionsFrom(2, store.head()));
    await store.close();
  });

  test('decides a conflict anew where the write it lost against was never made', async () => {
    const { store, disk } = await openWithFaults();
    disk.hold();
    disk.fault = { type: 'refuse', error: new Error('injected') };
    const first = put(store, '/a', 'loser', 0);
    const second = put(store, '/a', 'winner', 0);
    await turns();
    void first.catch(() => {
      disk.fault = { type: 'none' };
    });
    disk.release();
    await expect(first).rejects.toThrow(StoreUnavailableError);
    expect(await second).toBe(2);
    expect(text((await store.get('/a')).kv?.value)).toBe('winner');
    await store.close();
  });

  test('shows a batch that was reported as failed but was written, once, and says so to nobody as success', async () => {
    const { store, disk, events, path } = await openWithFaults();
    disk.fault = { type: 'half-done', error: new Error('injected after the write') };
    await expect(put(store, '/a', '1', 0)).rejects.toThrow('whether the write happened is unknown');
    expect(text((await store.get('/a')).kv?.value)).toBe('1');
    expect(events.map(({ kv }) => kv.modRevision)).toEqual([2]);
    disk.fault = { type: 'none' };
    expect(await put(store, '/a', '2', 2)).toBe(3);
    await store.close();
    await using again = await openLmdbStore({ path, clock: new VirtualClock() });
    expect((await again.get('/a')).kv).toMatchObject({ modRevision: 3, version: 2 });
  });

  test.each(['MDB_MAP_FULL: Environment mapsize limit reached', 'No space left on device'])(
    'goes on reading when the disk is full (%s), and writing when there is room again',
    async (message) => {
      const { store, disk } = await openWithFaults();
      await put(store, '/a', '1', 0);
      disk.fault = { type: 'refuse', error: new Error(message) };
      await expect(put(store, '/b', '1', 0)).rejects.toThrow(StoreFullError);
      await expect(put(store, '/b', '1', 0)).rejects.toThrow('free some space');
      expect((await store.list({ prefix: '/' })).count).toBe(1);
      disk.fault = { type: 'none' };
      expect(await put(store, '/b', '1', 0)).toBe(3);
      await store.close();
    },
  );

  test('refuses writes before the file system is full, but not reads and deletes', async () => {
    let free = 1e9;
    const freeBytes = () => free;
    await using store = await openLmdbStore({ path: newPath(), clock: new VirtualClock(), freeBytes });
    await put(store, '/a', '1', 0);
    free = 10_000_000;
    await expect(put(store, '/b', '1', 0)).rejects.toThrow(StoreFullError);
    await expect(put(store, '/b', '1', 0)).rejects.toThrow('10000000 bytes left');
    expect((await store.list({ prefix: '/' })).count).toBe(1);
    expect(await store.commit({ key: '/a', value: undefined, expectedRevision: 2 })).toMatchObject({ revision: 3 });
    free = 1e9;
    expect(await put(store, '/b', '1', 0)).toBe(4);
  });

  test('keeps what it could not remove for the next time', async () => {
    const { store, disk } = await openWithFaults();
    let revision = 0;
    for (let count = 0; count < 20; count++) revision = await put(store, '/a', 'x', revision);
    disk.fault = { type: 'refuse', error: new Error('injected') };
    await expect(store.compact(revision)).rejects.toThrow(StoreUnavailableError);
    expect(store.compactedRevision()).toBe(revision);
    disk.fault = { type: 'none' };
    await store.compact(revision);
    expect(disk.batches.at(-1)?.compactedRevision).toBe(revision);
    expect([...disk.records()].map(({ modRevision }) => modRevision)).toEqual([revision]);
    await store.close();
  });

  test('removes old records in bounded steps', async () => {
    const { store, disk } = await openWithFaults();
    let revision = 0;
    for (let count = 0; count < 700; count++) revision = await put(store, '/a', 'x', revision);
    await store.compact(revision);
    const removals = disk.batches.map((batch) => batch.removals.length).filter((count) => count > 0);
    expect(Math.max(...removals)).toBeLessThanOrEqual(256);
    expect([...disk.records()]).toHaveLength(1);
    await store.close();
  });
});

describe('LmdbStore on disk', () => {
  test('finds everything again: keys, history, versions and times to live', async () => {
    const path = newPath();
    const clock = new VirtualClock();
    const store = await openLmdbStore({ path, clock });
    const first = await put(store, '/a', '1', 0);
    const second = await put(store, '/a', '2', first);
    await store.commit({ key: '/gone', value: bytes('x'), expectedRevision: 0 });
    await store.commit({ key: '/gone', value: undefined, expectedRevision: second + 1 });
    await store.commit({ key: '/short', value: bytes('x'), expectedRevision: 0, ttlSeconds: 60 });
    const head = await store.head();
    await store.close();

    await using again = await openLmdbStore({ path, clock });
    expect(again.head()).toBe(head);
    expect((await again.get('/a')).kv).toMatchObject({ createRevision: first, modRevision: second, version: 2 });
    expect(text((await again.get('/a', { revision: first })).kv?.value)).toBe('1');
    const { events, changed } = await recordAll(again);
    expect(events.map(({ type, kv }) => `${type} ${kv.key}`)).toEqual([
      'put /a',
      'put /a',
      'put /gone',
      'delete /gone',
      'put /short',
    ]);
    clock.advance(61_000);
    await changed();
    expect(events.at(-1)).toMatchObject({ type: 'delete', kv: { key: '/short' } });
  });

  test('stays compacted, and forgets history on its own', async () => {
    const path = newPath();
    const clock = new VirtualClock();
    const store = await openLmdbStore({ path, clock, historyBytesMax: 50_000 });
    let revision = 0;
    for (let count = 0; count < 300; count++) revision = await put(store, '/a', 'x'.repeat(1000), revision);
    const kept = await put(store, '/b', 'y', 0);
    const compacted = store.compactedRevision();
    expect(compacted).toBeGreaterThan(revision - 60);
    await store.close();
    await using again = await openLmdbStore({ path, clock });
    expect(again.compactedRevision()).toBeGreaterThanOrEqual(compacted - 2);
    await expect(again.get('/a', { revision: compacted - 10 })).rejects.toThrow(CompactedError);
    expect((await again.get('/a', { revision: revision - 10 })).kv?.modRevision).toBe(revision - 10);
    expect(await again.head()).toBe(kept);
  });

  test('refuses a directory that a living process uses, and names it', async () => {
    const path = newPath();
    await using store = await openLmdbStore({ path, clock: new VirtualClock() });
    await expect(openLmdbStore({ path, clock: new VirtualClock() })).rejects.toThrow(`process ${process.pid} is using`);
    expect(await put(store, '/a', '1', 0)).toBe(2);
  });

  test.each([
    ['a process that is gone', () => ({ pid: 2 ** 22 + 1, started: '1', boot: bootId() })],
    ['a process whose pid belongs to another one now', () => ({ pid: process.pid, started: '1', boot: bootId() })],
    ['a time before the machine was restarted', () => ({ pid: process.pid, started: '1', boot: 'another' })],
    ['nobody in particular', () => undefined],
  ])('breaks the lock of %s', async (_, holder) => {
    const path = newPath();
    await (await openLmdbStore({ path, clock: new VirtualClock() })).close();
    writeFileSync(join(path, 'lock'), JSON.stringify(holder()) ?? '');
    await using store = await openLmdbStore({ path, clock: new VirtualClock() });
    expect(await put(store, '/a', '1', 0)).toBe(2);
  });

  test('refuses another format, a foreign database, a file and a missing database with what to do', async () => {
    const open = (path: string) => openLmdbStore({ path, clock: new VirtualClock() });
    const path = newPath();
    await (await open(path)).close();
    writeFileSync(join(path, 'format'), 'tiphys-store 7\n');
    await expect(open(path)).rejects.toThrow(
      'its format is "tiphys-store 7" and this program reads "tiphys-store 1"; use the version of the program',
    );
    rmSync(join(path, 'format'));
    await expect(open(path)).rejects.toThrow('something else wrote it');
    writeFileSync(join(path, 'format'), 'tiphys-store 1\n');
    rmSync(join(path, 'data.mdb'));
    await expect(open(path)).rejects.toThrow('"data.mdb" is missing');
    const file = newPath();
    writeFileSync(file, 'not a directory');
    await expect(open(file)).rejects.toThrow('choose a directory that this user can write to');
  });

  test.each([
    ['garbage', (file: string) => writeFileSync(file, 'x'.repeat(50_000))],
    ['cut short', (file: string) => truncateSync(file, 20_000)],
  ])('refuses a damaged database (%s) and lets go of the directory', async (_, damage) => {
    const path = await filledPath();
    damage(join(path, 'data.mdb'));
    const open = openLmdbStore({ path, clock: new VirtualClock() });
    await expect(open).rejects.toThrow(StoreOpenError);
    await expect(open).rejects.toThrow('restore it from a backup');
    await expect(openLmdbStore({ path, clock: new VirtualClock() })).rejects.not.toThrow('is using it');
  });

  test('refuses a log with a gap', async () => {
    const path = await filledPath();
    const wrapDisk: LmdbStoreOptions['wrapDisk'] = (disk) => {
      const gappy = new FaultDisk(disk);
      const all = [...disk.records()];
      gappy.records = () => all.filter((_, index) => index !== 5);
      return gappy;
    };
    await expect(openLmdbStore({ path, clock: new VirtualClock(), wrapDisk })).rejects.toThrow(
      'is missing from the log',
    );
  });

  test('notices a damaged value and says which', async () => {
    const path = await filledPath();
    const file = join(path, 'data.mdb');
    const at = readFileSync(file).indexOf('value of /k7 ');
    writeSync(openSync(file, 'r+'), 'V', at);
    await using store = await openLmdbStore({ path, clock: new VirtualClock() });
    await expect(store.get('/k7')).rejects.toThrow('the value of "/k7" at revision 9 is damaged on disk');
    expect((await store.get('/k8')).kv).toBeDefined();
    const events: StoreEvent[] = [];
    const onBatch = (batch: { events: readonly StoreEvent[] }) => events.push(...batch.events);
    const subscribe = store.subscribe({ prefix: '/', afterRevision: 1, onBatch, onEnd: () => undefined });
    await expect(subscribe).rejects.toThrow('damaged on disk');
    events.length = 0;
    await put(store, '/later', '1', 0);
    expect(events).toEqual([]);
  });
});

function newPath(): string {
  return join(directory, String(++opened));
}

/** A closed store of ten keys with values of 4 KB. */
async function filledPath(): Promise<string> {
  const path = newPath();
  await using store = await openLmdbStore({ path, clock: new VirtualClock() });
  for (let i = 0; i < 10; i++) await put(store, `/k${i}`, `value of /k${i} `.repeat(300), 0);
  return path;
}

async function openWithFaults() {
  const path = newPath();
  let disk: FaultDisk | undefined;
  const wrapDisk: LmdbStoreOptions['wrapDisk'] = (real) => (disk = new FaultDisk(real));
  const store = await openLmdbStore({ path, clock: new VirtualClock(), wrapDisk });
  const { events } = await recordAll(store);
  return { store, disk: disk!, events, path };
}

async function recordAll(store: Store): Promise<{ events: StoreEvent[]; changed: () => Promise<void> }> {
  const events: StoreEvent[] = [];
  let next = Promise.withResolvers<void>();
  await store.subscribe({
    prefix: '/',
    afterRevision: 0,
    onBatch: (batch) => {
      events.push(...batch.events);
      next.resolve();
    },
    onEnd: () => undefined,
  });
  const changed = () => {
    next = Promise.withResolvers<void>();
    return next.promise;
  };
  return { events, changed };
}

/** Lets everything run that waits for nothing but promises. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

async function put(store: Store, key: string, value: string, expectedRevision: number): Promise<number> {
  const result = await store.commit({ key, value: bytes(value), expectedRevision });
  if (result.type !== 'committed') throw new Error(`unexpected conflict on ${key}`);
  return result.revision;
}

function revisionsFrom(first: number, last: number | Promise<number>): number[] {
  return Array.from({ length: Number(last) - first + 1 }, (_, index) => first + index);
}

function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(value: Uint8Array | undefined): string {
  return new TextDecoder().decode(value);
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
