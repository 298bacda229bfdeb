import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { SystemRandom } from '#machinery/random/system-random.ts';
import { testStoreContract } from '../contract-suite.ts';
import { CompactedError } from '../errors.ts';
import { MemoryStore } from '../memory/memory-store.ts';
import { MIGRATION_KEY, migrateStore } from '../migrate/migrate-store.ts';
import type { Store, StoreEvent } from '../store.ts';
import { Compactor } from './compactor.ts';
import { EtcdClient } from './etcd-client.ts';
import { openEtcdStore } from './etcd-store.ts';
import { EtcdCluster, missingEtcd } from './testing/etcd-process.ts';

const missing = missingEtcd();
const clock = new RealClock();
const random = new SystemRandom();
let cluster: EtcdCluster;
let count = 0;

beforeAll(async () => {
  if (missing !== undefined) return;
  // The contract's largest value must fit a request, and sizes show at once.
  cluster = await EtcdCluster.start({ flags: ['--max-request-bytes=2000000', '--backend-batch-limit=1'] });
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

/** Another part of the one etcd for each store. */
function open(prefix = `/test-${count++}`): Promise<Store> {
  return openEtcdStore({ endpoints: cluster.endpoints, prefix, root: '' }, { clock, random });
}

describe.skipIf(missing !== undefined)(`etcd${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  testStoreContract('etcd', () => open(), { time: 'real' });

  test('a consistent read comes back although a key of somebody else raised the revision', async () => {
    await using mine = await open();
    await using other = await open();
    const seen: number[] = [];
    await mine.subscribe({
      prefix: '/',
      afterRevision: await mine.head(),
      onBatch: ({ revision }) => seen.push(revision),
      onEnd: () => undefined,
    });
    const written = await other.commit({ key: '/x', value: Buffer.from('1'), expectedRevision: 0 });
    const head = await mine.head();
    expect(written).toMatchObject({ type: 'committed' });
    expect(head).toBeGreaterThanOrEqual(written.type === 'committed' ? written.revision : 0);
    expect(seen.at(-1)).toBeGreaterThanOrEqual(head);
    expect((await mine.list({ prefix: '/' })).count).toBe(0);
  });

  test('two stores on one prefix see each other', async () => {
    const prefix = '/shared';
    await using first = await open(prefix);
    await using second = await open(prefix);
    const keys: string[] = [];
    await second.subscribe({
      prefix: '/',
      afterRevision: await second.head(),
      onBatch: ({ events }) => keys.push(...events.map(({ kv }) => kv.key)),
      onEnd: () => undefined,
    });
    await first.commit({ key: '/a', value: Buffer.from('1'), expectedRevision: 0 });
    await second.head();
    expect(keys).toEqual(['/a']);
  });

  test('a batch of history that is larger than a message comes whole', async () => {
    await using store = await open();
    const start = await store.head();
    const value = Buffer.alloc(900_000, 'x');
    for (let index = 0; index < 6; index++) {
      await store.commit({ key: `/big/${index}`, value, expectedRevision: 0 });
    }
    const events: StoreEvent[] = [];
    await store.subscribe({
      prefix: '/big/',
      afterRevision: start,
      onBatch: (batch) => events.push(...batch.events),
      onEnd: () => undefined,
    });
    expect(events.map(({ kv }) => [kv.key, kv.value.length])).toEqual(
      Array.from({ length: 6 }, (_, index) => [`/big/${index}`, 900_000]),
    );
  });

  test('keys of one lease go together, and subscribers are told of each', async () => {
    await using store = await open();
    const deleted: string[] = [];
    const isDone = Promise.withResolvers<void>();
    await store.subscribe({
      prefix: '/',
      afterRevision: await store.head(),
      onBatch: ({ events }) => {
        for (const { type, kv } of events) if (type === 'delete') deleted.push(kv.key);
        if (deleted.length === 3) isDone.resolve();
      },
      onEnd: () => undefined,
    });
    const keys = ['/a', '/b', '/c'];
    for (const key of keys) {
      await store.commit({ key, value: Buffer.from('1'), expectedRevision: 0, ttlSeconds: 1 });
    }
    await isDone.promise;
    expect(deleted.toSorted()).toEqual(keys);
  });

  test('one of several servers compacts, to where it was an interval ago', async () => {
    await using store = await open();
    const client = new EtcdClient({ endpoints: cluster.endpoints }, { clock });
    const compacted: string[] = [];
    const compactors = ['first', 'second'].map(
      (name) =>
        new Compactor(
          {
            client,
            clock,
            compact: async (revision) => {
              compacted.push(name);
              await store.compact(revision);
            },
          },
          3_600_000,
        ),
    );
    for (let turn = 0; turn < 4; turn++) {
      await store.commit({ key: `/turn-${turn}`, value: Buffer.from('1'), expectedRevision: 0 });
      for (const compactor of compactors) await compactor.compactInTurn();
    }
    expect(compacted.length).toBeGreaterThanOrEqual(3);
    expect(compacted.length).toBeLessThanOrEqual(4);
    expect(store.compactedRevision()).toBeLessThan(await store.head());
    expect(store.compactedRevision()).toBeGreaterThan(0);
    for (const compactor of compactors) compactor.close();
    client.close();
  });

  test.each([
    ['memory', 'etcd'],
    ['etcd', 'memory'],
  ])('a migration from %s to %s copies all, compares, and lets no revision go back', async (from, to) => {
    await using source = from === 'etcd' ? await openRegistry() : memory();
    await using target = to === 'etcd' ? await openRegistry() : memory();
    for (let index = 0; index < 40; index++) {
      await source.commit({ key: `/registry/a/${index}`, value: Buffer.from(`${index}`), expectedRevision: 0 });
    }
    await source.commit({ key: '/registry/left/out', value: Buffer.from('x'), expectedRevision: 0 });
    for (let index = 0; index < 300 && from === 'memory'; index++) {
      const { kv } = await source.get('/registry/a/1');
      await source.commit({ key: '/registry/a/1', value: Buffer.from('y'), expectedRevision: kv?.modRevision ?? 0 });
    }
    // What an interrupted migration left is no reason to refuse.
    await target.commit({ key: MIGRATION_KEY, value: Buffer.from('x'), expectedRevision: 0 });
    await target.commit({ key: '/registry/a/half', value: Buffer.from('x'), expectedRevision: 0 });
    const options = { isLeftOut: (key: string) => key.startsWith('/registry/left/') };
    const result = await migrateStore({ source, target }, options);
    expect(result.keys).toBe(40);
    expect(result.targetRevision).toBeGreaterThan(result.sourceRevision);
    const copied = await target.list({ prefix: '/registry/' });
    const original = await source.list({ prefix: '/registry/a/' });
    expect(copied.items.map(({ key, value }) => [key, Buffer.from(value).toString()])).toEqual(
      original.items.map(({ key, value }) => [key, Buffer.from(value).toString()]),
    );
    await expect(target.list({ prefix: '/registry/', revision: result.sourceRevision })).rejects.toThrow(
      CompactedError,
    );
    // As after a kill between the last write and the note of it.
    expect((await migrateStore({ source, target }, options)).hash).toBe(result.hash);
    await target.commit({ key: '/registry/a/later', value: Buffer.from('x'), expectedRevision: 0 });
    await expect(migrateStore({ source, target }, options)).rejects.toThrow('the target is not empty');
  });
});

function openRegistry(): Promise<Store> {
  const prefix = `/registry-${count++}`;
  return openEtcdStore({ endpoints: cluster.endpoints, prefix }, { clock, random });
}

function memory(): Store {
  return new MemoryStore({ clock });
}
