import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS } from '#api/generated/resources.ts';
import type { Deployment } from '#api/generated/types.ts';
import { controllerOf } from '#machinery/meta/types.ts';
import {
  deployment,
  eventMessages,
  inDefault,
  pod,
  podsOf,
  readyCluster,
  replicaSetsOf,
  untilAvailable,
} from './support.ts';

describe('Deployment', () => {
  test('creates just as many pods as asked for', async () => {
    const cluster = await readyCluster({ nodes: 4 });
    await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 25 }));
    await untilAvailable(cluster, 'web', 25);
    expect(await podsOf(cluster, 'web')).toHaveLength(25);
    expect(await eventMessages(cluster, 'SuccessfulDelete')).toEqual([]);
  });

  test('rolls out a new template and back again', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web'));
    await untilAvailable(cluster, 'web', 3);
    const [first] = await replicaSetsOf(cluster, 'web');
    await setImage(cluster, 'image:2');
    await untilAvailable(cluster, 'web', 3);
    expect(await replicaSetsOf(cluster, 'web')).toHaveLength(2);
    await setImage(cluster, 'image:1');
    await untilAvailable(cluster, 'web', 3);
    const sets = await replicaSetsOf(cluster, 'web');
    expect(sets).toHaveLength(2);
    const revisions = sets.map((set) => {
      const revision = set.metadata.annotations?.['deployment.kubernetes.io/revision'];
      return `revision ${revision}: ${set.spec.replicas}`;
    });
    expect(revisions.toSorted()).toEqual(['revision 2: 0', 'revision 3: 3']);
    const current = await cluster.client.get(DEPLOYMENTS, inDefault('web'));
    expect(current.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    const progressing = current.status?.conditions?.find((condition) => condition.type === 'Progressing');
    expect(progressing?.message).toBe(`ReplicaSet "${first?.metadata.name}" has successfully progressed.`);
    expect(await eventMessages(cluster, 'ScalingReplicaSet')).toContain(
      `Scaled up replica set ${first?.metadata.name} from 0 to 3`,
    );
  });

  test('replaces a deleted pod', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(DEPLOYMENTS, deployment('web'));
    await untilAvailable(cluster, 'web', 3);
    const [victim] = await podsOf(cluster, 'web');
    await cluster.client.delete(PODS, inDefault(victim?.metadata.name ?? ''));
    await cluster.advance(5_000);
    await untilAvailable(cluster, 'web', 3);
    const names = (await podsOf(cluster, 'web')).map((one) => one.metadata.name);
    expect(names).toHaveLength(3);
    expect(names).not.toContain(victim?.metadata.name);
  });

  test('Recreate never runs two templates at once', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(DEPLOYMENTS, deployment('web', { strategy: { type: 'Recreate' } }));
    await untilAvailable(cluster, 'web', 3);
    await setImage(cluster, 'image:2');
    for (let step = 0; step < 30; step++) {
      await cluster.advance(200);
      const images = (await podsOf(cluster, 'web')).map((one) => one.spec.containers[0]?.image);
      expect(new Set(images).size).toBeLessThanOrEqual(1);
    }
    await untilAvailable(cluster, 'web', 3);
  });
});

async function setImage(cluster: Awaited<ReturnType<typeof readyCluster>>, image: string): Promise<Deployment> {
  const body = { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } };
  return cluster.client.patch(DEPLOYMENTS, inDefault('web'), { type: 'strategic', body });
}

describe('ReplicaSet', () => {
  const set = (name: string, replicas: number) => ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: pod('x').spec },
    },
    status: { replicas: 0 },
  });

  test('adopts matching pods and releases those that no longer match', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(PODS, pod('orphan', {}, { labels: { app: 'web' } }));
    await cluster.settle();
    await cluster.client.create(REPLICA_SETS, set('web', 2));
    await cluster.advance(5_000);
    const adopted = await cluster.client.get(PODS, inDefault('orphan'));
    expect(controllerOf(adopted)?.name).toBe('web');
    expect(await podsOf(cluster, 'web')).toHaveLength(2);
    await cluster.client.patch(PODS, inDefault('orphan'), {
      type: 'merge',
      body: { metadata: { labels: { app: 'other' } } },
    });
    await cluster.advance(5_000);
    const released = await cluster.client.get(PODS, inDefault('orphan'));
    expect(controllerOf(released)).toBeUndefined();
    expect(await podsOf(cluster, 'web')).toHaveLength(2);
  });

  test('scales down the cheapest pods first', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(REPLICA_SETS, set('web', 4));
    await cluster.advance(5_000);
    const [cheap, dear] = await podsOf(cluster, 'web');
    for (const [target, cost] of [
      [cheap, '-10'],
      [dear, '100'],
    ] as const) {
      await cluster.client.patch(PODS, inDefault(target?.metadata.name ?? ''), {
        type: 'merge',
        body: { metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } } },
      });
    }
    await cluster.client.patch(REPLICA_SETS, inDefault('web'), { type: 'merge', body: { spec: { replicas: 3 } } });
    await cluster.advance(5_000);
    const left = (await podsOf(cluster, 'web')).map((one) => one.metadata.name);
    expect(left).not.toContain(cheap?.metadata.name);
    await cluster.client.patch(REPLICA_SETS, inDefault('web'), { type: 'merge', body: { spec: { replicas: 1 } } });
    await cluster.advance(5_000);
    expect((await podsOf(cluster, 'web')).map((one) => one.metadata.name)).toEqual([dear?.metadata.name]);
  });
});

test('ReplicationController keeps its pods', async () => {
  const cluster = await readyCluster();
  await cluster.client.create(REPLICATION_CONTROLLERS, {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 2,
      selector: { app: 'web' },
      template: { metadata: { labels: { app: 'web' } }, spec: pod('x').spec },
    },
  });
  await cluster.advance(5_000);
  const { status } = await cluster.client.get(REPLICATION_CONTROLLERS, inDefault('web'));
  expect(status).toMatchObject({ replicas: 2, readyReplicas: 2, availableReplicas: 2, fullyLabeledReplicas: 2 });
});
