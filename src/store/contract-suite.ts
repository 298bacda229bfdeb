import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { CompactedError, FutureRevisionError, StoreClosedError, ValueTooLargeError } from './errors.ts';
import { type KeyValue, type Store, type StoreEvent, type StoreEventBatch, VALUE_BYTES_MAX } from './store.ts';

/** Makes an empty store that takes its time from `clock`. The suite closes it. */
export type OpenStore = (deps: { clock: VirtualClock }) => Promise<Store>;

export interface ContractOptions {
  /** How the backend's time passes: with the virtual clock, or by itself where another program keeps it. */
  readonly time?: 'virtual' | 'real';
}

/** What every backend must do. A backend's own tests add what only it promises (durability, faults). */
export function testStoreContract(name: string, open: OpenStore, options: ContractOptions = {}): void {
  const withStore = (use: (store: Store, clock: VirtualClock) => Promise<void>) => async () => {
    const clock = new VirtualClock();
    await using store = await open({ clock });
    await use(store, clock);
  };
  describe(`${name} store`, () => {
    testWrites(withStore);
    testTimeToLive(withStore, options.time ?? 'virtual');
    testReads(withStore);
    testSubscriptions(withStore);
    testHistory(withStore);
    testLifetime(withStore);
    test('agrees with a slow model on random operations', { timeout: 60_000 }, async () => {
      const property = fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
        await using store = await open({ clock: new VirtualClock() });
        await new ModelRun(store, await store.head()).run(operations);
      });
      await expect(fc.assert(property, { numRuns: 40, seed: 20_260_101 })).resolves.toBeUndefined();
    });
  });
}

type WithStore = (use: (store: Store, clock: VirtualClock) => Promise<void>) => () => Promise<void>;

function testWrites(withStore: WithStore): void {
  test(
    'creates a key once, with the next revision',
    withStore(async (store) => {
      const head = await store.head();
      const created = await store.commit({ key: '/a', value: bytes('1'), expectedRevision: 0 });
      expect(created).toEqual({ type: 'committed', revision: head + 1 });
      const again = await store.commit({ key: '/a', value: bytes('2'), expectedRevision: 0 });
      expect(plainResult(again)).toEqual({ type: 'conflict', current: ['/a', '1', head + 1, head + 1, 1] });
      expect(await store.head()).toBe(head + 1);
    }),
  );

  test(
    'updates only from the last revision and answers with what was there before',
    withStore(async (store) => {
      const first = await put(store, '/a', '1', 0);
      const second = await store.commit({ key: '/a', value: bytes('2'), expectedRevision: first });
      expect(plainResult(second)).toEqual({
        type: 'committed',
        revision: first + 1,
        previous: ['/a', '1', first, first, 1],
      });
      const stale = await store.commit({ key: '/a', value: bytes('3'), expectedRevision: first });
      expect(plainResult(stale)).toEqual({ type: 'conflict', current: ['/a', '2', first, first + 1, 2] });
    }),
  );

  test(
    'deletes only from the last revision; a key made again starts anew',
    withStore(async (store) => {
      const first = await put(store, '/a', '1', 0);
      expect(await store.commit({ key: '/a', value: undefined, expectedRevision: first + 5 })).toMatchObject({
        type: 'conflict',
      });
      const deleted = await store.commit({ key: '/a', value: undefined, expectedRevision: first });
      expect(plainResult(deleted)).toMatchObject({ type: 'committed', previous: ['/a', '1', first, first, 1] });
      expect((await store.get('/a')).kv).toBeUndefined();
      const again = await put(store, '/a', '2', 0);
      expect(plain((await store.get('/a')).kv)).toEqual(['/a', '2', again, again, 1]);
    }),
  );

  test(
    'answers a conflict without a current state where the key does not exist',
    withStore(async (store) => {
      expect(await store.commit({ key: '/a', value: bytes('1'), expectedRevision: 7 })).toEqual({ type: 'conflict' });
      expect(await store.commit({ key: '/a', value: undefined, expectedRevision: 0 })).toEqual({ type: 'conflict' });
    }),
  );

  test(
    'lets exactly one of many concurrent writers win each round',
    withStore(async (store) => {
      let revision = await put(store, '/a', 'start', 0);
      for (let round = 0; round < 5; round++) {
        const writers = Array.from({ length: 20 }, (_, writer) =>
          store.commit({ key: '/a', value: bytes(`${round}/${writer}`), expectedRevision: revision }),
        );
        const results = await Promise.all(writers);
        const won = results.filter(({ type }) => type === 'committed');
        expect(won).toHaveLength(1);
        revision = (await store.get('/a')).kv?.modRevision ?? 0;
        expect(won[0]).toMatchObject({ revision });
        const lost = results.filter((result) => result.type === 'conflict');
        expect(lost.every(({ current }) => current?.modRevision === revision)).toBe(true);
      }
    }),
  );

  test(
    'gives concurrent writes of different keys revisions without gaps',
    withStore(async (store) => {
      const head = await store.head();
      const results = await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, `/k${i}`, 'v', 0)));
      expect(results.toSorted((a, b) => a - b)).toEqual(results.map((_, i) => head + 1 + i));
    }),
  );

  test(
    'takes values up to the limit, empty ones too, and refuses larger ones',
    withStore(async (store) => {
      await expect(
        store.commit({ key: '/big', value: new Uint8Array(VALUE_BYTES_MAX + 1), expectedRevision: 0 }),
      ).rejects.toThrow(ValueTooLargeError);
      expect((await store.get('/big')).kv).toBeUndefined();
      await store.commit({ key: '/big', value: new Uint8Array(VALUE_BYTES_MAX).fill(7), expectedRevision: 0 });
      const big = (await store.get('/big')).kv?.value;
      expect(big?.length).toBe(VALUE_BYTES_MAX);
      expect(big?.every((byte) => byte === 7)).toBe(true);
      await put(store, '/empty', '', 0);
      expect((await store.get('/empty')).kv?.value.length).toBe(0);
    }),
  );
}

