import { describe, expect, test } from 'vitest';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  NAMESPACES,
  PODS,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
} from '#api/generated/resources.ts';
import type { ConfigMap } from '#api/generated/types.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import type { OwnerReference } from '#machinery/meta/types.ts';
import { deployment, exists, inDefault, pod, podsOf, readyCluster, replicaSetsOf, untilAvailable } from './support.ts';

const map = (name: string, owners: OwnerReference[] = []): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', ...(owners.length === 0 ? {} : { ownerReferences: owners }) },
});

const ownedBy = (owner: ConfigMap, blockOwnerDeletion = false): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: owner.metadata.name ?? '',
  uid: owner.metadata.uid ?? '',
  ...(blockOwnerDeletion ? { blockOwnerDeletion } : {}),
});

async function web(): Promise<Cluster> {
  const cluster = await readyCluster();
  await cluster.client.create(DEPLOYMENTS, deployment('web'));
  await untilAvailable(cluster, 'web', 3);
  return cluster;
}

describe('Garbage collector', () => {
  test('deletes the dependents of what was deleted in the background', async () => {
    const cluster = await web();
    await cluster.client.delete(DEPLOYMENTS, inDefault('web'), { propagationPolicy: 'Background' });
    expect(await exists(cluster, DEPLOYMENTS, inDefault('web'))).toBe(false);
    await cluster.advance(10_000);
    expect(await replicaSetsOf(cluster, 'web')).toEqual([]);
    expect(await podsOf(cluster, 'web')).toEqual([]);
  });

  test('in the foreground, the owner goes last', async () => {
    const cluster = await web();
    const [held] = await podsOf(cluster, 'web');
    const name = inDefault(held?.metadata.name ?? '');
    const setFinalizers = (finalizers: string[] | null) =>
      cluster.client.patch(PODS, name, { type: 'merge', body: { metadata: { finalizers } } });
    await setFinalizers(['example.com/hold']);
    await cluster.client.delete(DEPLOYMENTS, inDefault('web'), { propagationPolicy: 'Foreground' });
    await cluster.advance(10_000);
    expect(await podsOf(cluster, 'web')).toHaveLength(1);
    expect(await replicaSetsOf(cluster, 'web')).toHaveLength(1);
    expect(await exists(cluster, DEPLOYMENTS, inDefault('web'))).toBe(true);
    await setFinalizers(null);
    await cluster.advance(10_000);
    expect(await podsOf(cluster, 'web')).toEqual([]);
    expect(await replicaSetsOf(cluster, 'web')).toEqual([]);
    expect(await exists(cluster, DEPLOYMENTS, inDefault('web'))).toBe(false);
  });

  test('orphans dependents when asked to', async () => {
    const cluster = await web();
    await cluster.client.delete(DEPLOYMENTS, inDefault('web'), { propagationPolicy: 'Orphan' });
    await cluster.advance(10_000);
    expect(await exists(cluster, DEPLOYMENTS, inDefault('web'))).toBe(false);
    const [set] = await replicaSetsOf(cluster, 'web');
    expect(set?.metadata.ownerReferences ?? []).toEqual([]);
    expect(await podsOf(cluster, 'web')).toHaveLength(3);
    // A Deployment of the same selector takes them over.
    await cluster.client.create(DEPLOYMENTS, deployment('web'));
    await untilAvailable(cluster, 'web', 3);
    expect(await replicaSetsOf(cluster, 'web')).toHaveLength(1);
  });

  test('deletes an object whose owner never existed', async () => {
    const cluster = await readyCluster();
    const ghost = { apiVersion: 'v1', kind: 'ConfigMap', name: 'ghost', uid: '00000000-0000-4000-8000-000000000000' };
    await cluster.client.create(CONFIG_MAPS, map('lost', [ghost]));
    await cluster.advance(5_000);
    expect(await exists(cluster, CONFIG_MAPS, inDefault('lost'))).toBe(false);
  });

  test('keeps an object as long as one owner is left, and drops the other reference', async () => {
    const cluster = await readyCluster();
    const first = await cluster.client.create(CONFIG_MAPS, map('first'));
    const second = await cluster.client.create(CONFIG_MAPS, map('second'));
    await cluster.client.create(CONFIG_MAPS, map('child', [ownedBy(first), ownedBy(second)]));
    await cluster.client.delete(CONFIG_MAPS, inDefault('first'));
    await cluster.advance(5_000);
    const child = await cluster.client.get(CONFIG_MAPS, inDefault('child'));
    expect(child.metadata.ownerReferences?.map((owner) => owner.name)).toEqual(['second']);
    await cluster.client.delete(CONFIG_MAPS, inDefault('second'));
    await cluster.advance(5_000);
    expect(await exists(cluster, CONFIG_MAPS, inDefault('child'))).toBe(false);
  });

  test('a circle of owners does not block its own foreground deletion', async () => {
    const cluster = await readyCluster();
    const first = await cluster.client.create(CONFIG_MAPS, map('first'));
    const second = await cluster.client.create(CONFIG_MAPS, map('second', [ownedBy(first, true)]));
    await cluster.client.patch(CONFIG_MAPS, inDefault('first'), {
      type: 'merge',
      body: { metadata: { ownerReferences: [ownedBy(second, true)] } },
    });
    await cluster.settle();
    await cluster.client.delete(CONFIG_MAPS, inDefault('first'), { propagationPolicy: 'Foreground' });
    await cluster.advance(30_000);
    expect(await exists(cluster, CONFIG_MAPS, inDefault('first'))).toBe(false);
    expect(await exists(cluster, CONFIG_MAPS, inDefault('second'))).toBe(false);
  });
});

