import { describe, expect, test } from 'vitest';
import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import { DEPLOYMENTS, ENDPOINT_SLICES, NAMESPACES, PODS, REPLICA_SETS, SERVICES } from '#api/generated/resources.ts';
import type { Deployment } from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import {
  deployment,
  eventMessages,
  inDefault,
  podsOf,
  readyCluster,
  replicaSetsOf,
  untilAvailable,
} from '../controllers/support.ts';

const SIMULATION = 'simulation.tiphys.io';

function template(image: string, annotations: Record<string, string> = {}) {
  return {
    metadata: { labels: { app: 'web' }, annotations },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }] },
  };
}

async function patch(cluster: Cluster, spec: object): Promise<void> {
  await cluster.client.patch(DEPLOYMENTS, inDefault('web'), { type: 'merge', body: { spec } });
}

const condition = (object: Deployment, type: string) => object.status?.conditions?.find((one) => one.type === type);

/**
 * The least pods ready at any revision, and the most that all ReplicaSets together ask for, while `act` runs: what
 * maxUnavailable and maxSurge bound. (Pods themselves may be more for a moment: one set creates before another deletes.)
 */
async function extremes(cluster: Cluster, act: () => Promise<void>): Promise<{ ready: number; asked: number }> {
  const stop = new AbortController();
  const found = { ready: Number.POSITIVE_INFINITY, asked: 0 };
  const watchPods = follow(cluster, { resource: PODS, signal: stop.signal }, (pods) => {
    const active = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    found.ready = Math.min(found.ready, active.filter(isPodReady).length);
  });
  const watchSets = follow(cluster, { resource: REPLICA_SETS, signal: stop.signal }, (sets) => {
    const asked = sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
    found.asked = Math.max(found.asked, asked);
  });
  await act();
  stop.abort();
  await Promise.all([watchPods, watchSets]);
  return found;
}

/** Tells of the state after each event. */
async function follow<T extends KubeObject>(
  cluster: Cluster,
  target: { resource: ResourceType<T>; signal: AbortSignal },
  onState: (objects: T[]) => void,
): Promise<void> {
  const { resource, signal } = target;
  const list = await cluster.client.list(resource, { namespace: 'default' });
  const state = new Map(list.items.map((one) => [one.metadata.name ?? '', one]));
  const options = { namespace: 'default', resourceVersion: list.metadata.resourceVersion ?? '', signal };
  for await (const { type, object } of cluster.client.watch(resource, options)) {
    if (type === 'DELETED') state.delete(object.metadata.name ?? '');
    // Safe: bookmarks were not asked for.
    else state.set(object.metadata.name ?? '', object as T);
    onState([...state.values()]);
  }
}

