import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { testStoreContract } from '../contract-suite.ts';
import { CompactedError } from '../errors.ts';
import { MemoryStore } from './memory-store.ts';

testStoreContract('memory', async ({ clock }) => new MemoryStore({ clock }));

describe('MemoryStore', () => {
  const value = new Uint8Array(1000);

  test('shows a write at once, before its promise settles', async () => {
    await using store = new MemoryStore({ clock: new VirtualClock() });
    const revisions: number[] = [];
    const onBatch = ({ revision }: { revision: number }) => revisions.push(revision);
    await store.subscribe({ prefix: '/', afterRevision: store.head(), onBatch, onEnd: () => undefined });
    const commit = store.commit({ key: '/a', value, expectedRevision: 0 });
    expect(revisions).toEqual([2]);
    expect(store.head()).toBe(2);
    await commit;
  });

  test('forgets history that is too old or takes too many bytes', async () => {
    const clock = new VirtualClock();
    await using store = new MemoryStore({ clock, historyMs: 60_000, historyBytesMax: 100_000 });
    let revision = 0;
    const write = async () => {
      const result = await store.commit({ key: '/a', value, expectedRevision: revision });
      revision = result.type === 'committed' ? result.revision : 0;
    };
    for (let count = 0; count < 5000; count++) await write();
    expect(store.compactedRevision()).toBeGreaterThan(revision - 100);
    expect(store.compactedRevision()).toBeLessThan(revision - 50);
    await expect(store.get('/a', { revision: revision - 200 })).rejects.toThrow(CompactedError);
    expect((await store.get('/a', { revision: revision - 20 })).kv?.modRevision).toBe(revision - 20);
    expect(await store.sizeBytes()).toBeLessThan(150_000);
    clock.advance(61_000);
    await write();
    expect(store.compactedRevision()).toBe(revision - 1);
  });
});
