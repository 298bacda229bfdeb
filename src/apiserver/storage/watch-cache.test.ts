import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, PODS } from '#api/generated/resources.ts';
import type { ConfigMap, Pod } from '#api/generated/types.ts';
import { isExpired } from '#machinery/errors/status-error.ts';
import { trapGlobals } from '#machinery/executor/trap-globals.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import type { ApiRequest, WatchFrame, WatchSource } from '../pipeline/types.ts';
import { ADMIN, startTestServer, type TestServer, underVirtualTime } from '../testing/test-server.ts';

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
}

function pod(name: string, nodeName: string): Pod {
  const spec = { containers: [{ name: 'c', image: 'i' }], nodeName };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec };
}

async function openWatch(
  { server }: TestServer,
  path: string,
  query: Record<string, string> = {},
): Promise<WatchSource> {
  const request: ApiRequest = {
    method: 'GET',
    path,
    query: new URLSearchParams({ watch: 'true', ...query }),
    headers: {},
    readBody: () => Promise.resolve(new Uint8Array(0)),
    signal: new AbortController().signal,
    localUser: ADMIN,
  };
  const response = await server.handle(request);
  if (response.type !== 'watch') throw new Error(`no watch but ${response.type}`);
  return response.watch;
}

async function take(source: WatchSource, count: number): Promise<WatchFrame[]> {
  const frames: WatchFrame[] = [];
  while (frames.length < count) {
    const batch = await source.next();
    if (batch === undefined) throw new Error(`the watch ended after ${frames.length} events`);
    frames.push(...batch);
  }
  return frames;
}

const summary = (frames: readonly WatchFrame[]) => frames.map(({ type, object }) => `${type} ${object.metadata.name}`);

