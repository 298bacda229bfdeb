import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS, ENDPOINT_SLICES, NODES, PODS, REPLICA_SETS, SERVICES } from '#api/generated/resources.ts';
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

describe('components on a bad line', () => {
  test.each([1, 2, 3])('bring everything about all the same (seed %i)', async (seed) => {
    const cluster = await readyCluster({
      seed,
      nodes: 3,
      faults: { conflicts: 0.1, lostCalls: 0.05, lostAnswers: 0.05, endedWatches: 0.05, expiredWatches: 0.02 },
    });
    await cluster.advance(60_000);
    await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 6 }));
    await untilSettled(cluster, { replicas: 6, image: 'image:1' });
    await rollOut(cluster, 'image:2');
    await untilSettled(cluster, { replicas: 6, image: 'image:2' });
    await cluster.killNode('node-3');
    await cluster.waitFor(
      'pods to have moved',
      async () => {
        const pods = (await podsOf(cluster, 'web')).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
        return pods.length === 6 && pods.every((one) => isPodReady(one) && one.spec.nodeName !== 'node-3');
      },
      { limitMs: 1_800_000, stepMs: 10_000 },
    );
    await cluster.client.delete(DEPLOYMENTS, inDefault('web'));
    await cluster.client.delete(NODES, { name: 'node-3' });
    await cluster.waitFor(
      'everything to be collected',
      async () => (await podsOf(cluster, 'web')).length === 0 && (await replicaSetsOf(cluster, 'web')).length === 0,
      { limitMs: 1_800_000, stepMs: 10_000 },
    );
    expect((await cluster.client.list(NODES)).items.map(({ metadata }) => metadata.name)).toEqual(['node-1', 'node-2']);
  });
});

async function untilSettled(cluster: Cluster, { replicas, image }: { replicas: number; image: string }): Promise<void> {
  await cluster.waitFor(
    `${replicas} ready pods of ${image} and no others`,
    async () => {
      const pods = await podsOf(cluster, 'web');
      return (
        pods.length === replicas && pods.every((one) => isPodReady(one) && one.spec.containers[0]?.image === image)
      );
    },
    { limitMs: 1_800_000, stepMs: 5_000 },
  );
}