function testTimeToLive(withStore: WithStore, time: 'virtual' | 'real'): void {
  test(
    'deletes a key when its time to live is over, unless it was written since',
    withStore(async (store, clock) => {
      const events: StoreEvent[] = [];
      // In real time as short as any backend can.
      const ttlSeconds = time === 'virtual' ? 10 : 1;
      const deleted = Promise.withResolvers<void>();
      await store.subscribe({
        prefix: '/',
        afterRevision: await store.head(),
        onBatch: (batch) => {
          events.push(...batch.events);
          if (batch.events.some(({ type }) => type === 'delete')) deleted.resolve();
        },
        onEnd: () => undefined,
      });
      await store.commit({ key: '/short', value: bytes('1'), expectedRevision: 0, ttlSeconds });
      const kept = await store.commit({ key: '/kept', value: bytes('1'), expectedRevision: 0, ttlSeconds });
      const revision = kept.type === 'committed' ? kept.revision : 0;
      await store.commit({ key: '/kept', value: bytes('2'), expectedRevision: revision });
      if (time === 'virtual') clock.advance(9000);
      expect((await store.get('/short')).kv).toBeDefined();
      clock.advance(3000);
      await deleted.promise;
      expect((await store.get('/short')).kv).toBeUndefined();
      expect((await store.get('/kept')).kv).toBeDefined();
      expect(events.filter(({ type }) => type === 'delete').map(({ kv }) => kv.key)).toEqual(['/short']);
    }),
  );
}

