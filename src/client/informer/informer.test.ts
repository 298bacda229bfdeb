import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '#api/generated/types.ts';
import { CONFIG_MAPS } from '#api/generated/resources.ts';
import { serviceUnavailable } from '#machinery/errors/status-error.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { objectKey } from '#machinery/meta/types.ts';
import { FakeClient } from '../testing/fake-client.ts';
import type { Informer } from './informer.ts';
import { InformerFactory } from './informer-factory.ts';

function configMap(name: string, value: string, namespace = 'default'): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { value } };
}

async function started(client = new FakeClient(), pageSize?: number) {
  const executor = new SimulatedExecutor({ seed: 7 });
  const factory = new InformerFactory({ client, executor, log: silentLogger });
  const informer = factory.informer<ConfigMap>(CONFIG_MAPS, pageSize === undefined ? {} : { pageSize });
  const log = record(informer);
  factory.start();
  await executor.settle();
  return { client, executor, factory, informer, log };
}

/** What a handler is told, as text. */
function record(informer: Informer<ConfigMap>): string[] {
  const log: string[] = [];
  informer.addHandler({
    onAdd: (object) => log.push(`+${object.metadata.name}=${object.data?.['value']}`),
    onUpdate: (old, next) => log.push(`${old.metadata.name}: ${old.data?.['value']}>${next.data?.['value']}`),
    onDelete: (object) => log.push(`-${object.metadata.name}=${object.data?.['value']}`),
  });
  return log;
}

/** What the handler's log says is there. */
function replay(log: readonly string[]): string[] {
  const state = new Map<string, string>();
  for (const line of log) {
    const [, added, addedValue] = /^\+(.*)=(.*)$/.exec(line) ?? [];
    const [, changed, from, to] = /^(.*): (.*)>(.*)$/.exec(line) ?? [];
    const [, removed] = /^-(.*)=/.exec(line) ?? [];
    if (added !== undefined) state.set(added, addedValue ?? '');
    else if (removed !== undefined) state.delete(removed);
    else if (changed !== undefined && state.get(changed) === from) state.set(changed, to ?? '');
    else throw new Error(`the log makes no sense at "${line}"`);
  }
  return [...state].map(([name, value]) => `${name}=${value}`).toSorted();
}

function view(informer: Informer<ConfigMap>): string[] {
  return informer
    .list()
    .map(({ metadata, data }) => `${metadata.name}=${data?.['value']}`)
    .toSorted();
}

