import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS, NODES, PODS, PRIORITY_CLASSES } from '#api/generated/resources.ts';
import type { PodSpec } from '#api/generated/types.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import {
  deployment,
  eventMessages,
  exists,
  inDefault,
  pod,
  podsOf,
  readyCluster,
  untilAvailable,
} from '../controllers/support.ts';

const asking = (cpu: string): Partial<PodSpec> => ({
  containers: [{ name: 'main', image: 'image:1', resources: { requests: { cpu } } }],
});

async function cordon(cluster: Cluster, name: string, unschedulable: boolean): Promise<void> {
  await cluster.client.patch(NODES, { name }, { type: 'merge', body: { spec: { unschedulable } } });
  await cluster.settle();
}

async function scheduledCondition(cluster: Cluster, name: string) {
  const { status } = await cluster.client.get(PODS, inDefault(name));
  return status?.conditions?.find((condition) => condition.type === 'PodScheduled');
}

async function nodeOf(cluster: Cluster, name: string): Promise<string | undefined> {
  return (await cluster.client.get(PODS, inDefault(name))).spec.nodeName;
}

const smallNodes = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `node-${index + 1}`, cpuCount: 4 }));

describe('Scheduler', () => {
  test('says why a pod waits in upstream words', async () => {
    const cluster = await readyCluster({ nodes: smallNodes(4) });
    await cordon(cluster, 'node-1', true);
    await cluster.client.create(PODS, pod('big', asking('64')));
    await cluster.settle();
    const message =
      '0/4 nodes are available: 1 node(s) were unschedulable, 3 Insufficient cpu. ' +
      'preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.';
    expect(await eventMessages(cluster, 'FailedScheduling')).toEqual([message]);
    expect(await scheduledCondition(cluster, 'big')).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message,
    });
  });

  test('names what is missing, and that no victims were found', async () => {
    const cluster = await readyCluster({ nodes: smallNodes(1) });
    await cluster.client.create(PODS, pod('first', asking('3')));
    await cluster.settle();
    await cluster.client.create(PODS, pod('second', asking('3')));
    await cluster.settle();
    expect((await scheduledCondition(cluster, 'second'))?.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. ' +
        'preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    );
  });

  test('a pending pod is tried again when a node is uncordoned, and when room is made', async () => {
    const cluster = await readyCluster({ nodes: smallNodes(1) });
    await cordon(cluster, 'node-1', true);
    await cluster.client.create(PODS, pod('first', asking('3')));
    await cluster.advance(15_000);
    expect(await nodeOf(cluster, 'first')).toBeUndefined();
    await cordon(cluster, 'node-1', false);
    await cluster.advance(2_000);
    expect(await nodeOf(cluster, 'first')).toBe('node-1');
    await cluster.client.create(PODS, pod('second', asking('3')));
    await cluster.advance(15_000);
    expect(await nodeOf(cluster, 'second')).toBeUndefined();
    await cluster.client.delete(PODS, inDefault('first'));
    await cluster.advance(15_000);
    expect(await nodeOf(cluster, 'second')).toBe('node-1');
  });

  test('waits for a node where there is none', async () => {
    const cluster = await readyCluster({ nodes: 0 });
    await cluster.client.create(PODS, pod('early'));
    await cluster.settle();
    expect(await eventMessages(cluster, 'FailedScheduling')).toEqual(['no nodes available to schedule pods']);
    await cluster.addNode({ name: 'node-1' });
    await cluster.advance(15_000);
    expect(await nodeOf(cluster, 'early')).toBe('node-1');
    expect(await eventMessages(cluster, 'Scheduled')).toContain('Successfully assigned default/early to node-1');
  });

  test('a more important pod takes the place of a less important one', async () => {
    const cluster = await readyCluster({ nodes: smallNodes(2) });
    for (const [name, value] of [
      ['low', 1],
      ['high', 1000],
    ] as const) {
      const metadata = { name };
      await cluster.client.create(PRIORITY_CLASSES, {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata,
        value,
      });
    }
    await cluster.client.create(PODS, pod('low-1', { ...asking('3'), priorityClassName: 'low' }));
    await cluster.client.create(PODS, pod('other', asking('3')));
    await cluster.settle();
    await cluster.client.create(PODS, pod('high', { ...asking('3'), priorityClassName: 'high' }));
    await cluster.advance(30_000);
    expect(await nodeOf(cluster, 'high')).toBeDefined();
    const left = [await exists(cluster, PODS, inDefault('low-1')), await exists(cluster, PODS, inDefault('other'))];
    expect(left.filter(Boolean)).toHaveLength(1);
    expect(await eventMessages(cluster, 'Preempted')).toHaveLength(1);
  });

  test('a gated pod waits for its gates', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(PODS, pod('gated', { schedulingGates: [{ name: 'example.com/wait' }] }));
    await cluster.advance(5_000);
    expect(await nodeOf(cluster, 'gated')).toBeUndefined();
    expect(await eventMessages(cluster, 'FailedScheduling')).toEqual([]);
    await cluster.client.patch(PODS, inDefault('gated'), { type: 'merge', body: { spec: { schedulingGates: [] } } });
    await cluster.advance(2_000);
    expect(await nodeOf(cluster, 'gated')).toBe('node-1');
  });

  test('spreads the replicas of a Deployment over nodes by itself', async () => {
    const cluster = await readyCluster({ nodes: 4 });
    await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 8 }));
    await untilAvailable(cluster, 'web', 8);
    const counts = new Map<string, number>();
    for (const one of await podsOf(cluster, 'web')) {
      counts.set(one.spec.nodeName ?? '', (counts.get(one.spec.nodeName ?? '') ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual([2, 2, 2, 2]);
  });

  test('anti-affinity allows one replica a node, and says so', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    const labelSelector = { matchLabels: { app: 'web' } };
    const term = { labelSelector, topologyKey: 'kubernetes.io/hostname' };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 3 }, { affinity }));
    await cluster.advance(5_000);
    const pods = await podsOf(cluster, 'web');
    expect(pods.filter((one) => one.spec.nodeName !== undefined)).toHaveLength(2);
    const waiting = pods.find((one) => one.spec.nodeName === undefined);
    expect((await scheduledCondition(cluster, waiting?.metadata.name ?? ''))?.message).toBe(
      "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. " +
        'preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.',
    );
  });
});