function testReads(withStore: WithStore): void {
  test(
    'lists a prefix sorted by key with its revision and count',
    withStore(async (store) => {
      for (const key of ['/b/2', '/a', '/b/10', '/b', '/c', '/b/1', '/b0']) await put(store, key, key, 0);
      const list = await store.list({ prefix: '/b/' });
      expect(list.items.map(({ key }) => key)).toEqual(['/b/1', '/b/10', '/b/2']);
      expect(list).toMatchObject({ revision: await store.head(), count: 3 });
      expect((await store.list({ prefix: '' })).count).toBe(7);
      expect(await store.list({ prefix: '/none/' })).toMatchObject({ items: [], count: 0 });
    }),
  );

  test(
    'lists in pages: from a key on, at one revision, with the count of what is left',
    withStore(async (store) => {
      for (const key of ['/p/1', '/p/2', '/p/3', '/p/4', '/q']) await put(store, key, key, 0);
      const first = await store.list({ prefix: '/p/', limit: 2 });
      expect(first.items.map(({ key }) => key)).toEqual(['/p/1', '/p/2']);
      expect(first.count).toBe(4);
      await put(store, '/p/25', 'later', 0);
      const { revision } = first;
      const second = await store.list({ prefix: '/p/', limit: 2, startKey: '/p/2\0', revision });
      expect(second.items.map(({ key }) => key)).toEqual(['/p/3', '/p/4']);
      expect(second).toMatchObject({ revision, count: 2 });
      const exact = await store.list({ prefix: '/p/', limit: 5 });
      expect(exact).toMatchObject({ count: 5 });
      expect(exact.items).toHaveLength(5);
      expect(await store.list({ prefix: '/p/', startKey: '/q' })).toMatchObject({ items: [], count: 0 });
    }),
  );

  test(
    'reads keys and lists as they were at a past revision',
    withStore(async (store) => {
      const empty = await store.head();
      const first = await put(store, '/a', '1', 0);
      const second = await put(store, '/a', '2', first);
      const third = await put(store, '/b', '3', 0);
      await store.commit({ key: '/a', value: undefined, expectedRevision: second });
      expect((await store.get('/a', { revision: empty })).kv).toBeUndefined();
      expect(plain((await store.get('/a', { revision: first })).kv)).toEqual(['/a', '1', first, first, 1]);
      expect(plain((await store.get('/a', { revision: third })).kv)).toEqual(['/a', '2', first, second, 2]);
      expect((await store.list({ prefix: '/', revision: third })).items.map(plain)).toEqual([
        ['/a', '2', first, second, 2],
        ['/b', '3', third, third, 1],
      ]);
      expect((await store.list({ prefix: '/', revision: empty })).items).toEqual([]);
      expect((await store.list({ prefix: '/' })).items.map(({ key }) => key)).toEqual(['/b']);
    }),
  );

  test(
    'refuses revisions that are not reached yet',
    withStore(async (store) => {
      const revision = (await store.head()) + 1;
      await expect(store.get('/a', { revision })).rejects.toThrow(FutureRevisionError);
      await expect(store.list({ prefix: '/', revision })).rejects.toThrow(FutureRevisionError);
    }),
  );
}