describe('Informer', () => {
  test('lists, then follows the watch, and tells handlers in order', async () => {
    const client = new FakeClient();
    await client.create(CONFIG_MAPS, configMap('a', '1'));
    const { executor, informer, log } = await started(client);
    expect(informer.hasSynced).toBe(true);
    expect(log).toEqual(['+a=1']);
    await client.create(CONFIG_MAPS, configMap('b', '1'));
    await client.update(CONFIG_MAPS, configMap('a', '2'));
    await client.delete(CONFIG_MAPS, { name: 'b', namespace: 'default' });
    await executor.settle();
    expect(log).toEqual(['+a=1', '+b=1', 'a: 1>2', '-b=1']);
    expect(view(informer)).toEqual(['a=2']);
    expect(informer.get('default/a')?.data).toEqual({ value: '2' });
    expect(client.requests.map(({ verb }) => verb).filter((verb) => verb === 'list')).toHaveLength(1);
  });

  test('hands out frozen objects, the very ones that the client gave', async () => {
    const { client, executor, informer } = await started();
    const made = await client.create(CONFIG_MAPS, configMap('a', '1'));
    await executor.settle();
    const object = informer.get('default/a');
    expect(object).toBe(made);
    expect(Object.isFrozen(object)).toBe(true);
    expect(Object.isFrozen(object?.metadata)).toBe(true);
  });

  test('lists in pages where it is told to', async () => {
    const client = new FakeClient();
    for (let i = 0; i < 7; i++) await client.create(CONFIG_MAPS, configMap(`k${i}`, '1'));
    const { informer } = await started(client, 3);
    expect(informer.size).toBe(7);
    expect(client.requests.filter(({ verb }) => verb === 'list')).toHaveLength(3);
  });

  test('finds by index, also after updates and deletes', async () => {
    const { client, executor, informer } = await started();
    informer.addIndex('value', ({ data }) => [data?.['value'] ?? '']);
    await client.create(CONFIG_MAPS, configMap('a', 'x'));
    await client.create(CONFIG_MAPS, configMap('b', 'x', 'other'));
    await client.create(CONFIG_MAPS, configMap('c', 'y'));
    await executor.settle();
    expect(informer.byIndex('value', 'x').map(objectKey)).toEqual(['default/a', 'other/b']);
    expect(informer.listNamespace('other').map(objectKey)).toEqual(['other/b']);
    await client.update(CONFIG_MAPS, configMap('a', 'y'));
    await client.delete(CONFIG_MAPS, { name: 'b', namespace: 'other' });
    await executor.settle();
    expect(informer.byIndex('value', 'x')).toEqual([]);
    expect(informer.byIndex('value', 'y').map(objectKey)).toEqual(['default/c', 'default/a']);
    expect(() => informer.byIndex('none', 'x')).toThrow('there is no index "none"');
  });

  test('tells a handler that comes late of what is there, then of what changes', async () => {
    const { client, executor, informer, log } = await started();
    await client.create(CONFIG_MAPS, configMap('a', '1'));
    await executor.settle();
    const late = record(informer);
    await client.update(CONFIG_MAPS, configMap('a', '2'));
    await executor.settle();
    expect(late).toEqual(['+a=1', 'a: 1>2']);
    expect(log).toEqual(['+a=1', 'a: 1>2']);
  });

  test('resumes a watch that ended from where it was, without listing', async () => {
    const { client, executor, informer, log } = await started();
    await client.create(CONFIG_MAPS, configMap('a', '1'));
    await executor.settle();
    await executor.advance(5000);
    client.endWatches();
    await client.update(CONFIG_MAPS, configMap('a', '2'));
    await client.create(CONFIG_MAPS, configMap('b', '1'));
    await executor.advance(5000);
    expect(log).toEqual(['+a=1', 'a: 1>2', '+b=1']);
    expect(view(informer)).toEqual(['a=2', 'b=1']);
    expect(client.requests.filter(({ verb }) => verb === 'list')).toHaveLength(1);
    expect(client.watchCount).toBe(1);
  });

  test('resumes from bookmarks', async () => {
    const { client, executor, informer } = await started();
    await client.create(CONFIG_MAPS, configMap('a', '1'));
    client.bookmark();
    await executor.settle();
    const { resourceVersion } = informer;
    expect(Number(resourceVersion)).toBe(2);
    client.endWatches();
    await executor.advance(5000);
    expect(client.requests.findLast(({ verb }) => verb === 'watch')?.options).toMatchObject({
      resourceVersion,
      allowWatchBookmarks: true,
    });
  });

  test('lists anew when its version is gone, and tells handlers the difference only', async () => {
    const { client, executor, informer, log } = await started();
    for (const name of ['kept', 'changed', 'deleted']) await client.create(CONFIG_MAPS, configMap(name, '1'));
    await executor.advance(20_000);
    log.length = 0;
    client.onRequest = ({ verb }) => {
      if (verb === 'watch') throw serviceUnavailable('down');
    };
    client.endWatches();
    await executor.settle();
    client.onRequest = () => undefined;
    await client.update(CONFIG_MAPS, configMap('changed', '2'));
    await client.delete(CONFIG_MAPS, { name: 'deleted', namespace: 'default' });
    await client.create(CONFIG_MAPS, configMap('new', '1'));
    client.forgetHistory();
    await executor.advance(10_000);
    expect(log.toSorted()).toEqual(['+new=1', '-deleted=1', 'changed: 1>2']);
    expect(view(informer)).toEqual(['changed=2', 'kept=1', 'new=1']);
    expect(client.requests.findLast(({ verb }) => verb === 'list')?.options).not.toHaveProperty('resourceVersion');
  });

  test('waits longer and longer between attempts while the server is away', async () => {
    const client = new FakeClient();
    const times: number[] = [];
    const executor = new SimulatedExecutor({ seed: 3 });
    client.onRequest = () => {
      times.push(executor.clock.monotonic());
      throw serviceUnavailable('down');
    };
    const factory = new InformerFactory({ client, executor, log: silentLogger });
    const informer = factory.informer<ConfigMap>(CONFIG_MAPS);
    factory.start();
    await executor.advance(300_000);
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(waits[0]).toBeGreaterThanOrEqual(800);
    expect(waits[0]).toBeLessThanOrEqual(1601);
    expect(waits[1]).toBeGreaterThanOrEqual(1600);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_001);
    expect(times.length).toBeLessThan(15);
    expect(informer.hasSynced).toBe(false);
    client.onRequest = () => undefined;
    await executor.advance(61_000);
    expect(informer.hasSynced).toBe(true);
  });

  test('renews its watch after 5 to 10 minutes, and ends one that a silent server keeps open', async () => {
    const { client, executor, log } = await started();
    await executor.advance(700_000);
    const watches = client.requests.filter(({ verb }) => verb === 'watch');
    expect(watches.length).toBeGreaterThanOrEqual(2);
    expect(client.watchCount).toBe(1);
    await client.create(CONFIG_MAPS, configMap('a', '1'));
    await executor.settle();
    expect(log).toEqual(['+a=1']);
  });

  test('goes on when a handler throws', async () => {
    const { client, executor, informer, log } = await started();
    informer.addHandler({
      onAdd: () => {
        throw new Error('broken handler');
      },
    });
    await client.create(CONFIG_MAPS, configMap('a', '1'));
    await client.create(CONFIG_MAPS, configMap('b', '1'));
    await executor.settle();
    expect(log).toEqual(['+a=1', '+b=1']);
  });

  test('stops: nothing runs and nobody is told any more', async () => {
    const { client, executor, factory, log } = await started();
    const stopped = factory.stop();
    await executor.settle();
    await stopped;
    await client.create(CONFIG_MAPS, configMap('a', '1'));
    await executor.advance(1_000_000);
    expect(log).toEqual([]);
    expect(client.watchCount).toBe(0);
    expect(executor.clock.nextTimerAt()).toBeUndefined();
  });

  test('stops while it lists: no watch starts afterwards', async () => {
    const client = new FakeClient();
    const executor = new SimulatedExecutor({ seed: 7 });
    const factory = new InformerFactory({ client, executor, log: silentLogger });
    factory.informer<ConfigMap>(CONFIG_MAPS);
    let stopped: Promise<void> | undefined;
    client.onRequest = ({ verb }) => {
      if (verb === 'list') stopped = factory.stop();
    };
    factory.start();
    await executor.settle();
    await stopped;
    expect(stopped).toBeDefined();
    expect(client.watchCount).toBe(0);
  });

  test.each([1, 2, 3, 4, 5])(
    'ends right, and tells a story without gaps, through random faults (seed %i)',
    async (seed) => {
      const executor = new SimulatedExecutor({ seed });
      const { random } = executor;
      const client = new FakeClient();
      const factory = new InformerFactory({ client, executor, log: silentLogger });
      const informer = factory.informer<ConfigMap>(CONFIG_MAPS);
      const log = record(informer);
      factory.start();
      const expected = new Map<string, string>();
      for (let step = 0; step < 300; step++) {
        const name = `k${random.int(5)}`;
        const object = configMap(name, `${step}`);
        const fault = random.int(20);
        client.onRequest = ({ verb }) => {
          if ((verb === 'list' || verb === 'watch') && random.int(4) === 0) throw serviceUnavailable('down');
        };
        if (fault === 0) client.endWatches();
        else if (fault === 1) client.endWatches(serviceUnavailable('dropped'));
        else if (fault === 2) client.forgetHistory();
        else if (fault === 3) client.bookmark();
        else if (!expected.has(name)) await client.create(CONFIG_MAPS, object);
        else if (random.int(3) === 0) await client.delete(CONFIG_MAPS, { name, namespace: 'default' });
        else await client.update(CONFIG_MAPS, object);
        if (fault > 3) {
          if (client.requests.at(-1)?.verb === 'delete') expected.delete(name);
          else expected.set(name, `${step}`);
        }
        if (random.int(3) === 0) await executor.advance(random.int(3000));
      }
      client.onRequest = () => undefined;
      await executor.advance(120_000);
      const truth = [...expected].map(([name, value]) => `${name}=${value}`).toSorted();
      expect(view(informer)).toEqual(truth);
      expect(replay(log)).toEqual(truth);
    },
  );
});

describe('InformerFactory', () => {
  test('shares informers that ask for the same', () => {
    const executor = new SimulatedExecutor({ seed: 1 });
    const factory = new InformerFactory({ client: new FakeClient(), executor, log: silentLogger });
    const all = factory.informer(CONFIG_MAPS);
    expect(factory.informer(CONFIG_MAPS)).toBe(all);
    expect(factory.informer(CONFIG_MAPS, { namespace: 'a' })).not.toBe(all);
    expect(factory.informer(CONFIG_MAPS, { labelSelector: 'a=b' })).not.toBe(all);
  });

  test('waits for all first lists, or until told not to', async () => {
    const executor = new SimulatedExecutor({ seed: 1 });
    const client = new FakeClient();
    const factory = new InformerFactory({ client, executor, log: silentLogger });
    factory.informer(CONFIG_MAPS);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(factory.waitForSync(signal)).rejects.toThrow('enough');
    factory.start();
    const synced = factory.waitForSync(new AbortController().signal);
    await executor.settle();
    await expect(synced).resolves.toBeUndefined();
    const late = factory.informer(CONFIG_MAPS, { namespace: 'late' });
    await executor.settle();
    expect(late.hasSynced).toBe(true);
  });
});
