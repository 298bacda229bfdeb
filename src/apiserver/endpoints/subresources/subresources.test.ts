import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS } from '#api/generated/resources.ts';
import type { Pod } from '#api/generated/types.ts';
import { isNotFound, StatusError } from '#machinery/errors/status-error.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { type TestServer, startTestServer } from '../../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(new RealExecutor());
});
afterAll(() => server.close());

function pod(name: string, labels: Record<string, string> = {}): Pod {
  const spec = { containers: [{ name: 'c', image: 'i' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels }, spec };
}

function bind(name: string, node: string): Promise<KubeObject> {
  const target = { kind: 'Node', name: node };
  const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target };
  return server.client.createSubresource(PODS, { name, namespace: 'default' }, 'binding', body);
}

function evict(name: string): Promise<KubeObject> {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' } };
  return server.client.createSubresource(PODS, { name, namespace: 'default' }, 'eviction', body);
}

describe('pods/binding', () => {
  test('puts a pod on a node, once', async () => {
    const made = await server.client.create(PODS, pod('bound'));
    expect(await bind('bound', 'n1')).toMatchObject({ kind: 'Status', status: 'Success', code: 201 });
    const bound = await server.client.get(PODS, { name: 'bound', namespace: 'default' });
    expect(bound.spec.nodeName).toBe('n1');
    expect(bound.metadata.generation).toBe(made.metadata.generation);
    expect(bound.metadata.managedFields).toEqual(made.metadata.managedFields);
    expect(bound.status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
    await expect(bind('bound', 'n2')).rejects.toThrow(
      'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"',
    );
  });
});

describe('scale', () => {
  test('reads and writes the replicas of a workload', async () => {
    const { client } = server;
    const name = { name: 'web', namespace: 'default' };
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { replicas: 2, selector: { matchLabels: { app: 'web' } }, template };
    await client.create(DEPLOYMENTS, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: name, spec });
    const scale = await client.get(DEPLOYMENTS, name, { subresource: 'scale' });
    expect(scale).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 2 },
      status: { replicas: 0, selector: 'app=web' },
    });
    const patch = { type: 'merge', body: { spec: { replicas: 5 } } } as const;
    expect(await client.patch(DEPLOYMENTS, name, patch, { subresource: 'scale' })).toMatchObject({
      spec: { replicas: 5 },
    });
    const scaled = await client.get(DEPLOYMENTS, name);
    expect(scaled.spec.replicas).toBe(5);
    expect(scaled.metadata.generation).toBe(2);
    await expect(
      client.patch(DEPLOYMENTS, name, { type: 'merge', body: { spec: { replicas: -1 } } }, { subresource: 'scale' }),
    ).rejects.toThrow(
      'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    );
  });
});

describe('pods/eviction', () => {
  test('takes from the disruption budget and refuses when it is used up', async () => {
    const { client } = server;
    const labels = { app: 'guarded' };
    for (const name of ['g1', 'g2']) {
      await client.create(PODS, pod(name, labels));
      await bind(name, 'n1');
      const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
      await client.patch(
        PODS,
        { name, namespace: 'default' },
        { type: 'merge', body: { status } },
        { subresource: 'status' },
      );
    }
    const metadata = { name: 'guard', namespace: 'default' };
    const spec = { minAvailable: 1, selector: { matchLabels: labels } };
    await client.create(POD_DISRUPTION_BUDGETS, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec,
    });
    const status = {
      observedGeneration: 1,
      disruptionsAllowed: 1,
      currentHealthy: 2,
      desiredHealthy: 1,
      expectedPods: 2,
    };
    await client.patch(
      POD_DISRUPTION_BUDGETS,
      metadata,
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
    expect(await evict('g1')).toMatchObject({ status: 'Success' });
    const evicted = await client.get(PODS, { name: 'g1', namespace: 'default' });
    expect(evicted.metadata.deletionTimestamp).toBeDefined();
    const refusal = await evict('g2').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StatusError);
    expect((refusal as StatusError).status).toMatchObject({
      code: 429,
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [
          {
            reason: 'DisruptionBudget',
            message: 'The disruption budget guard needs 1 healthy pods and has 2 currently',
          },
        ],
      },
    });
  });

  test('deletes at once what no budget guards', async () => {
    await server.client.create(PODS, pod('free'));
    await evict('free');
    await expect(server.client.get(PODS, { name: 'free', namespace: 'default' })).rejects.toSatisfy(isNotFound);
    await expect(evict('free')).rejects.toSatisfy(isNotFound);
  });
});

describe('pods/ephemeralcontainers', () => {
  test('adds containers and never takes one away', async () => {
    const { client } = server;
    const name = { name: 'debugged', namespace: 'default' };
    await client.create(PODS, pod('debugged'));
    const body = { spec: { ephemeralContainers: [{ name: 'shell', image: 'busybox' }] } };
    const options = { subresource: 'ephemeralcontainers' };
    const added = await client.patch(PODS, name, { type: 'strategic', body }, options);
    expect(added.spec.ephemeralContainers).toMatchObject([{ name: 'shell', image: 'busybox' }]);
    const wrong = [
      { name: 'shell', image: 'busybox' },
      { name: 'a b', image: 'x', targetContainerName: 'nobody' },
    ];
    const add = (ephemeralContainers: object[]) =>
      client.patch(PODS, name, { type: 'merge', body: { spec: { ephemeralContainers } } }, options);
    await expect(add(wrong)).rejects.toThrow('spec.ephemeralContainers[1].name: Invalid value: "a b"');
    await expect(add([{ name: 'shell', image: 'other' }])).rejects.toThrow(
      'existing ephemeral containers "shell" may not be changed',
    );
    const none = { type: 'merge', body: { spec: { ephemeralContainers: null } } } as const;
    await expect(client.patch(PODS, name, none, options)).rejects.toThrow('may not be removed');
  });
});
