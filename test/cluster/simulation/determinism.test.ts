import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS } from '#api/generated/resources.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { RealityLeakError } from '#machinery/executor/trap-globals.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { deployment, inDefault, untilAvailable } from '../controllers/support.ts';

/** A rollout, a dead node, deletions and a restart: what uses names, times and races of every component. */
async function busyHour(cluster: Cluster): Promise<string> {
  const { client } = cluster;
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' }, spec: {} });
  await client.create(DEPLOYMENTS, deployment('web', { replicas: 6 }));
  await untilAvailable(cluster, 'web', 6);
  const image = { spec: { template: { spec: { containers: [{ name: 'main', image: 'image:2' }] } } } };
  await client.patch(DEPLOYMENTS, inDefault('web'), { type: 'strategic', body: image });
  await cluster.advance(1_500);
  await cluster.killNode('node-2');
  await client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { generateName: 'map-', namespace: 'shop' },
  });
  await cluster.advance(400_000);
  await client.delete(NAMESPACES, { name: 'shop' });
  await client.deleteCollection(PODS, { namespace: 'default', labelSelector: 'app=web' });
  await cluster.restart();
  await untilAvailable(cluster, 'web', 6);
  await client.delete(DEPLOYMENTS, inDefault('web'), { propagationPolicy: 'Foreground' });
  await cluster.advance(1_200_000);
  return cluster.hash();
}

async function hashOf(seed: string | number): Promise<string> {
  await using cluster = await createCluster({ seed, nodes: 3 });
  return await busyHour(cluster);
}

describe('a simulated cluster', () => {
  test('does the same again for the same seed, and something else for another', async () => {
    const first = await hashOf('a seed');
    expect(await hashOf('a seed')).toBe(first);
    expect(await hashOf('another seed')).not.toBe(first);
  });

  test('does the same whatever else runs in the process', async () => {
    const alone = await hashOf(7);
    await using other = await createCluster({ seed: 8 });
    await other.advance(30_000);
    const beside = hashOf(7);
    await other.advance(30_000);
    expect(await beside).toBe(alone);
  });

  test('catches real time and randomness inside its tasks, and leaves the test its own', async () => {
    await using cluster = await createCluster();
    const executor = new SimulatedExecutor({ seed: 1 });
    const leaks: [string, () => unknown][] = [
      ['Date.now()', () => Date.now()],
      ['Math.random', () => Math.random()],
      ['setTimeout', () => setTimeout(() => undefined, 1)],
    ];
    for (const [what, leak] of leaks) {
      const outcome = executor.run('controller', leak).catch((error: unknown) => error);
      await executor.settle();
      const error = await outcome;
      expect(error).toBeInstanceOf(RealityLeakError);
      expect(String(error)).toContain(what);
    }
    await cluster.settle();
    expect(Date.now()).toBeGreaterThan(0);
    expect(Math.random()).toBeLessThan(1);
  });
});
