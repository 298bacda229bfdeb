import { expect, test } from 'vitest';
import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import { DEPLOYMENTS, NODES, POD_DISRUPTION_BUDGETS, PODS } from '#api/generated/resources.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import { isTooManyRequests } from '#machinery/errors/status-error.ts';
import { deployment, inDefault, podsOf, readyCluster, untilAvailable } from '../controllers/support.ts';

async function evict(cluster: Cluster, name: string): Promise<unknown> {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: inDefault(name) };
  try {
    await cluster.client.createSubresource(PODS, inDefault(name), 'eviction', body);
    return undefined;
  } catch (error) {
    return error;
  }
}

test('a drain evicts pod by pod, as fast as the disruption budget allows', async () => {
  const cluster = await readyCluster({ nodes: 2 });
  const { client } = cluster;
  await client.create(DEPLOYMENTS, deployment('web', { replicas: 6 }));
  await client.create(POD_DISRUPTION_BUDGETS, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default' },
    spec: { minAvailable: 5, selector: { matchLabels: { app: 'web' } } },
  });
  await untilAvailable(cluster, 'web', 6);
  await cluster.advance(2_000);
  await client.patch(NODES, { name: 'node-1' }, { type: 'merge', body: { spec: { unschedulable: true } } });
  const onNode = async () => (await podsOf(cluster, 'web')).filter(({ spec }) => spec.nodeName === 'node-1');
  expect((await onNode()).length).toBeGreaterThan(1);
  const refusals: string[] = [];
  for (let round = 0; round < 100 && (await onNode()).length > 0; round += 1) {
    for (const { metadata } of await onNode()) {
      if (metadata.deletionTimestamp !== undefined) continue;
      const error = await evict(cluster, metadata.name ?? '');
      if (error === undefined) continue;
      expect(isTooManyRequests(error)).toBe(true);
      refusals.push(error instanceof Error ? error.message : '');
    }
    const ready = (await podsOf(cluster, 'web')).filter(
      (one) => isPodReady(one) && one.metadata.deletionTimestamp === undefined,
    );
    expect(ready.length).toBeGreaterThanOrEqual(5);
    await cluster.advance(1_000);
  }
  expect(await onNode()).toEqual([]);
  expect(new Set(refusals)).toEqual(new Set(["Cannot evict pod as it would violate the pod's disruption budget."]));
  await untilAvailable(cluster, 'web', 6);
});
