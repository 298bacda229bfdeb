import { expect, test } from 'vitest';
import { CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES } from '#api/generated/resources.ts';
import type { CustomResourceDefinition } from '#api/generated/types.ts';
import type { ResourceType } from '#client/client.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

interface Widget extends KubeObject {
  spec?: { size?: number; parts?: { name: string; count?: number }[] };
  status?: { size?: number };
}

const WIDGETS: ResourceType<Widget> = {
  group: 'shop.example.com',
  version: 'v1',
  resource: 'widgets',
  kind: 'Widget',
  namespaced: true,
};

const DEFINITION: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.shop.example.com' },
  spec: {
    group: 'shop.example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                'x-kubernetes-validations': [{ rule: 'self.size >= oldSelf.size', message: 'must not shrink' }],
                properties: {
                  size: { type: 'integer', default: 1 },
                  parts: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, count: { type: 'integer' } },
                    },
                  },
                },
              },
              status: { type: 'object', properties: { size: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
};

function widget(name: string, namespace = 'default', spec: Widget['spec'] = {}): Widget {
  return { apiVersion: 'shop.example.com/v1', kind: 'Widget', metadata: { name, namespace }, spec };
}

async function shop(): Promise<Cluster> {
  const cluster = await createCluster({ seed: 'custom resources' });
  await cluster.client.create(CUSTOM_RESOURCE_DEFINITIONS, DEFINITION);
  await cluster.settle();
  return cluster;
}

test('custom resources are used through the same client as all others', async () => {
  await using cluster = await shop();
  const { client } = cluster;
  expect((await client.create(WIDGETS, widget('a', 'default', { size: 2 }))).spec).toEqual({ size: 2 });
  const name = { namespace: 'default', name: 'a' };
  const patched = await client.patch(WIDGETS, name, { type: 'merge', body: { spec: { size: 3 } } });
  expect(patched.metadata.generation).toBe(2);
  await expect(client.patch(WIDGETS, name, { type: 'merge', body: { spec: { size: 1 } } })).rejects.toThrow(
    'spec: Invalid value: must not shrink',
  );
  const { items } = await client.list(WIDGETS, {});
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['a']);
});

test('apply merges lists of custom resources by their keys', async () => {
  await using cluster = await shop();
  const { client } = cluster;
  const name = { namespace: 'default', name: 'a' };
  const apply = (fieldManager: string, parts: { name: string; count: number }[]) =>
    client.patch(
      WIDGETS,
      name,
      {
        type: 'apply',
        body: { apiVersion: 'shop.example.com/v1', kind: 'Widget', metadata: { name: 'a' }, spec: { parts } },
      },
      { fieldManager },
    );
  await apply('one', [{ name: 'wheel', count: 4 }]);
  const both = await apply('two', [{ name: 'door', count: 2 }]);
  expect(both.spec?.parts).toEqual([
    { name: 'wheel', count: 4 },
    { name: 'door', count: 2 },
  ]);
  await expect(apply('two', [{ name: 'wheel', count: 3 }])).rejects.toThrow('conflict with "one"');
  const without = await apply('two', []);
  expect(without.spec?.parts).toEqual([{ name: 'wheel', count: 4 }]);
});

test('custom resources go with their namespace', async () => {
  await using cluster = await shop();
  const { client } = cluster;
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gone' }, spec: {} });
  await cluster.settle();
  await client.create(WIDGETS, widget('a', 'gone'));
  await client.delete(NAMESPACES, { name: 'gone' });
  await cluster.advance(10_000);
  expect((await client.list(WIDGETS, { namespace: 'gone' })).items).toEqual([]);
  expect((await client.list(NAMESPACES, {})).items.map(({ metadata }) => metadata.name)).not.toContain('gone');
});

test('the garbage collector follows owners of custom kinds', async () => {
  await using cluster = await shop();
  const { client } = cluster;
  const owner = await client.create(WIDGETS, widget('owner'));
  const ownerReferences = [
    { apiVersion: 'shop.example.com/v1', kind: 'Widget', name: 'owner', uid: owner.metadata.uid ?? '' },
  ];
  await client.create(WIDGETS, {
    ...widget('owned'),
    metadata: { name: 'owned', namespace: 'default', ownerReferences },
  });
  await client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'owned', namespace: 'default', ownerReferences },
  });
  await cluster.settle();
  await client.delete(WIDGETS, { namespace: 'default', name: 'owner' });
  await cluster.advance(10_000);
  expect((await client.list(WIDGETS, {})).items).toEqual([]);
  const maps = await client.list(CONFIG_MAPS, { namespace: 'default' });
  expect(maps.items.map(({ metadata }) => metadata.name)).not.toContain('owned');
});

test('a definition waits for objects with finalizers', async () => {
  await using cluster = await shop();
  const { client } = cluster;
  const object = widget('held');
  object.metadata.finalizers = ['example.com/hold'];
  await client.create(WIDGETS, object);
  await client.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: 'widgets.shop.example.com' });
  await cluster.advance(1_000);
  const definition = await client.get(CUSTOM_RESOURCE_DEFINITIONS, { name: 'widgets.shop.example.com' });
  expect(definition.status?.conditions?.find(({ type }) => type === 'Terminating')).toMatchObject({
    status: 'True',
    reason: 'InstanceDeletionInProgress',
  });
  await expect(client.create(WIDGETS, widget('late'))).rejects.toThrow(
    'create not allowed while custom resource definition is terminating',
  );
  await client.patch(
    WIDGETS,
    { namespace: 'default', name: 'held' },
    { type: 'merge', body: { metadata: { finalizers: null } } },
  );
  await cluster.advance(1_000);
  expect((await client.list(CUSTOM_RESOURCE_DEFINITIONS, {})).items).toEqual([]);
});
