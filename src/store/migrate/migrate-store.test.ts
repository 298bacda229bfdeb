import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { StoreFullError } from '../errors.ts';
import { MemoryStore } from '../memory/memory-store.ts';
import type { Store, StoreWrite } from '../store.ts';
import { MIGRATION_KEY, migrateStore } from './migrate-store.ts';

const clock = new VirtualClock();

async function sourceOf(count: number): Promise<Store> {
  const store = new MemoryStore({ clock });
  for (let index = 0; index < count; index++) {
    const key = `/registry/configmaps/default/cm-${index}`;
    await store.commit({ key, value: Buffer.from(`value ${index}`), expectedRevision: 0 });
  }
  return store;
}

/** A target that fails from its `failAt`th write on, as a full disk or a killed process does. */
function failing(target: Store, failAt: number): Store {
  let writes = 0;
  const commit = (write: StoreWrite) => {
    writes++;
    return writes >= failAt ? Promise.reject(new StoreFullError('no space left')) : target.commit(write);
  };
  return new Proxy(target, {
    get(of, name) {
      if (name === 'commit') return commit;
      const value: unknown = Reflect.get(of, name);
      return typeof value === 'function' ? (value.bind(of) as unknown) : value;
    },
  });
}

describe('migrateStore', () => {
  test.each([2, 50, 101, 102])(
    'a copy that fails at write %i leaves a mark, and is done anew the next time',
    async (at) => {
      await using source = await sourceOf(100);
      await using target = new MemoryStore({ clock });
      await expect(migrateStore({ source, target: failing(target, at) })).rejects.toThrow('no space left');
      expect((await target.get(MIGRATION_KEY)).kv).toBeDefined();
      const result = await migrateStore({ source, target });
      expect(result.keys).toBe(100);
      const { items } = await target.list({ prefix: '/registry/' });
      expect(items.map(({ key }) => key)).toEqual(
        (await source.list({ prefix: '/registry/' })).items.map(({ key }) => key),
      );
      expect(result.targetRevision).toBeGreaterThan(result.sourceRevision);
    },
  );

  test('an empty source is not where a cluster is: nothing is touched', async () => {
    await using source = new MemoryStore({ clock });
    await using target = new MemoryStore({ clock });
    await expect(migrateStore({ source, target })).rejects.toThrow('the source holds no objects: nothing was changed');
    expect((await target.list({ prefix: '/' })).items).toEqual([]);
  });

  test('data that is there is never touched', async () => {
    await using source = await sourceOf(3);
    await using target = await sourceOf(1);
    await expect(migrateStore({ source, target })).rejects.toThrow('the target is not empty');
    expect((await target.list({ prefix: '/' })).count).toBe(1);
  });

  test('a source that is written to meanwhile is noticed', async () => {
    await using source = await sourceOf(10);
    await using target = new MemoryStore({ clock });
    const onProgress = ({ step }: { step: string }) => {
      if (step === 'compare') {
        void source.commit({ key: '/registry/pods/default/late', value: Buffer.from('x'), expectedRevision: 0 });
      }
    };
    await expect(migrateStore({ source, target }, { onProgress })).rejects.toThrow(
      'the source was written to meanwhile',
    );
    expect((await target.get(MIGRATION_KEY)).kv).toBeDefined();
  });
});
