import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { API_SERVICES, FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS } from '#api/generated/resources.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await createCluster({ nodes: 0 });
  await cluster.settle();
});
afterAll(() => cluster.stop());

const names = (items: readonly { metadata: { name?: string } }[]) =>
  items.map(({ metadata }) => metadata.name).toSorted();

describe('APIService objects', () => {
  test('stand for every version that the server has itself', async () => {
    const { items } = await cluster.client.list(API_SERVICES);
    expect(items).toHaveLength(21);
    const apps = items.find(({ metadata }) => metadata.name === 'v1.apps');
    expect(apps).toMatchObject({
      metadata: { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
      spec: { group: 'apps', version: 'v1', groupPriorityMinimum: 17_800, versionPriority: 15 },
      status: {
        conditions: [
          { type: 'Available', status: 'True', reason: 'Local', message: 'Local APIServices are always available' },
        ],
      },
    });
    const core = items.find(({ metadata }) => metadata.name === 'v1.');
    expect(core?.spec).toEqual({ version: 'v1', groupPriorityMinimum: 18_000, versionPriority: 1 });
  });

  test('come back when they are deleted', async () => {
    await cluster.client.delete(API_SERVICES, { name: 'v1.batch' });
    await cluster.settle();
    expect((await cluster.client.get(API_SERVICES, { name: 'v1.batch' })).spec?.versionPriority).toBe(15);
  });
});

describe('flow control objects', () => {
  test('are there from the start', async () => {
    expect(names((await cluster.client.list(PRIORITY_LEVEL_CONFIGURATIONS)).items)).toEqual([
      'catch-all',
      'exempt',
      'global-default',
      'leader-election',
      'node-high',
      'system',
      'workload-high',
      'workload-low',
    ]);
    const { items } = await cluster.client.list(FLOW_SCHEMAS);
    expect(items).toHaveLength(13);
    for (const { status } of items) expect(status?.conditions).toMatchObject([{ type: 'Dangling', status: 'False' }]);
  });

  test('come back when they are deleted, unless an administrator took them over', async () => {
    await cluster.client.delete(FLOW_SCHEMAS, { name: 'catch-all' });
    await cluster.settle();
    expect((await cluster.client.get(FLOW_SCHEMAS, { name: 'catch-all' })).spec?.matchingPrecedence).toBe(10_000);
    const probes = await cluster.client.get(FLOW_SCHEMAS, { name: 'probes' });
    const annotations = { 'apf.kubernetes.io/autoupdate-spec': 'false' };
    const spec = { ...probes.spec, matchingPrecedence: 3, priorityLevelConfiguration: { name: 'nowhere' } };
    await cluster.client.update(FLOW_SCHEMAS, { ...probes, metadata: { ...probes.metadata, annotations }, spec });
    await cluster.settle();
    const changed = await cluster.client.get(FLOW_SCHEMAS, { name: 'probes' });
    expect(changed.spec?.matchingPrecedence).toBe(3);
    expect(changed.status?.conditions).toMatchObject([{ type: 'Dangling', status: 'True', reason: 'NotFound' }]);
  });

  test('the mandatory ones cannot be changed', async () => {
    const exempt = await cluster.client.get(FLOW_SCHEMAS, { name: 'exempt' });
    const spec = { ...exempt.spec, priorityLevelConfiguration: { name: 'system' } };
    await expect(cluster.client.update(FLOW_SCHEMAS, { ...exempt, spec })).rejects.toThrow(
      "spec of 'exempt' must equal the fixed value",
    );
  });
});