function testSubscriptions(withStore: WithStore): void {
  test(
    'delivers every write of the prefix once, in order, before its writer is answered',
    withStore(async (store) => {
      const log = await record(store, '/w/', await store.head());
      const first = await put(store, '/w/a', '1', 0);
      expect(log.lastRevision()).toBe(first);
      await put(store, '/other', 'x', 0);
      const second = await put(store, '/w/a', '2', first);
      await store.commit({ key: '/w/a', value: undefined, expectedRevision: second });
      expect(log.events.map(plainEvent)).toEqual([
        ['put', ['/w/a', '1', first, first, 1], undefined],
        ['put', ['/w/a', '2', first, second, 2], ['/w/a', '1', first, first, 1]],
        ['delete', '/w/a', second + 1, ['/w/a', '2', first, second, 2]],
      ]);
      expect(log.events.at(-1)?.kv.value.length).toBe(0);
    }),
  );

  test(
    'tells subscribers how far it has come even where nothing happened to them',
    withStore(async (store) => {
      const log = await record(store, '/quiet/', await store.head());
      const revision = await put(store, '/loud', '1', 0);
      expect(log.lastRevision()).toBe(revision);
      expect(log.events).toEqual([]);
    }),
  );

  test(
    'resumes after a past revision with the history first, then what comes',
    withStore(async (store) => {
      const first = await put(store, '/w/a', '1', 0);
      const second = await put(store, '/w/b', '2', 0);
      const third = await put(store, '/w/a', '3', first);
      const log = await record(store, '/w/', first);
      expect(log.events.map(({ kv }) => kv.modRevision)).toEqual([second, third]);
      expect(plainEvent(log.events[1]!)).toEqual([
        'put',
        ['/w/a', '3', first, third, 2],
        ['/w/a', '1', first, first, 1],
      ]);
      const fourth = await put(store, '/w/c', '4', 0);
      expect(log.events.map(({ kv }) => kv.modRevision)).toEqual([second, third, fourth]);
    }),
  );

  test(
    'delivers nothing after a subscription was closed',
    withStore(async (store) => {
      const log = await record(store, '/', await store.head());
      log.close();
      await put(store, '/a', '1', 0);
      expect(log.events).toEqual([]);
      expect(log.ended).toBeUndefined();
    }),
  );

  test(
    'keeps the order for all where a subscriber writes from its callback',
    withStore(async (store) => {
      const written: Promise<unknown>[] = [];
      const head = await store.head();
      await store.subscribe({
        prefix: '/w/',
        afterRevision: head,
        onBatch: ({ events }) => {
          for (const { kv } of events) {
            if (kv.key === '/w/cause') written.push(put(store, '/w/effect', '1', 0));
          }
        },
        onEnd: () => undefined,
      });
      const log = await record(store, '/w/', head);
      await put(store, '/w/cause', '1', 0);
      await Promise.all(written);
      expect(log.events.map(({ kv }) => kv.key)).toEqual(['/w/cause', '/w/effect']);
    }),
  );

  test(
    'ends the subscription of a subscriber that throws, and only that',
    withStore(async (store) => {
      const head = await store.head();
      const ends: Error[] = [];
      const onBatch = () => {
        throw new Error('broken subscriber');
      };
      await store.subscribe({ prefix: '/', afterRevision: head, onBatch, onEnd: (error) => ends.push(error) });
      const log = await record(store, '/', head);
      await put(store, '/a', '1', 0);
      await put(store, '/b', '1', 0);
      expect(ends.map(({ message }) => message)).toEqual(['broken subscriber']);
      expect(log.events).toHaveLength(2);
    }),
  );
}

function testHistory(withStore: WithStore): void {
  test(
    'forgets history before the compacted revision and keeps all that is current',
    withStore(async (store) => {
      const old = await put(store, '/old', '1', 0);
      const first = await put(store, '/a', '1', 0);
      const second = await put(store, '/a', '2', first);
      const third = await put(store, '/a', '3', second);
      expect(store.compactedRevision()).toBeLessThan(second);
      await store.compact(second);
      expect(store.compactedRevision()).toBe(second);
      await expect(store.get('/a', { revision: first })).rejects.toThrow(CompactedError);
      await expect(store.list({ prefix: '/', revision: first })).rejects.toThrow(CompactedError);
      await expect(record(store, '/', first)).rejects.toThrow(CompactedError);
      expect(plain((await store.get('/a', { revision: second })).kv)).toEqual(['/a', '2', first, second, 2]);
      expect(plain((await store.get('/old')).kv)).toEqual(['/old', '1', old, old, 1]);
      const log = await record(store, '/', second);
      expect(log.events.map(plainEvent)).toEqual([
        ['put', ['/a', '3', first, third, 3], ['/a', '2', first, second, 2]],
      ]);
    }),
  );

  test(
    'compacts up to the head, not beyond, and not backwards',
    withStore(async (store) => {
      const first = await put(store, '/a', '1', 0);
      const second = await put(store, '/a', '2', first);
      await expect(store.compact(second + 1)).rejects.toThrow(FutureRevisionError);
      await store.compact(second);
      await store.compact(first);
      expect(store.compactedRevision()).toBe(second);
      expect(plain((await store.get('/a', { revision: second })).kv)).toEqual(['/a', '2', first, second, 2]);
      const log = await record(store, '/', second);
      await put(store, '/a', '3', second);
      expect(log.events).toHaveLength(1);
    }),
  );
}