describe('a rollout', () => {
  test('keeps within maxUnavailable and maxSurge at every single revision', async () => {
    const cluster = await readyCluster({ nodes: 3 });
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 2 } };
    await cluster.client.create(
      DEPLOYMENTS,
      deployment('web', {
        replicas: 10,
        strategy,
        template: template('image:1', { [`${SIMULATION}/ready-after`]: '2' }),
      }),
    );
    await untilAvailable(cluster, 'web', 10);
    const { ready, asked } = await extremes(cluster, async () => {
      await patch(cluster, { template: template('image:2', { [`${SIMULATION}/ready-after`]: '3' }) });
      await untilAvailable(cluster, 'web', 10);
    });
    expect(ready).toBeGreaterThanOrEqual(9);
    expect(asked).toBeLessThanOrEqual(12);
    expect(asked).toBeGreaterThan(10);
  });

  test('that is paused waits, and goes on when it is resumed', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web', { template: template('image:1') }));
    await untilAvailable(cluster, 'web', 3);
    await patch(cluster, { paused: true, template: template('image:2') });
    await cluster.advance(30_000);
    const images = async () => (await podsOf(cluster, 'web')).map(({ spec }) => spec.containers[0]?.image);
    expect(await images()).toEqual(['image:1', 'image:1', 'image:1']);
    // Scaling works while paused.
    await patch(cluster, { replicas: 5 });
    await cluster.advance(30_000);
    expect(await images()).toHaveLength(5);
    expect(condition(await cluster.client.get(DEPLOYMENTS, inDefault('web')), 'Progressing')?.reason).toBe(
      'DeploymentPaused',
    );
    await patch(cluster, { paused: false });
    await untilAvailable(cluster, 'web', 5);
    expect(new Set(await images())).toEqual(new Set(['image:2']));
  });

  test('can be undone with the template of an older ReplicaSet, which is used again', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web', { template: template('image:1') }));
    await untilAvailable(cluster, 'web', 3);
    await patch(cluster, { template: template('image:2') });
    await untilAvailable(cluster, 'web', 3);
    const sets = await replicaSetsOf(cluster, 'web');
    const first = sets.find(({ metadata }) => metadata.annotations?.['deployment.kubernetes.io/revision'] === '1');
    const { 'pod-template-hash': _, ...labels } = first?.spec.template?.metadata?.labels ?? {};
    const body = [
      {
        op: 'replace' as const,
        path: '/spec/template',
        value: { ...first?.spec.template, metadata: { ...first?.spec.template?.metadata, labels } },
      },
    ];
    await cluster.client.patch(DEPLOYMENTS, inDefault('web'), { type: 'json', operations: body });
    await untilAvailable(cluster, 'web', 3);
    const after = await replicaSetsOf(cluster, 'web');
    expect(after.map(({ metadata }) => metadata.uid).toSorted()).toEqual(
      sets.map(({ metadata }) => metadata.uid).toSorted(),
    );
    const again = after.find(({ metadata }) => metadata.uid === first?.metadata.uid);
    expect(again?.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    expect(again?.status?.readyReplicas).toBe(3);
  });

  test.each([
    ['pods that never get ready', { [`${SIMULATION}/ready`]: 'false' }],
    ['containers that cannot start', { [`${SIMULATION}/start-error`]: 'no such program' }],
  ])('that gets nowhere says so and spares the old pods: %s', async (_, annotations) => {
    const cluster = await readyCluster({ nodes: 2 });
    const spec = { progressDeadlineSeconds: 60, template: template('image:1') };
    await cluster.client.create(DEPLOYMENTS, deployment('web', spec));
    await untilAvailable(cluster, 'web', 3);
    await patch(cluster, { template: template('image:2', annotations) });
    await cluster.advance(50_000);
    const early = await cluster.client.get(DEPLOYMENTS, inDefault('web'));
    expect(condition(early, 'Progressing')?.status).toBe('True');
    await cluster.advance(20_000);
    const late = await cluster.client.get(DEPLOYMENTS, inDefault('web'));
    const progressing = condition(late, 'Progressing');
    expect(progressing).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    expect(progressing?.message).toMatch(/^ReplicaSet "web-[a-z0-9]+" has timed out progressing\.$/);
    expect(late.status?.availableReplicas).toBe(3);
    expect(condition(late, 'Available')?.status).toBe('True');
    // A template that works ends the misery.
    const without = Object.fromEntries(Object.keys(annotations).map((key) => [key, null]));
    await patch(cluster, { template: { ...template('image:3'), metadata: { annotations: without } } });
    await untilAvailable(cluster, 'web', 3);
    expect(condition(await cluster.client.get(DEPLOYMENTS, inDefault('web')), 'Progressing')?.reason).toBe(
      'NewReplicaSetAvailable',
    );
  });

  test('scales through its subresource, and says what it scaled', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    await cluster.client.create(DEPLOYMENTS, deployment('web'));
    await untilAvailable(cluster, 'web', 3);
    await cluster.client.patch(
      DEPLOYMENTS,
      inDefault('web'),
      { type: 'merge', body: { spec: { replicas: 1 } } },
      { subresource: 'scale' },
    );
    await untilAvailable(cluster, 'web', 1);
    const [set] = await replicaSetsOf(cluster, 'web');
    const messages = await eventMessages(cluster, 'ScalingReplicaSet');
    expect(messages).toEqual([
      `Scaled down replica set ${set?.metadata.name} from 3 to 1`,
      `Scaled up replica set ${set?.metadata.name} from 0 to 3`,
    ]);
  });
});

describe('a service', () => {
  test('has the addresses of those pods that are ready, as they become ready', async () => {
    const cluster = await readyCluster({ nodes: 2 });
    const annotations = { [`${SIMULATION}/ready-after`]: '20' };
    await cluster.client.create(DEPLOYMENTS, deployment('web', { template: template('image:1', annotations) }));
    await cluster.client.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    const endpoints = async () => {
      const options = { namespace: 'default', labelSelector: 'kubernetes.io/service-name=web' };
      const { items } = await cluster.client.list(ENDPOINT_SLICES, options);
      return items.flatMap((slice) => slice.endpoints ?? []);
    };
    await cluster.advance(10_000);
    expect((await endpoints()).map(({ conditions }) => conditions?.ready)).toEqual([false, false, false]);
    await cluster.advance(20_000);
    const ready = await endpoints();
    expect(ready.map(({ conditions }) => conditions?.ready)).toEqual([true, true, true]);
    const addresses = (await podsOf(cluster, 'web')).map(({ status }) => status?.podIP);
    expect(ready.map((one) => one.addresses[0]).toSorted()).toEqual(addresses.toSorted());
    const [victim] = await podsOf(cluster, 'web');
    await cluster.client.delete(PODS, inDefault(victim?.metadata.name ?? ''));
    await cluster.settle();
    const gone = (await endpoints()).find((one) => one.targetRef?.uid === victim?.metadata.uid);
    expect(gone?.conditions?.ready ?? false).toBe(false);
  });
});

test('a namespace takes everything with it, running pods included', async () => {
  const cluster = await readyCluster({ nodes: 2 });
  await cluster.client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
    spec: {},
  });
  const object = deployment('web');
  await cluster.client.create(DEPLOYMENTS, { ...object, metadata: { name: 'web', namespace: 'shop' } });
  await cluster.advance(10_000);
  expect((await cluster.client.list(PODS, { namespace: 'shop' })).items).toHaveLength(3);
  await cluster.client.delete(NAMESPACES, { name: 'shop' });
  await cluster.waitFor('the namespace to be gone', async () => {
    const { items } = await cluster.client.list(NAMESPACES);
    return items.every(({ metadata }) => metadata.name !== 'shop');
  });
  expect((await cluster.client.list(PODS)).items).toEqual([]);
  expect((await cluster.client.list(DEPLOYMENTS)).items).toEqual([]);
});