describe('Namespace deletion', () => {
  test('empties the namespace and lets it go', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
      spec: {},
    });
    await cluster.settle();
    await cluster.client.create(PODS, pod('till', {}, { namespace: 'shop' }));
    await cluster.client.create(REPLICA_SETS, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: pod('x').spec },
      },
    });
    await cluster.advance(3_000);
    await cluster.client.delete(NAMESPACES, { name: 'shop' });
    await cluster.advance(30_000);
    expect(await exists(cluster, NAMESPACES, { name: 'shop' })).toBe(false);
    expect((await cluster.client.list(PODS, { namespace: 'shop' })).items).toEqual([]);
  });

  test('says which finalizers hold it up', async () => {
    const cluster = await readyCluster();
    const metadata = { name: 'shop' };
    await cluster.client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata, spec: {} });
    const held = map('held');
    await cluster.client.create(CONFIG_MAPS, {
      ...held,
      metadata: { name: 'held', namespace: 'shop', finalizers: ['example.com/wait'] },
    });
    await cluster.client.delete(NAMESPACES, { name: 'shop' });
    await cluster.advance(5_000);
    const { status } = await cluster.client.get(NAMESPACES, { name: 'shop' });
    expect(status?.phase).toBe('Terminating');
    const messages = Object.fromEntries((status?.conditions ?? []).map(({ type, message }) => [type, message]));
    expect(messages).toMatchObject({
      NamespaceContentRemaining: 'Some resources are remaining: configmaps. has 1 resource instances',
      NamespaceFinalizersRemaining:
        'Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances',
    });
    await cluster.client.patch(
      CONFIG_MAPS,
      { name: 'held', namespace: 'shop' },
      { type: 'merge', body: { metadata: { finalizers: null } } },
    );
    await cluster.advance(10_000);
    expect(await exists(cluster, NAMESPACES, { name: 'shop' })).toBe(false);
  });

  test('every namespace has its service account', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
      spec: {},
    });
    await cluster.settle();
    expect(await exists(cluster, SERVICE_ACCOUNTS, { name: 'default', namespace: 'shop' })).toBe(true);
  });
});
