import { describe, expect, test } from 'vitest';
import {
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  NAMESPACES,
  NODES,
  PODS,
  REPLICA_SETS,
  SERVICES,
} from '#api/generated/resources.ts';
import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import type { Pod } from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import { deployment, inDefault, podsOf, readyCluster, replicaSetsOf, untilAvailable } from '../controllers/support.ts';

const uids = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.uid).toSorted();

async function rollOut(cluster: Cluster, image: string): Promise<void> {
  const body = { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } };
  await cluster.client.patch(DEPLOYMENTS, inDefault('web'), { type: 'strategic', body });
}

describe('a control plane that starts again on its store', () => {
  test('changes nothing that is as it should be', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web'));
    await cluster.client.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    await untilAvailable(cluster, 'web', 3);
    await cluster.advance(5_000);
    const before = await podsOf(cluster, 'web');
    const versions = async () => {
      const resources: ResourceType[] = [PODS, REPLICA_SETS, DEPLOYMENTS, ENDPOINT_SLICES, SERVICES];
      const lists = await Promise.all(resources.map((resource) => cluster.client.list(resource)));
      return lists.flatMap(({ items }) => items.map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`));
    };
    const versionsBefore = await versions();
    await cluster.restart();
    await cluster.advance(60_000);
    expect(uids(await podsOf(cluster, 'web'))).toEqual(uids(before));
    expect(await versions()).toEqual(versionsBefore);
    const { items: nodes } = await cluster.client.list(NODES);
    expect(nodes.flatMap(({ spec }) => spec.taints ?? [])).toEqual([]);
  });

  test('finishes a rollout that was under way, and doubles nothing', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 8 }));
    await untilAvailable(cluster, 'web', 8);
    await rollOut(cluster, 'image:2');
    for (let round = 0; round < 4; round += 1) {
      await cluster.advance(400);
      await cluster.restart();
    }
    await untilAvailable(cluster, 'web', 8);
    await cluster.advance(40_000);
    const pods = await podsOf(cluster, 'web');
    expect(pods).toHaveLength(8);
    expect(new Set(pods.map(({ spec }) => spec.containers[0]?.image))).toEqual(new Set(['image:2']));
    expect(await replicaSetsOf(cluster, 'web')).toHaveLength(2);
  });

  test('notices what happened to nodes meanwhile', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 4 }));
    await untilAvailable(cluster, 'web', 4);
    await cluster.killNode('node-1');
    await cluster.restart();
    await cluster.waitFor('all pods to run on the other node', async () => {
      const pods = (await podsOf(cluster, 'web')).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      return pods.length === 4 && pods.every((pod) => isPodReady(pod) && pod.spec.nodeName === 'node-2');
    });
    // The ReplicaSet's own count, from the watch cache of the new server.
    expect((await replicaSetsOf(cluster, 'web')).map(({ status }) => status?.readyReplicas)).toEqual([4]);
  });
});

// The long run takes more of them: scripts/test-long.ts.
const FIRST_SEED = Number(process.env['TIPHYS_FIRST_SEED'] ?? 1);
const SEEDS = Array.from({ length: Number(process.env['TIPHYS_SEEDS'] ?? 3) }, (_, index) => FIRST_SEED + index);

describe('components on a bad line', () => {
  test.each(SEEDS)('bring everything about all the same (seed %i)', async (seed) => {
    const faults = { conflicts: 0.15, lostCalls: 0.01, lostAnswers: 0.01, endedWatches: 0.08, expiredWatches: 0.03 };
    const cluster = await readyCluster({ seed, nodes: 3, faults });
    const { client } = cluster;
    await cluster.advance(60_000);
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' }, spec: {} });
    await client.create(DEPLOYMENTS, { ...deployment('till'), metadata: { name: 'till', namespace: 'shop' } });
    await client.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    await client.create(DEPLOYMENTS, deployment('web', { replicas: 6 }));
    await untilSettled(cluster, { replicas: 6, image: 'image:1' });
    await rollOut(cluster, 'image:2');
    await cluster.advance(2_000);
    await cluster.restart();
    await untilSettled(cluster, { replicas: 6, image: 'image:2' });
    await client.delete(NAMESPACES, { name: 'shop' });
    await cluster.killNode('node-3');
    await cluster.advance(500_000);
    // Nobody else may say that what ran there has ended.
    await client.delete(NODES, { name: 'node-3' });
    await untilSettled(cluster, { replicas: 6, image: 'image:2' });
    await eventually(cluster, 'the service to have the addresses of the pods', async () => {
      const ready = (await client.list(ENDPOINT_SLICES, { labelSelector: 'kubernetes.io/service-name=web' })).items
        .flatMap(({ endpoints }) => endpoints ?? [])
        .flatMap(({ addresses, conditions }) => (conditions?.ready === true ? addresses : []));
      const ips = (await podsOf(cluster, 'web')).map(({ status }) => status?.podIP ?? '');
      return ready.toSorted().join() === ips.toSorted().join();
    });
    const propagationPolicy = seed % 2 === 0 ? 'Background' : 'Foreground';
    await client.delete(DEPLOYMENTS, inDefault('web'), { propagationPolicy });
    await eventually(cluster, 'everything to be gone', async () => {
      const left: ResourceType[] = [DEPLOYMENTS, REPLICA_SETS, PODS];
      const lists = await Promise.all(left.map((resource) => client.list(resource)));
      return lists.every(({ items }) => items.length === 0);
    });
    await eventually(cluster, 'the namespace to be gone', async () => !(await namespaces(cluster)).includes('shop'));
    expect(await namespaces(cluster)).toEqual(['default', 'kube-node-lease', 'kube-public', 'kube-system']);
  });
});

test.each(SEEDS)('a namespace goes although one call in six is lost (seed %i)', async (seed) => {
  const cluster = await readyCluster({ seed, nodes: 1, faults: { lostCalls: 0.08, lostAnswers: 0.08 } });
  const { client } = cluster;
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' }, spec: {} });
  await client.create(DEPLOYMENTS, { ...deployment('till'), metadata: { name: 'till', namespace: 'shop' } });
  await cluster.advance(10_000);
  await client.delete(NAMESPACES, { name: 'shop' });
  await eventually(cluster, 'the namespace to be gone', async () => !(await namespaces(cluster)).includes('shop'));
});

async function namespaces(cluster: Cluster): Promise<string[]> {
  return (await cluster.client.list(NAMESPACES)).items.map(({ metadata }) => metadata.name ?? '');
}

function eventually(cluster: Cluster, what: string, probe: () => Promise<boolean>): Promise<void> {
  return cluster.waitFor(what, probe, { limitMs: 1_800_000, stepMs: 5_000 });
}

function untilSettled(cluster: Cluster, { replicas, image }: { replicas: number; image: string }): Promise<void> {
  return eventually(cluster, `${replicas} ready pods of ${image} and no others`, async () => {
    const pods = await podsOf(cluster, 'web');
    return pods.length === replicas && pods.every((one) => isPodReady(one) && one.spec.containers[0]?.image === image);
  });
}
