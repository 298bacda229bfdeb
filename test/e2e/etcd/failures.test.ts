import { afterEach, describe, expect, test } from 'vitest';
import { CONFIG_MAPS, PODS, SERVICES } from '#api/generated/resources.ts';
import type { ConfigMap } from '#api/generated/types.ts';
import { protobufMessageOf, protobufTable } from '#api/schema/protobuf.ts';
import type { TestServer } from '#apiserver/testing/test-server.ts';
import { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import { StatusError } from '#machinery/errors/status-error.ts';
import { StoreError } from '#store/errors.ts';
import { EtcdCluster, missingEtcd } from '#store/etcd/testing/etcd-process.ts';
import { eventually } from '../support/eventually.ts';
import { startServerOn } from './support/servers.ts';
import { TcpRelay } from './support/tcp-relay.ts';

const missing = missingEtcd();
const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;
const NAMESPACE = 'default';

describe.skipIf(missing !== undefined)(`one member of etcd that fails${skipped}`, () => {
  let cluster: EtcdCluster | undefined;
  let server: TestServer | undefined;

  afterEach(async () => {
    await server?.close();
    await cluster?.[Symbol.asyncDispose]();
    [server, cluster] = [undefined, undefined];
  });

  async function start(flags: readonly string[] = []): Promise<{ etcd: EtcdCluster; api: TestServer }> {
    cluster = await EtcdCluster.start({ flags });
    server = await startServerOn(cluster.endpoints);
    return { etcd: cluster, api: server };
  }

  test('no acknowledged write is lost when it is killed while they come, and the server goes on by itself', async () => {
    const { etcd, api } = await start();
    const [member] = etcd.members;
    const acknowledged = new Map<string, string>();
    let isOver = false;
    const writer = async (index: number) => {
      for (let turn = 0; !isOver; turn++) {
        const name = `cm-${index}-${turn}`;
        try {
          const created = await api.client.create(CONFIG_MAPS, configMap(name, { value: 'x' }));
          acknowledged.set(name, created.metadata.resourceVersion ?? '');
        } catch (error) {
          if (!(error instanceof StatusError) || error.code < 500) throw error;
        }
      }
    };
    const writers = Array.from({ length: 8 }, (_, index) => writer(index));
    for (let kill = 0; kill < 3; kill++) {
      const before = acknowledged.size;
      await eventually(
        'writes go on',
        async () => acknowledged.size,
        (size) => size > before + 50,
        { everyMs: 20 },
      );
      await member?.stop('SIGKILL');
      member?.start();
      await member?.ready();
    }
    isOver = true;
    await Promise.all(writers);
    const { items } = await api.client.list(CONFIG_MAPS, { namespace: NAMESPACE });
    const found = new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    for (const [name, version] of acknowledged) expect(found.get(name), name).toBe(version);
    expect(await readyz(api)).toContain('ok');
  });

  test('while it is silent or gone, requests fail in bounded time and /readyz names etcd', async () => {
    const { etcd, api } = await start();
    const [member] = etcd.members;
    await api.client.create(CONFIG_MAPS, configMap('a', {}));
    member?.signal('SIGSTOP');
    const frozen = await failures(api);
    expect(frozen).toEqual({ read: 504, write: 504, ready: 500 });
    member?.signal('SIGCONT');
    await eventually(
      'reads work again',
      () => api.client.get(CONFIG_MAPS, name('a')),
      () => true,
    );
    await member?.stop();
    expect(await failures(api)).toEqual({ read: 503, write: 503, ready: 500 });
    const stale = await api.client.list(CONFIG_MAPS, { namespace: NAMESPACE, resourceVersion: '0' });
    expect(stale.items).not.toHaveLength(0);
    member?.start();
    await eventually(
      'reads work again',
      () => api.client.get(CONFIG_MAPS, name('a')),
      () => true,
    );
    await eventually(
      'it is ready again',
      () => readyz(api),
      (text) => text === 'ok',
    );
  });

  test('whoever stops while it is frozen does not wait for it', async () => {
    cluster = await EtcdCluster.start();
    const store = await rawStore(cluster);
    cluster.members[0]?.signal('SIGSTOP');
    const key = '/registry/configmaps/default/a';
    const write = store.commit({ key, value: Buffer.from('x'), expectedRevision: 0 }).catch((error: unknown) => error);
    const startedAt = performance.now();
    await store.giveUpIfSilent?.();
    expect(await write).toBeInstanceOf(StoreError);
    await store.close();
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test("without space writes are refused in etcd's words and reads work", async () => {
    const { api } = await start(['--quota-backend-bytes=1000000']);
    const text = 'x'.repeat(200_000);
    let refusal: unknown;
    for (let index = 0; index < 200 && refusal === undefined; index++) {
      await api.client.create(CONFIG_MAPS, configMap(`big-${index}`, { text })).catch((error: unknown) => {
        refusal = error;
      });
    }
    expect(refusal).toMatchObject({ code: 500 });
    expect(String(refusal)).toContain('etcdserver: mvcc: database space exceeded');
    expect((await api.client.get(CONFIG_MAPS, name('big-0'))).data?.['text']).toBe(text);
  });

  test('a server that was cut off goes on where it was, and its watches miss nothing', async () => {
    cluster = await EtcdCluster.start();
    await using relay = await TcpRelay.start(cluster.endpoints[0] ?? '');
    server = await startServerOn([relay.endpoint]);
    await using other = await startServerOn(cluster.endpoints);
    const seen = watchNames(server, await revisionOf(server));
    await server.client.create(CONFIG_MAPS, configMap('first', {}));
    relay.cut();
    await other.client.create(CONFIG_MAPS, configMap('second', {}));
    relay.restore();
    await eventually(
      'the watch goes on',
      async () => seen.names,
      (names) => names.includes('second'),
    );
    expect(seen.names).toEqual(['first', 'second']);
    seen.stop();
  });

  test('a server whose history was compacted while it was cut off ends its watches with 410 and reads anew', async () => {
    cluster = await EtcdCluster.start();
    await using relay = await TcpRelay.start(cluster.endpoints[0] ?? '');
    server = await startServerOn([relay.endpoint]);
    await using other = await startServerOn(cluster.endpoints);
    for (const each of ['kept', 'changed', 'deleted']) await server.client.create(CONFIG_MAPS, configMap(each, {}));
    const changes: string[] = [];
    server.server.parts.view('', 'configmaps').onChange(({ object, previous }) => {
      changes.push(`${object === undefined ? 'gone' : 'is'} ${(object ?? previous)?.metadata.name}`);
    });
    const revision = await revisionOf(server);
    const seen = watchNames(server, revision);
    relay.cut();
    await other.client.update(CONFIG_MAPS, configMap('changed', { a: 'b' }));
    await other.client.delete(CONFIG_MAPS, name('deleted'));
    await other.client.create(CONFIG_MAPS, configMap('made', {}));
    await other.server.compact();
    relay.restore();
    await eventually(
      'the watch ends',
      async () => seen.error,
      (error) => error !== undefined,
    );
    expect(seen.error).toMatchObject({ code: 410 });
    const names = async (api: TestServer) => {
      const { items } = await api.client.list(CONFIG_MAPS, { namespace: NAMESPACE });
      return items.map(({ metadata, data }) => [metadata.name, metadata.resourceVersion, data]);
    };
    const { client } = server;
    await eventually(
      'reads work again',
      () => client.get(CONFIG_MAPS, name('made')),
      () => true,
    );
    expect(await names(server)).toEqual(await names(other));
    expect(changes.toSorted()).toEqual(['gone deleted', 'is changed', 'is made']);
    const late = watchNames(server, revision);
    await eventually(
      'an old revision is refused',
      async () => late.error,
      (error) => error !== undefined,
    );
    expect(late.error).toMatchObject({ code: 410 });
    const anew = watchNames(server, await revisionOf(server));
    await other.client.create(CONFIG_MAPS, configMap('later', {}));
    await eventually(
      'a new watch tells',
      async () => anew.names,
      (found) => found.includes('later'),
    );
    anew.stop();
  });

  test('objects whose lease runs out go together, and watches tell of each', async () => {
    cluster = await EtcdCluster.start();
    server = await startServerOn(cluster.endpoints);
    await using raw = await rawStore(cluster);
    const seen = watchNames(server, await revisionOf(server));
    for (const each of ['one', 'two', 'three']) {
      const value = Buffer.from(JSON.stringify(configMap(each, {})));
      const key = `/registry/configmaps/default/${each}`;
      await raw.commit({ key, value, expectedRevision: 0, ttlSeconds: 1 });
    }
    await eventually(
      'they go',
      async () => seen.names.length,
      (count) => count === 6,
    );
    expect(seen.names.slice(3).toSorted()).toEqual(['one', 'three', 'two']);
    expect((await server.client.list(CONFIG_MAPS, { namespace: NAMESPACE })).items).toEqual([]);
    seen.stop();
  });

  test('a request that is too large for it is refused with 413', async () => {
    const { api } = await start(['--max-request-bytes=100000']);
    const error = await api.client.create(CONFIG_MAPS, configMap('big', { text: 'x'.repeat(200_000) })).catch(String);
    expect(error).toContain('etcdserver: request is too large');
  });

  test('values of a stock API server are read, in JSON and in protobuf, and can be changed', async () => {
    cluster = await EtcdCluster.start();
    const codec = new ProtobufCodec({ table: await protobufTable(), messageOf: protobufMessageOf });
    const pod = {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { name: 'p', namespace: NAMESPACE, uid: 'u1', creationTimestamp: '2026-01-01T00:00:00Z' },
    };
    const container = { name: 'c', image: 'i', ports: [{ containerPort: 80, protocol: 'TCP' }] };
    const spec = { containers: [container], nodeName: 'n', terminationGracePeriodSeconds: 30 };
    const service =
      '{"apiVersion":"v1","kind":"Service","metadata":{"managedFields":[{"manager":"m"}],"name":"s","namespace":"default",' +
      '"resourceVersion":"7","uid":"u2"},"spec":{"type":"ClusterIP","clusterIP":"None","ports":[{"port":80}]}}\n';
    await using raw = await rawStore(cluster);
    const values: [string, Uint8Array][] = [
      ['/registry/pods/default/p', codec.encodeObject({ ...pod, spec, status: { phase: 'Running' } })],
      ['/registry/services/specs/default/s', Buffer.from(service)],
    ];
    for (const [key, value] of values) await raw.commit({ key, value, expectedRevision: 0 });
    server = await startServerOn(cluster.endpoints, {
      protobuf: { table: protobufTable, messageOf: protobufMessageOf },
    });
    const read = await server.client.get(PODS, { name: 'p', namespace: NAMESPACE });
    expect(read).toMatchObject({ metadata: { name: 'p', uid: 'u1' }, spec, status: { phase: 'Running' } });
    // What a release did not know is as if it had said nothing.
    expect(read.spec).toMatchObject({ dnsPolicy: 'ClusterFirst', schedulerName: 'default-scheduler' });
    expect(read.metadata.resourceVersion).toMatch(/^\d+$/);
    const stored = await server.client.get(SERVICES, { name: 's', namespace: NAMESPACE });
    expect(stored.metadata).toMatchObject({ uid: 'u2', managedFields: [{ manager: 'm' }] });
    expect(stored.metadata.resourceVersion).not.toBe('7');
    // Written by the other server while this one runs.
    const late = codec.encodeObject({ ...pod, metadata: { ...pod.metadata, name: 'late', uid: 'u3' }, spec });
    await raw.commit({ key: '/registry/pods/default/late', value: late, expectedRevision: 0 });
    expect(await server.client.get(PODS, { name: 'late', namespace: NAMESPACE })).toMatchObject({ spec });
    const patch = { type: 'merge' as const, body: { metadata: { labels: { a: 'b' } } } };
    const changed = await server.client.patch(PODS, { name: 'p', namespace: NAMESPACE }, patch);
    expect(changed.metadata.labels).toEqual({ a: 'b' });
    const { kv } = await raw.get('/registry/pods/default/p');
    expect(JSON.parse(Buffer.from(kv?.value ?? []).toString())).toMatchObject({ kind: 'Pod', spec });
  });

  test('a value that is encrypted or damaged is an error of its own, and no list or watch ends for it', async () => {
    cluster = await EtcdCluster.start();
    await using raw = await rawStore(cluster);
    const keyOf = (each: string) => `/registry/configmaps/default/${each}`;
    const put = (each: string, value: string) =>
      raw.commit({ key: keyOf(each), value: Buffer.from(value), expectedRevision: 0 });
    await put('encrypted', 'k8s:enc:aescbc:v1:key1:\u0001\u0002');
    server = await startServerOn(cluster.endpoints);
    const { client } = server;
    await client.create(CONFIG_MAPS, configMap('before', {}));
    const seen = watchNames(server, await revisionOf(server));
    await put('damaged', '{"kind":"ConfigMap",');
    await client.create(CONFIG_MAPS, configMap('after', {}));
    const { items } = await client.list(CONFIG_MAPS, { namespace: NAMESPACE });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['after', 'before']);
    await eventually(
      'the watch goes on',
      async () => seen.names,
      (names) => names.includes('after'),
    );
    expect(seen.names).toEqual(['after']);
    seen.stop();
    const encrypted =
      'Internal error occurred: unable to transform key "/registry/configmaps/default/encrypted": ' +
      'identity transformer tried to read encrypted data';
    await expect(client.get(CONFIG_MAPS, name('encrypted'))).rejects.toMatchObject({ code: 500, message: encrypted });
    await expect(client.delete(CONFIG_MAPS, name('encrypted'))).rejects.toMatchObject({ code: 500 });
    await expect(client.create(CONFIG_MAPS, configMap('encrypted', {}))).rejects.toMatchObject({ code: 500 });
    await expect(client.get(CONFIG_MAPS, name('damaged'))).rejects.toMatchObject({ code: 500 });
    const { kv } = await raw.get(keyOf('damaged'));
    await raw.commit({ key: keyOf('damaged'), value: undefined, expectedRevision: kv?.modRevision ?? 0 });
    await client.create(CONFIG_MAPS, configMap('damaged', { is: 'whole' }));
    expect((await client.get(CONFIG_MAPS, name('damaged'))).data).toEqual({ is: 'whole' });
  });
});

function configMap(mapName: string, data: Record<string, string>): ConfigMap {
  return { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: mapName, namespace: NAMESPACE }, data };
}

function name(of: string): { name: string; namespace: string } {
  return { name: of, namespace: NAMESPACE };
}

async function revisionOf(api: TestServer): Promise<string> {
  const { metadata } = await api.client.list(CONFIG_MAPS, { namespace: NAMESPACE });
  return metadata.resourceVersion ?? '';
}

/** Watches until it is stopped or ends: the names of events, and the error at the end. */
function watchNames(
  api: TestServer,
  resourceVersion: string,
): { readonly names: string[]; readonly error: unknown; stop(): void } {
  const stopping = new AbortController();
  const result: { names: string[]; error: unknown; stop(): void } = {
    names: [],
    error: undefined,
    stop: () => stopping.abort(),
  };
  const follow = async () => {
    const options = { namespace: NAMESPACE, resourceVersion, signal: stopping.signal };
    for await (const { object } of api.client.watch(CONFIG_MAPS, options)) {
      result.names.push(object.metadata.name ?? '');
    }
  };
  follow().catch((error: unknown) => {
    result.error = error;
  });
  return result;
}

async function rawStore({ endpoints }: EtcdCluster) {
  const { openEtcdStore } = await import('#store/etcd/etcd-store.ts');
  const { RealClock } = await import('#machinery/clock/real-clock.ts');
  const { SystemRandom } = await import('#machinery/random/system-random.ts');
  return openEtcdStore({ endpoints, prefix: '/registry' }, { clock: new RealClock(), random: new SystemRandom() });
}

async function readyz(api: TestServer): Promise<string> {
  const { body } = await api.client.raw({ method: 'GET', path: '/readyz' });
  return Buffer.from(body).toString();
}

/** The codes with which a read, a write and the readiness check fail; each within its bound. */
async function failures(api: TestServer): Promise<{ read: number; write: number; ready: number }> {
  const codeOf = async (request: Promise<unknown>, limitMs: number): Promise<number> => {
    const startedAt = performance.now();
    const code = await request.then(
      () => 200,
      (error: unknown) => (error instanceof StatusError ? error.code : 0),
    );
    expect(performance.now() - startedAt).toBeLessThan(limitMs);
    return code;
  };
  const [read, write, ready] = await Promise.all([
    codeOf(api.client.get(CONFIG_MAPS, name('a')), 8_000),
    codeOf(api.client.create(CONFIG_MAPS, configMap('b', {})), 13_000),
    codeOf(readyz(api), 4_000),
  ]);
  return { read, write, ready };
}