describe('the watch cache', () => {
  test('hands watchers of one node only the pods of that node', async () => {
    await underVirtualTime('nodes', async (executor) => {
      await using test = await startTestServer(executor);
      const mine = await openWatch(test, '/api/v1/pods', { fieldSelector: 'spec.nodeName=n1' });
      const other = await openWatch(test, '/api/v1/pods', { fieldSelector: 'spec.nodeName=n2' });
      await test.client.create(PODS, pod('a', 'n1'));
      await test.client.create(PODS, pod('b', 'n2'));
      await test.client.create(PODS, pod('c', 'n1'));
      expect(summary(await take(mine, 2))).toEqual(['ADDED a', 'ADDED c']);
      expect(summary(await take(other, 1))).toEqual(['ADDED b']);
    });
  });

  test('lists by node from an index that follows every change', async () => {
    await underVirtualTime('index', async (executor) => {
      await using test = await startTestServer(executor);
      const onNode = async (node: string, options: { limit?: number } = {}) => {
        const list = await test.client.list(PODS, { fieldSelector: `spec.nodeName=${node}`, ...options });
        return list.items.map(({ metadata }) => metadata.name);
      };
      await test.client.create(PODS, pod('b', 'n1'));
      expect(await onNode('n1')).toEqual(['b']);
      await test.client.create(PODS, pod('a', 'n1'));
      await test.client.create(PODS, pod('c', 'n2'));
      expect(await onNode('n1')).toEqual(['a', 'b']);
      expect(await onNode('n1', { limit: 1 })).toEqual(['a']);
      await test.client.delete(PODS, { name: 'b', namespace: 'default' }, { gracePeriodSeconds: 0 });
      expect(await onNode('n1')).toEqual(['a']);
      expect(await onNode('n3')).toEqual([]);
      const named = await test.client.list(PODS, { fieldSelector: 'metadata.name=c' });
      expect(named.items.map(({ metadata }) => metadata.name)).toEqual(['c']);
    });
  });

  test('gives all watchers of an event the same bytes', async () => {
    await underVirtualTime('shared', async (executor) => {
      await using test = await startTestServer(executor);
      const first = await openWatch(test, '/api/v1/configmaps');
      const second = await openWatch(test, '/api/v1/namespaces/default/configmaps');
      const made = await test.client.create(CONFIG_MAPS, configMap('a'));
      const [frame] = await take(first, 1);
      expect((await take(second, 1))[0]?.bytes).toBe(frame?.bytes);
      expect(JSON.parse(Buffer.concat(frame?.bytes ?? []).toString())).toEqual({ type: 'ADDED', object: made });
    });
  });

  test('marks the end of initial events, and bookmarks later on', async () => {
    await underVirtualTime('bookmarks', async (executor) => {
      await using test = await startTestServer(executor);
      await test.client.create(CONFIG_MAPS, configMap('a'));
      const source = await openWatch(test, '/api/v1/configmaps', {
        sendInitialEvents: 'true',
        resourceVersionMatch: 'NotOlderThan',
        allowWatchBookmarks: 'true',
      });
      const [added, end] = await take(source, 2);
      expect(added?.type).toBe('ADDED');
      expect(end).toMatchObject({
        type: 'BOOKMARK',
        object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
      });
      expect(await take(source, 1)).toMatchObject([
        { type: 'BOOKMARK', object: { metadata: { resourceVersion: '2' } } },
      ]);
    });
  });

  test('resumes from any revision that the store still has', async () => {
    await underVirtualTime('resume', async (executor) => {
      await using test = await startTestServer(executor);
      const versions: string[] = [];
      for (const n of ['1', '2', '3']) {
        const made = n === '1' ? await test.client.create(CONFIG_MAPS, configMap('a', { n })) : undefined;
        const next = made ?? (await test.client.update(CONFIG_MAPS, configMap('a', { n })));
        versions.push(next.metadata.resourceVersion ?? '');
      }
      await test.client.delete(CONFIG_MAPS, { name: 'a', namespace: 'default' });
      // A second server over the same store has nothing of this in memory.
      const { createApiServer } = await import('../api-server.ts');
      const { executor: shared, registry, schemas, log, authenticator, authorizer } = test.server.parts;
      const again = await createApiServer({
        store: test.store,
        executor: shared,
        registry,
        schemas,
        log,
        authenticator,
        authorizer,
      });
      for (const server of [test.server, again]) {
        const source = await openWatch({ ...test, server }, '/api/v1/configmaps', {
          resourceVersion: versions[0] ?? '',
        });
        const frames = await take(source, 3);
        expect(summary(frames)).toEqual(['MODIFIED a', 'MODIFIED a', 'DELETED a']);
        const deletion = Number(frames[2]?.object.metadata.resourceVersion);
        expect(deletion).toBeGreaterThan(Number(versions[2]));
        source.close();
      }
      await again.close();
    });
  });

  test('says 410 for a revision that is gone, with both revisions', async () => {
    await underVirtualTime('gone', async (executor) => {
      await using test = await startTestServer(executor);
      for (const name of ['a', 'b', 'c']) await test.client.create(CONFIG_MAPS, configMap(name));
      await test.server.compact();
      const source = await openWatch(test, '/api/v1/configmaps', { resourceVersion: '2' });
      const [frame] = await take(source, 1);
      expect(frame).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
      expect(JSON.parse(Buffer.concat(frame?.bytes ?? []).toString()).object.message).toMatch(
        /^too old resource version: 2 \(\d+\)$/,
      );
      expect(await source.next()).toBeUndefined();
    });
  });

  test('ends a watcher that falls behind with 410', async () => {
    await underVirtualTime('slow', async (executor) => {
      await using test = await startTestServer(executor);
      const source = await openWatch(test, '/api/v1/configmaps');
      const value = Buffer.from('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default"}}');
      let revision = 0;
      for (let index = 0; index < 20_050; index++) {
        const result = await test.store.commit({
          key: '/registry/configmaps/default/a',
          value,
          expectedRevision: revision,
        });
        if (result.type === 'committed') ({ revision } = result);
      }
      expect((await source.next())?.at(-1)).toMatchObject({ type: 'ERROR', object: { code: 410 } });
      expect(await source.next()).toBeUndefined();
    });
  });

  test('waits for a revision to come, and says so when it does not', async () => {
    await underVirtualTime('future', async (executor) => {
      await using test = await startTestServer(executor);
      await test.client.create(CONFIG_MAPS, configMap('a'));
      const later = test.client.list(CONFIG_MAPS, { resourceVersion: '3' });
      await test.client.create(CONFIG_MAPS, configMap('b'));
      expect((await later).items).toHaveLength(2);
      await expect(test.client.list(CONFIG_MAPS, { resourceVersion: '99' })).rejects.toMatchObject({
        status: {
          code: 504,
          reason: 'Timeout',
          message: 'Timeout: Too large resource version: 99, current: 3',
          details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] },
        },
      });
    });
  });

  test('shows every past state as it was (against a plain copy)', async () => {
    await underVirtualTime('history', async (executor) => {
      await using test = await startTestServer(executor);
      const states = new Map<string, string[]>();
      const current = new Map<string, string>();
      for (let step = 0; step < 120; step++) {
        const name = `c${executor.random.int(12)}`;
        const known = current.has(name);
        if (known && executor.random.float() < 0.4) {
          await test.client.delete(CONFIG_MAPS, { name, namespace: 'default' });
          current.delete(name);
        } else {
          const object = configMap(name, { step: String(step) });
          await (known ? test.client.update(CONFIG_MAPS, object) : test.client.create(CONFIG_MAPS, object));
          current.set(name, String(step));
        }
        const state = [...current].map(([key, value]) => `${key}=${value}`).toSorted();
        states.set(String(test.store.head()), state);
      }
      for (const [resourceVersion, expected] of states) {
        const past = await test.client.list(CONFIG_MAPS, { resourceVersion, resourceVersionMatch: 'Exact' });
        expect(past.items.map(({ metadata, data }) => `${metadata.name}=${data?.['step']}`).toSorted()).toEqual(
          expected,
        );
        const names: string[] = [];
        let token = '';
        const options = { resourceVersion, resourceVersionMatch: 'Exact' as const };
        do {
          const from = token === '' ? options : { continue: token };
          const page = await test.client.list(CONFIG_MAPS, { limit: 3, ...from });
          names.push(...page.items.map(({ metadata }) => metadata.name ?? ''));
          token = page.metadata.continue ?? '';
        } while (token !== '');
        expect(names).toEqual(past.items.map(({ metadata }) => metadata.name));
      }
    });
  });

  test('offers a token to go on with where a page of the past is gone', async () => {
    await underVirtualTime('token', async (executor) => {
      await using test = await startTestServer(executor);
      for (const name of ['a', 'b', 'c']) await test.client.create(CONFIG_MAPS, configMap(name));
      const { metadata } = await test.client.list(CONFIG_MAPS, { limit: 1 });
      await test.client.create(CONFIG_MAPS, configMap('bb'));
      await test.server.compact();
      const failed = await test.client
        .list(CONFIG_MAPS, { limit: 1, continue: metadata.continue ?? '' })
        .catch((error) => error);
      expect(failed).toSatisfy(isExpired);
      const rest = await test.client.list(CONFIG_MAPS, { continue: failed.status.metadata.continue });
      expect(rest.items.map((item) => item.metadata.name)).toEqual(['b', 'bb', 'c']);
    });
  });

  test('does the same under the same seed', async () => {
    using _trap = trapGlobals();
    const run = async (seed: string): Promise<string> => {
      const executor = new SimulatedExecutor({ seed });
      const starting = startTestServer(executor);
      await executor.settle();
      const test = await starting;
      const writes = Array.from({ length: 30 }, (_, index) =>
        test.client.create(CONFIG_MAPS, {
          ...configMap(''),
          metadata: { generateName: 'x-', namespace: `n${index % 3}` },
        }),
      );
      await executor.settle();
      await Promise.all(writes);
      const { items } = await test.store.list({ prefix: '/registry/' });
      return items
        .map(({ key, modRevision, value }) => `${modRevision} ${key} ${Buffer.from(value).toString()}`)
        .join('\n');
    };
    expect(await run('one')).toBe(await run('one'));
    expect(await run('one')).not.toBe(await run('two'));
  });
});
