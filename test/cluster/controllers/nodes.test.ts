import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS, EVENTS, NODES, POD_DISRUPTION_BUDGETS, PODS } from '#api/generated/resources.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import { deployment, eventMessages, exists, inDefault, pod, podsOf, readyCluster, untilAvailable } from './support.ts';

async function nodeOf(cluster: Cluster, name: string) {
  return cluster.client.get(NODES, { name });
}

describe('Node failure', () => {
  test('ten replicas on four nodes run again elsewhere when two nodes die', async () => {
    const cluster = await readyCluster({ nodes: 4 });
    await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 10 }));
    await untilAvailable(cluster, 'web', 10);
    await cluster.killNode('node-1');
    await cluster.killNode('node-2');
    await cluster.advance(60_000);
    const dead = await nodeOf(cluster, 'node-1');
    expect(dead.status?.conditions?.find((condition) => condition.type === 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    });
    const taints = (dead.spec.taints ?? []).map((taint) => `${taint.key}:${taint.effect}`).toSorted();
    expect(taints).toEqual(['node.kubernetes.io/unreachable:NoExecute', 'node.kubernetes.io/unreachable:NoSchedule']);
    expect(await eventMessages(cluster, 'NodeNotReady')).toContain('Node node-1 status is now: NodeNotReady');
    const lost = (await podsOf(cluster, 'web')).filter((one) => one.spec.nodeName === 'node-1');
    expect(lost.length).toBeGreaterThan(0);
    for (const one of lost) {
      expect(one.status?.conditions?.find((condition) => condition.type === 'Ready')?.status).toBe('False');
    }
    await cluster.advance(330_000);
    const all = await podsOf(cluster, 'web');
    const alive = all.filter((one) => one.metadata.deletionTimestamp === undefined);
    expect(alive).toHaveLength(10);
    expect(new Set(alive.map((one) => one.spec.nodeName))).toEqual(new Set(['node-3', 'node-4']));
    const evicted = all.find((one) => one.metadata.deletionTimestamp !== undefined);
    expect(evicted?.status?.conditions?.find((condition) => condition.type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    });
    const { items } = await cluster.client.list(EVENTS);
    expect(items.some((event) => event.reason === 'TaintManagerEviction')).toBe(true);
    await untilAvailable(cluster, 'web', 10);
  });

  test('nothing is evicted while no node at all is heard of', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web'));
    await untilAvailable(cluster, 'web', 3);
    const before = (await podsOf(cluster, 'web')).map((one) => one.metadata.uid ?? '').toSorted();
    await cluster.killNode('node-1');
    await cluster.killNode('node-2');
    await cluster.advance(600_000);
    const after = await podsOf(cluster, 'web');
    expect(after.filter((one) => one.metadata.deletionTimestamp !== undefined)).toEqual([]);
    expect(after.map((one) => one.metadata.uid ?? '').toSorted()).toEqual(before);
  });

  test('pods of a node that was deleted are collected', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(PODS, pod('lonely', { nodeName: 'node-2' }));
    await cluster.advance(5_000);
    await cluster.killNode('node-2');
    await cluster.client.delete(NODES, { name: 'node-2' });
    await cluster.advance(90_000);
    expect(await exists(cluster, PODS, inDefault('lonely'))).toBe(false);
  });

  test('a NoExecute taint evicts what does not tolerate it, after its tolerated time', async () => {
    const cluster = await readyCluster();
    const toleration = { key: 'maintenance', operator: 'Exists', effect: 'NoExecute' };
    await cluster.client.create(PODS, pod('frail'));
    await cluster.client.create(PODS, pod('patient', { tolerations: [{ ...toleration, tolerationSeconds: 60 }] }));
    await cluster.client.create(PODS, pod('firm', { tolerations: [toleration] }));
    await cluster.advance(5_000);
    await cluster.client.patch(
      NODES,
      { name: 'node-1' },
      {
        type: 'merge',
        body: { spec: { taints: [{ key: 'maintenance', effect: 'NoExecute' }] } },
      },
    );
    await cluster.advance(20_000);
    expect(await exists(cluster, PODS, inDefault('frail'))).toBe(false);
    expect(await exists(cluster, PODS, inDefault('patient'))).toBe(true);
    await cluster.advance(60_000);
    expect(await exists(cluster, PODS, inDefault('patient'))).toBe(false);
    expect(await exists(cluster, PODS, inDefault('firm'))).toBe(true);
  });

  test('every node has its own range of pod addresses', async () => {
    const cluster = await readyCluster({ nodes: 3 });
    const { items } = await cluster.client.list(NODES);
    expect(items.map((node) => node.spec.podCIDR ?? '').toSorted()).toEqual([
      '10.244.0.0/24',
      '10.244.1.0/24',
      '10.244.2.0/24',
    ]);
  });
});

test('a PodDisruptionBudget knows how many pods may go', async () => {
  const cluster = await readyCluster();
  await cluster.client.create(POD_DISRUPTION_BUDGETS, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default' },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  await cluster.client.create(DEPLOYMENTS, deployment('web'));
  await untilAvailable(cluster, 'web', 3);
  await cluster.settle();
  const { status } = await cluster.client.get(POD_DISRUPTION_BUDGETS, inDefault('web'));
  expect(status).toMatchObject({ expectedPods: 3, desiredHealthy: 2, currentHealthy: 3, disruptionsAllowed: 1 });
  expect(status?.conditions?.[0]).toMatchObject({
    type: 'DisruptionAllowed',
    status: 'True',
    reason: 'SufficientPods',
  });
});
