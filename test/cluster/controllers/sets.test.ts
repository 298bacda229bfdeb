import { describe, expect, test } from 'vitest';
import {
  CONTROLLER_REVISIONS,
  DAEMON_SETS,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
  STATEFUL_SETS,
} from '#api/generated/resources.ts';
import type { DaemonSet, StatefulSet } from '#api/generated/types.ts';
import { type Cluster } from '#cluster/create-cluster.ts';
import { eventMessages, inDefault, pod, podsOf, readyCluster } from './support.ts';

const template = (app: string) => ({ metadata: { labels: { app } }, spec: pod('x').spec });

function statefulSet(spec: Partial<StatefulSet['spec']> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default' },
    spec: {
      replicas: 3,
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template: template('db'),
      ...spec,
    },
  };
}

function daemonSet(spec: Partial<DaemonSet['spec']> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent', namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent'), ...spec },
  };
}

const newImage = { spec: { template: { spec: { containers: [{ name: 'main', image: 'image:2' }] } } } };

async function imagesOf(cluster: Cluster, app: string): Promise<string[]> {
  const pods = await podsOf(cluster, app);
  return pods.map(({ metadata, spec }) => `${metadata.name} ${spec.containers[0]?.image}`).toSorted();
}

describe('StatefulSet', () => {
  test('starts its pods in order, and ends them in reverse', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(STATEFUL_SETS, statefulSet());
    await cluster.advance(20_000);
    const created = (await podsOf(cluster, 'db')).toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1,
    );
    expect(created.map(({ metadata }) => metadata.name)).toEqual(['db-0', 'db-1', 'db-2']);
    expect(created[1]?.spec).toMatchObject({ hostname: 'db-1', subdomain: 'db' });
    const { status } = await cluster.client.get(STATEFUL_SETS, inDefault('db'));
    expect(status).toMatchObject({ replicas: 3, readyReplicas: 3, availableReplicas: 3, updatedReplicas: 3 });
    await cluster.client.patch(STATEFUL_SETS, inDefault('db'), { type: 'merge', body: { spec: { replicas: 1 } } });
    await cluster.advance(20_000);
    expect((await podsOf(cluster, 'db')).map(({ metadata }) => metadata.name)).toEqual(['db-0']);
    expect(await eventMessages(cluster, 'SuccessfulDelete')).toEqual([
      'delete Pod db-1 in StatefulSet db successful',
      'delete Pod db-2 in StatefulSet db successful',
    ]);
  });

  test('rolls down to its partition, then all the way', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 2 } };
    await cluster.client.create(STATEFUL_SETS, statefulSet({ updateStrategy, podManagementPolicy: 'Parallel' }));
    await cluster.advance(10_000);
    await cluster.client.patch(STATEFUL_SETS, inDefault('db'), { type: 'strategic', body: newImage });
    await cluster.advance(20_000);
    expect(await imagesOf(cluster, 'db')).toEqual(['db-0 image:1', 'db-1 image:1', 'db-2 image:2']);
    await cluster.client.delete(PODS, inDefault('db-0'));
    await cluster.advance(20_000);
    expect(await imagesOf(cluster, 'db')).toEqual(['db-0 image:1', 'db-1 image:1', 'db-2 image:2']);
    const body = { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } };
    await cluster.client.patch(STATEFUL_SETS, inDefault('db'), { type: 'merge', body });
    await cluster.advance(60_000);
    expect(await imagesOf(cluster, 'db')).toEqual(['db-0 image:2', 'db-1 image:2', 'db-2 image:2']);
    const { status } = await cluster.client.get(STATEFUL_SETS, inDefault('db'));
    expect(status?.currentRevision).toBe(status?.updateRevision);
    expect((await cluster.client.list(CONTROLLER_REVISIONS, { namespace: 'default' })).items).toHaveLength(2);
  });

  test('makes a claim for each pod', async () => {
    const cluster = await readyCluster();
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    const volumeClaimTemplates = [
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec },
    ];
    const set = statefulSet({ replicas: 2, podManagementPolicy: 'Parallel', volumeClaimTemplates });
    await cluster.client.create(STATEFUL_SETS, set);
    await cluster.advance(5_000);
    const { items } = await cluster.client.list(PERSISTENT_VOLUME_CLAIMS, { namespace: 'default' });
    expect(items.map(({ metadata }) => metadata.name).toSorted()).toEqual(['data-db-0', 'data-db-1']);
    const first = await cluster.client.get(PODS, inDefault('db-0'));
    expect(first.spec.volumes?.[0]).toEqual({ name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } });
  });
});

describe('DaemonSet', () => {
  test('runs on every node it fits, new ones too, and leaves those it no longer fits', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DAEMON_SETS, daemonSet());
    await cluster.advance(5_000);
    const nodesOf = async () => (await podsOf(cluster, 'agent')).map(({ spec }) => spec.nodeName ?? '').toSorted();
    expect(await nodesOf()).toEqual(['node-1', 'node-2']);
    await cluster.addNode({ name: 'late' });
    await cluster.advance(10_000);
    expect(await nodesOf()).toEqual(['late', 'node-1', 'node-2']);
    const { status } = await cluster.client.get(DAEMON_SETS, inDefault('agent'));
    expect(status).toMatchObject({ desiredNumberScheduled: 3, numberReady: 3, numberAvailable: 3 });
    const body = { spec: { taints: [{ key: 'gone', effect: 'NoExecute' }] } };
    await cluster.client.patch(NODES, { name: 'late' }, { type: 'merge', body });
    await cluster.advance(10_000);
    expect(await nodesOf()).toEqual(['node-1', 'node-2']);
  });

  test('replaces its pods one by one, and failed ones again', async () => {
    const cluster = await readyCluster({ nodes: 3 });
    await cluster.client.create(DAEMON_SETS, daemonSet());
    await cluster.advance(5_000);
    await cluster.client.patch(DAEMON_SETS, inDefault('agent'), { type: 'strategic', body: newImage });
    await cluster.advance(60_000);
    const images = (await podsOf(cluster, 'agent')).map(({ spec }) => spec.containers[0]?.image);
    expect(images).toEqual(['image:2', 'image:2', 'image:2']);
    const { status } = await cluster.client.get(DAEMON_SETS, inDefault('agent'));
    expect(status).toMatchObject({ updatedNumberScheduled: 3, numberAvailable: 3 });
    const [victim] = await podsOf(cluster, 'agent');
    const failed = { status: { phase: 'Failed' } };
    const target = inDefault(victim?.metadata.name ?? '');
    await cluster.client.patch(PODS, target, { type: 'merge', body: failed }, { subresource: 'status' });
    await cluster.advance(30_000);
    const pods = await podsOf(cluster, 'agent');
    expect(pods).toHaveLength(3);
    expect(pods.map(({ metadata }) => metadata.uid)).not.toContain(victim?.metadata.uid);
  });
});
