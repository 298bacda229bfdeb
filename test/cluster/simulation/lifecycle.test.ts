import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS } from '#api/generated/resources.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { isForbidden } from '#machinery/errors/status-error.ts';
import { textLogger } from '#machinery/log/logger.ts';
import { inDefault, pod } from '../controllers/support.ts';

function configMap(name: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } };
}

describe('createCluster', () => {
  test('leaves nothing that runs, waits or complains', async () => {
    const lines: string[] = [];
    const realNow = Date.now;
    const cluster = await createCluster({
      nodes: 2,
      log: textLogger({ write: (line) => lines.push(line), clock: new VirtualClock(), verbosity: 0 }),
    });
    await cluster.client.create(PODS, pod('web'));
    await cluster.advance(60_000);
    expect(cluster.pending).toBeGreaterThan(0);
    await cluster.stop();
    expect(cluster.pending).toBe(0);
    expect(lines).toEqual([]);
    expect(Date.now).toBe(realNow);
    // Stopping twice is fine.
    await cluster.stop();
  });

  test('can be called again and again, and several at once', async () => {
    for (let round = 0; round < 20; round += 1) {
      await using cluster = await createCluster({ seed: round });
      expect((await cluster.client.list(NODES)).items).toHaveLength(1);
    }
    const clusters = await Promise.all([1, 2, 3].map((seed) => createCluster({ seed })));
    await Promise.all(clusters.map((cluster) => cluster.client.create(CONFIG_MAPS, configMap('one'))));
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    expect(clusters.map(({ pending }) => pending)).toEqual([0, 0, 0]);
  });

  test('starts the first pod of a new cluster at once', async () => {
    await using cluster = await createCluster();
    const { client } = cluster;
    await client.create(PODS, pod('first'));
    await cluster.waitFor('the pod to run', async () => {
      return (await client.get(PODS, inDefault('first'))).status?.phase === 'Running';
    });
    const seconds = (cluster.now() - Date.parse('2026-01-01T00:00:00Z')) / 1000;
    expect(seconds).toBeLessThan(5);
  });

  test('gives every namespace its service account and the cluster certificate', async () => {
    await using cluster = await createCluster();
    const { client } = cluster;
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' }, spec: {} });
    await cluster.settle();
    const { metadata } = await client.get(SERVICE_ACCOUNTS, { name: 'default', namespace: 'shop' });
    expect(metadata.name).toBe('default');
    const root = await client.get(CONFIG_MAPS, { name: 'kube-root-ca.crt', namespace: 'shop' });
    expect(root.data?.['ca.crt']).toMatch(/^-----BEGIN CERTIFICATE-----/);
    const mounted = await client.create(PODS, pod('web', {}, { namespace: 'shop' }));
    expect(mounted.spec.serviceAccountName).toBe('default');
    expect(mounted.spec.volumes?.[0]?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
  });

  test('answers as the user who asks', async () => {
    await using cluster = await createCluster();
    const stranger = cluster.clientFor({ username: 'mallory', groups: ['system:authenticated'] });
    const error = await stranger.list(PODS, { namespace: 'default' }).catch((reason: unknown) => reason);
    expect(isForbidden(error)).toBe(true);
    expect(String(error)).toContain(
      'pods is forbidden: User "mallory" cannot list resource "pods" in API group "" in the namespace "default"',
    );
  });
});

describe('the client of a simulated cluster', () => {
  test('hands out objects that may be changed', async () => {
    await using cluster = await createCluster();
    await cluster.client.create(CONFIG_MAPS, configMap('mine'));
    const { items } = await cluster.client.list(CONFIG_MAPS, { namespace: 'default' });
    for (const item of items) item.metadata.labels = { changed: 'true' };
    expect((await cluster.client.get(CONFIG_MAPS, inDefault('mine'))).metadata.labels).toBeUndefined();
  });

  test('drives the cluster while a watch is waited for', async () => {
    await using cluster = await createCluster();
    await cluster.client.create(PODS, pod('web'));
    const phases: (string | undefined)[] = [];
    const stop = new AbortController();
    for await (const event of cluster.client.watch(PODS, { namespace: 'default', signal: stop.signal })) {
      if (event.type === 'BOOKMARK') continue;
      const phase = event.object.status?.phase;
      if (phases.at(-1) !== phase) phases.push(phase);
      if (phase === 'Running') break;
    }
    expect(phases).toEqual(['Pending', 'Running']);
  });

  test('shows a watch what other calls bring about, without moving time', async () => {
    await using cluster = await createCluster();
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = follow(cluster, { stop, seen });
    const startMs = cluster.now();
    for (const name of ['a', 'b', 'c']) {
      await cluster.client.create(CONFIG_MAPS, configMap(name));
      await cluster.client.delete(CONFIG_MAPS, inDefault(name));
    }
    await cluster.settle();
    expect(cluster.now()).toBe(startMs);
    stop.abort();
    await watching;
    expect(seen).toEqual(['a', 'b', 'c'].flatMap((name) => [`ADDED ${name}`, `DELETED ${name}`]));
  });
});

async function follow(cluster: Cluster, { stop, seen }: { stop: AbortController; seen: string[] }): Promise<void> {
  const { resourceVersion } = (await cluster.client.list(CONFIG_MAPS, { namespace: 'default' })).metadata;
  const watch = cluster.client.watch(CONFIG_MAPS, {
    namespace: 'default',
    signal: stop.signal,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  });
  for await (const { type, object } of watch) seen.push(`${type} ${object.metadata.name}`);
}