function testLifetime(withStore: WithStore): void {
  test(
    'answers every accepted write before it closes, ends subscriptions and refuses what comes after',
    withStore(async (store) => {
      const log = await record(store, '/', await store.head());
      const accepted = Promise.all(Array.from({ length: 10 }, (_, i) => put(store, `/k${i}`, 'v', 0)));
      await store.close();
      await expect(accepted).resolves.toHaveLength(10);
      expect(log.events).toHaveLength(10);
      expect(log.ended).toBeInstanceOf(StoreClosedError);
      await expect(put(store, '/late', 'v', 0)).rejects.toThrow(StoreClosedError);
      await expect(store.get('/k1')).rejects.toThrow(StoreClosedError);
      await store.close();
    }),
  );

  test(
    'knows its size',
    withStore(async (store) => {
      const before = await store.sizeBytes();
      // A server that other tests use, too, may free at the same time what they left.
      for (let index = 0; index < 20; index++) await put(store, `/a/${index}`, 'x'.repeat(100_000), 0);
      expect(await store.sizeBytes()).toBeGreaterThan(before + 50_000);
    }),
  );
}

type Operation =
  | { readonly type: 'put' | 'delete' | 'stale'; readonly key: string; readonly value: string }
  | { readonly type: 'read' | 'subscribe' | 'compact'; readonly back: number };

const key = fc.constantFrom('/a', '/a/1', '/a/2', '/b/1', '/b/2', '/b/3');
const back = fc.nat({ max: 12 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('put' as const), key, value: fc.string({ maxLength: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('delete' as const), key, value: fc.constant('') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('stale' as const), key, value: fc.constant('') }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('read' as const, 'subscribe' as const), back }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('compact' as const), back }) },
);

type PlainKeyValue = [key: string, value: string, create: number, mod: number, version: number];

/** The obvious store: a full copy of all keys for every revision. */
class ModelRun {
  readonly #store: Store;
  readonly #states = new Map<number, Map<string, PlainKeyValue>>();
  readonly #changes: { revision: number; key: string; type: string }[] = [];
  #head: number;
  #compacted: number;

  constructor(store: Store, head: number) {
    this.#store = store;
    this.#head = head;
    this.#compacted = head;
    this.#states.set(head, new Map());
  }

  async run(operations: readonly Operation[]): Promise<void> {
    for (const next of operations) {
      if ('key' in next) await this.#write(next);
      else if (next.type === 'read') await this.#read(next.back);
      else if (next.type === 'subscribe') await this.#subscribe(next.back);
      else await this.#compact(next.back);
    }
    for (let distance = 0; distance < 5; distance++) await this.#read(distance);
  }

