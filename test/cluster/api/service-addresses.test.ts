import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IP_ADDRESSES, SERVICE_CIDRS, SERVICES } from '#api/generated/resources.ts';
import type { Service, ServiceSpec } from '#api/generated/types.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await createCluster({ nodes: 0, serviceCidr: '10.96.0.0/16,fd00:10:96::/112' });
});
afterAll(() => cluster.stop());

let count = 0;
function service(spec: ServiceSpec): Service {
  count += 1;
  const ports = [{ port: 80 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${count}`, namespace: 'default' },
    spec: { ports, ...spec },
  };
}

const create = (spec: ServiceSpec) => cluster.client.create(SERVICES, service(spec));
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

async function range(name: string, cidrs: string[]): Promise<void> {
  await cluster.client.create(SERVICE_CIDRS, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    spec: { cidrs },
  });
  await cluster.settle();
}

describe('addresses of services', () => {
  test('the default range is an object, guarded and ready', async () => {
    await cluster.settle();
    const found = await cluster.client.get(SERVICE_CIDRS, { name: 'kubernetes' });
    expect(found.spec?.cidrs).toEqual(['10.96.0.0/16', 'fd00:10:96::/112']);
    expect(found.metadata.finalizers).toEqual(['networking.k8s.io/service-cidr-finalizer']);
    expect(found.status?.conditions).toMatchObject([
      { type: 'Ready', status: 'True', message: 'Kubernetes default Service CIDR is ready' },
    ]);
  });

  test('each address has an object that names its service, as long as that stands', async () => {
    const { metadata, spec } = await create({ ipFamilyPolicy: 'RequireDualStack' });
    const [four = '', six = ''] = spec.clusterIPs ?? [];
    await cluster.settle();
    const address = await cluster.client.get(IP_ADDRESSES, { name: four });
    expect(address.metadata.labels).toEqual({
      'ipaddress.kubernetes.io/ip-family': 'IPv4',
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    });
    const parentRef = { resource: 'services', namespace: 'default', name: metadata.name };
    expect(address.spec?.parentRef).toEqual(parentRef);
    expect((await cluster.client.get(IP_ADDRESSES, { name: six })).spec?.parentRef).toEqual(parentRef);
    await cluster.client.delete(IP_ADDRESSES, { name: four });
    await cluster.settle();
    expect((await cluster.client.get(IP_ADDRESSES, { name: four })).spec?.parentRef).toEqual(parentRef);
    await cluster.client.delete(SERVICES, { name: metadata.name ?? '', namespace: 'default' });
    await cluster.settle();
    await expect(cluster.client.get(IP_ADDRESSES, { name: four })).rejects.toSatisfy(isNotFound);
  });

  test("an address that is somebody else's is taken", async () => {
    await cluster.client.create(IP_ADDRESSES, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IPAddress',
      metadata: { name: '10.96.0.77' },
      spec: { parentRef: { group: 'gateway.example.com', resource: 'gateways', name: 'edge' } },
    });
    expect(await failure(create({ clusterIP: '10.96.0.77' }))).toMatch(
      /spec\.clusterIPs: Invalid value: \["10\.96\.0\.77"\]: failed to allocate IP 10\.96\.0\.77: provided IP is already allocated$/,
    );
  });

  test('a further range gives addresses once it is ready, and stays until none is in use', async () => {
    expect(await failure(create({ clusterIP: '10.200.0.5' }))).toContain(
      'failed to allocate IP 10.200.0.5: the provided IP (10.200.0.5) is not in the valid range. ' +
        'The range of valid IPs is 10.96.0.0/16',
    );
    await range('extra', ['10.200.0.0/24']);
    const { metadata } = await create({ clusterIP: '10.200.0.5' });
    await cluster.settle();
    await cluster.client.delete(SERVICE_CIDRS, { name: 'extra' });
    await cluster.settle();
    const waiting = await cluster.client.get(SERVICE_CIDRS, { name: 'extra' });
    expect(waiting.status?.conditions).toMatchObject([{ type: 'Ready', status: 'False', reason: 'Terminating' }]);
    expect(await failure(create({ clusterIP: '10.200.0.6' }))).toContain('is not in the valid range');
    await cluster.client.delete(SERVICES, { name: metadata.name ?? '', namespace: 'default' });
    await cluster.settle();
    await expect(cluster.client.get(SERVICE_CIDRS, { name: 'extra' })).rejects.toSatisfy(isNotFound);
  });

  test('what is allocated is known after a restart', async () => {
    const { spec } = await create({ type: 'NodePort' });
    await cluster.restart();
    expect(await failure(create({ clusterIP: spec.clusterIP ?? '' }))).toContain('provided IP is already allocated');
    const nodePort = spec.ports?.[0]?.nodePort ?? 0;
    expect(await failure(create({ type: 'NodePort', ports: [{ port: 80, nodePort }] }))).toContain(
      `spec.ports[0].nodePort: Invalid value: ${nodePort}: provided port is already allocated`,
    );
  });
});

describe('families of services', () => {
  test.each([
    ['one family by default', {}, ['IPv4'], 'SingleStack'],
    ['both where preferred', { ipFamilyPolicy: 'PreferDualStack' }, ['IPv4', 'IPv6'], 'PreferDualStack'],
    ['the other one', { ipFamilies: ['IPv6'] }, ['IPv6'], 'SingleStack'],
    [
      'the other one first',
      { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] },
      ['IPv6', 'IPv4'],
      'RequireDualStack',
    ],
    ['what the address says', { clusterIP: 'fd00:10:96::99' }, ['IPv6'], 'SingleStack'],
    ['both for headless services without a selector', { clusterIP: 'None' }, ['IPv4', 'IPv6'], 'RequireDualStack'],
  ])('%s', async (_name, asked, families, policy) => {
    const { spec } = await create(asked);
    expect([spec.ipFamilies, spec.ipFamilyPolicy]).toEqual([families, policy]);
    expect(spec.clusterIPs).toHaveLength(spec.clusterIP === 'None' ? 1 : families.length);
  });

  test('a service gains a family and gives it up again', async () => {
    const single = await create({});
    const dual = await cluster.client.update(SERVICES, {
      ...single,
      spec: { ...single.spec, ipFamilyPolicy: 'PreferDualStack' },
    });
    expect(dual.spec.clusterIPs).toEqual([single.spec.clusterIP, expect.stringContaining('fd00:10:96::')]);
    const refused = cluster.client.update(SERVICES, {
      ...dual,
      spec: { ...dual.spec, clusterIPs: [dual.spec.clusterIP ?? ''] },
    });
    expect(await failure(refused)).toContain("must be 'SingleStack' to release the secondary cluster IP");
    const again = await cluster.client.update(SERVICES, {
      ...dual,
      spec: { ...dual.spec, ipFamilyPolicy: 'SingleStack' },
    });
    expect([again.spec.ipFamilies, again.spec.clusterIPs]).toEqual([['IPv4'], [single.spec.clusterIP]]);
  });

  test('a cluster of one family says what it has not', async () => {
    await using plain = await createCluster({ nodes: 0, controllers: [], scheduler: false });
    const refused = (spec: ServiceSpec) => failure(plain.client.create(SERVICES, service(spec)));
    expect(await refused({ ipFamilyPolicy: 'RequireDualStack' })).toContain(
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    );
    expect(await refused({ ipFamilies: ['IPv6'] })).toContain(
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    );
    const { spec } = await plain.client.create(SERVICES, service({ ipFamilyPolicy: 'PreferDualStack' }));
    expect(spec.ipFamilies).toEqual(['IPv4']);
  });
});
