import { expect, test } from 'vitest';
import { DEPLOYMENTS, ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES } from '#api/generated/resources.ts';
import type { Service } from '#api/generated/types.ts';
import type { Cluster } from '#cluster/create-cluster.ts';
import { deployment, exists, inDefault, podsOf, readyCluster, untilAvailable } from './support.ts';

function service(spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
  };
}

const container = { name: 'main', image: 'image:1', ports: [{ name: 'http', containerPort: 8080 }] };

async function slicesOf(cluster: Cluster) {
  const labelSelector = 'kubernetes.io/service-name=web';
  return (await cluster.client.list(ENDPOINT_SLICES, { namespace: 'default', labelSelector })).items;
}

test('a service with a selector gets slices of at most 100 ready endpoints', async () => {
  const cluster = await readyCluster({ nodes: 4 });
  await cluster.client.create(SERVICES, service());
  await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 120 }, { containers: [container] }));
  await untilAvailable(cluster, 'web', 120);
  await cluster.settle();
  const slices = await slicesOf(cluster);
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? []);
  expect(endpoints).toHaveLength(120);
  expect(Math.max(...slices.map((slice) => (slice.endpoints ?? []).length))).toBeLessThanOrEqual(100);
  const addresses = endpoints.flatMap((endpoint) => endpoint.addresses);
  expect(new Set(addresses).size).toBe(120);
  const expected = (await podsOf(cluster, 'web')).map((one) => one.status?.podIP ?? '');
  expect(addresses.toSorted()).toEqual(expected.toSorted());
  const [slice] = slices;
  expect(slice?.ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }]);
  expect(slice?.metadata.labels).toEqual({
    team: 'a',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': 'web',
  });
  expect(slice?.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'Service', name: 'web', controller: true });
  const legacy = await cluster.client.get(ENDPOINTS, inDefault('web'));
  expect(legacy.subsets?.[0]?.addresses).toHaveLength(120);
});

test('a pod on its way out is terminating at once, and gone with its end', async () => {
  const cluster = await readyCluster({ nodes: 1 });
  await cluster.client.create(SERVICES, service());
  await cluster.client.create(DEPLOYMENTS, deployment('web', { replicas: 1 }, { containers: [container] }));
  await untilAvailable(cluster, 'web', 1);
  const [only] = await podsOf(cluster, 'web');
  const name = inDefault(only?.metadata.name ?? '');
  await cluster.client.patch(PODS, name, { type: 'merge', body: { metadata: { finalizers: ['example.com/hold'] } } });
  await cluster.client.delete(DEPLOYMENTS, inDefault('web'));
  await cluster.settle();
  const going = (await slicesOf(cluster)).flatMap((slice) => slice.endpoints ?? []);
  for (const endpoint of going) expect(endpoint.conditions).toMatchObject({ ready: false, terminating: true });
  await cluster.client.patch(PODS, name, { type: 'merge', body: { metadata: { finalizers: null } } });
  await cluster.advance(10_000);
  const left = (await slicesOf(cluster)).flatMap((slice) => slice.endpoints ?? []);
  expect(left).toEqual([]);
});

test('slices and endpoints go with their service', async () => {
  const cluster = await readyCluster({ nodes: 1 });
  await cluster.client.create(SERVICES, service());
  await cluster.settle();
  expect(await slicesOf(cluster)).toHaveLength(1);
  await cluster.client.delete(SERVICES, inDefault('web'));
  await cluster.advance(5_000);
  expect(await slicesOf(cluster)).toEqual([]);
  expect(await exists(cluster, ENDPOINTS, inDefault('web'))).toBe(false);
});

test('a service without a selector is left to its owner', async () => {
  const cluster = await readyCluster({ nodes: 1 });
  const { selector: _, ...spec } = service().spec;
  await cluster.client.create(SERVICES, { ...service(), spec });
  await cluster.advance(5_000);
  expect(await slicesOf(cluster)).toEqual([]);
});

test('EndpointSliceMirroring should mirror a custom Endpoints create update and delete', async () => {
  const cluster = await readyCluster({ nodes: 1 });
  const { selector: _, ...spec } = service().spec;
  await cluster.client.create(SERVICES, { ...service(), spec });
  const subsets = (ip: string) => [{ addresses: [{ ip }], ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] }];
  const stored = await cluster.client.create(ENDPOINTS, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: inDefault('web'),
    subsets: subsets('10.1.2.3'),
  });
  await cluster.settle();
  const [slice] = await slicesOf(cluster);
  expect(slice?.endpoints).toEqual([{ addresses: ['10.1.2.3'], conditions: { ready: true } }]);
  expect(slice?.metadata.labels?.['endpointslice.kubernetes.io/managed-by']).toBe(
    'endpointslicemirroring-controller.k8s.io',
  );
  await cluster.client.update(ENDPOINTS, { ...stored, subsets: subsets('10.2.3.4') });
  await cluster.settle();
  const updated = await slicesOf(cluster);
  expect(updated.flatMap((one) => one.endpoints ?? []).map((endpoint) => endpoint.addresses)).toEqual([['10.2.3.4']]);
  await cluster.client.delete(ENDPOINTS, inDefault('web'));
  await cluster.advance(5_000);
  expect(await slicesOf(cluster)).toEqual([]);
});