  async #write({ type, key, value }: { type: 'put' | 'delete' | 'stale'; key: string; value: string }): Promise<void> {
    const state = new Map(this.#states.get(this.#head));
    const current = state.get(key);
    const expectedRevision = type === 'stale' ? (current?.[3] ?? 0) + 1000 : (current?.[3] ?? 0);
    const written = type === 'put' ? bytes(value) : undefined;
    const result = plainResult(await this.#store.commit({ key, value: written, expectedRevision }));
    if (type === 'stale' || (type === 'delete' && current === undefined)) {
      check(result).toEqual(current === undefined ? { type: 'conflict' } : { type: 'conflict', current });
      return;
    }
    const revision = ++this.#head;
    const committed = { type: 'committed', revision };
    check(result).toEqual(current === undefined ? committed : { ...committed, previous: current });
    if (type === 'put') state.set(key, [key, value, current?.[2] ?? revision, revision, (current?.[4] ?? 0) + 1]);
    else state.delete(key);
    this.#states.set(revision, state);
    this.#changes.push({ revision, key, type });
  }

  async #read(distance: number): Promise<void> {
    const revision = this.#head - distance;
    const state = this.#states.get(revision);
    if (revision < this.#compacted || state === undefined) return;
    for (const prefix of ['', '/a', '/a/', '/b/']) {
      const expected = [...state.values()].filter(([key]) => key.startsWith(prefix)).toSorted(byKey);
      const list = await this.#store.list({ prefix, revision });
      check(list.items.map(plain)).toEqual(expected);
      const page = await this.#store.list({ prefix, revision, startKey: '/a/2', limit: 2 });
      const rest = expected.filter(([key]) => key >= '/a/2');
      check(page.items.map(plain)).toEqual(rest.slice(0, 2));
      check(page.count).toBe(rest.length);
    }
    for (const key of ['/a', '/b/2']) {
      check(plain((await this.#store.get(key, { revision })).kv)).toEqual(state.get(key));
    }
  }

  async #subscribe(distance: number): Promise<void> {
    const afterRevision = this.#head - distance;
    if (afterRevision < this.#compacted) return;
    const log = await record(this.#store, '/a', afterRevision);
    log.close();
    const wanted = this.#changes.filter(({ revision, key }) => revision > afterRevision && key.startsWith('/a'));
    const seen = log.events.map(({ type, kv }) => ({ revision: kv.modRevision, key: kv.key, type }));
    check(seen).toEqual(wanted);
    for (const { kv, previous } of log.events) {
      check(plain(previous)).toEqual(this.#states.get(kv.modRevision - 1)?.get(kv.key));
    }
  }

  async #compact(distance: number): Promise<void> {
    const revision = this.#head - distance;
    if (revision <= this.#compacted) return;
    await this.#store.compact(revision);
    this.#compacted = revision;
  }
}

/** Outside of a test's body: the property that runs the model is the test. */
const check = expect;

function byKey(a: PlainKeyValue, b: PlainKeyValue): number {
  return a[0] < b[0] ? -1 : 1;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function plain(kv: KeyValue | undefined): PlainKeyValue | undefined {
  if (kv === undefined) return undefined;
  return [kv.key, new TextDecoder().decode(kv.value), kv.createRevision, kv.modRevision, kv.version];
}

function plainEvent({ type, kv, previous }: StoreEvent): unknown[] {
  return type === 'put' ? [type, plain(kv), plain(previous)] : [type, kv.key, kv.modRevision, plain(previous)];
}

function plainResult(result: Awaited<ReturnType<Store['commit']>>): unknown {
  if (result.type === 'conflict') {
    return result.current === undefined ? result : { ...result, current: plain(result.current) };
  }
  return result.previous === undefined ? result : { ...result, previous: plain(result.previous) };
}

async function put(store: Store, key: string, value: string, expectedRevision: number): Promise<number> {
  const result = await store.commit({ key, value: bytes(value), expectedRevision });
  if (result.type !== 'committed') throw new Error(`unexpected conflict on ${key}`);
  return result.revision;
}

interface Recording {
  readonly events: StoreEvent[];
  readonly batches: StoreEventBatch[];
  ended: Error | undefined;
  lastRevision(): number | undefined;
  close(): void;
}

/** Subscribes and keeps what comes. */
async function record(store: Store, prefix: string, afterRevision: number): Promise<Recording> {
  const events: StoreEvent[] = [];
  const batches: StoreEventBatch[] = [];
  const recording: Recording = {
    events,
    batches,
    ended: undefined,
    lastRevision: () => batches.at(-1)?.revision,
    close: () => subscription.close(),
  };
  const subscription = await store.subscribe({
    prefix,
    afterRevision,
    onBatch: (batch) => {
      batches.push(batch);
      events.push(...batch.events);
    },
    onEnd: (error) => {
      recording.ended = error;
    },
  });
  return recording;
}
