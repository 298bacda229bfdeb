import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { eventually } from '../support/eventually.ts';
import { ENDPOINT_SLICES, ENDPOINTS, kindOf, PODS, SERVICES } from '../support/kinds.ts';
import { podOf, waitForRunning } from '../support/workloads.ts';

conformanceTest(
  '[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server [Conformance]',
  async ({ api }) => {
    const service = await api.of(SERVICES, 'default').get('kubernetes');
    expect(service.spec?.clusterIP).toBeDefined();
    const endpoints = await api.of(ENDPOINTS, 'default').get('kubernetes');
    expect(endpoints.subsets).toHaveLength(1);
    expect(endpoints.subsets?.[0]?.addresses?.length).toBeGreaterThan(0);
    const slices = await api
      .of(ENDPOINT_SLICES, 'default')
      .list({ labelSelector: 'kubernetes.io/service-name=kubernetes' });
    expect(slices.items.length).toBeGreaterThan(0);
    const addresses = slices.items.flatMap(({ endpoints: list }) => list?.flatMap(({ addresses: ips }) => ips) ?? []);
    expect(addresses).toEqual(expect.arrayContaining(endpoints.subsets?.[0]?.addresses?.map(({ ip }) => ip) ?? []));
  },
);

conformanceTest('[sig-network] API Server should provide secure master service [Conformance]', async ({ api }) => {
  const service = await api.of(SERVICES, 'default').get('kubernetes');
  expect(service.spec?.ports).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'https', port: 443 })]));
});

for (const [name, resource] of [
  [
    '[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods [Conformance]',
    'slices',
  ],
  [
    '[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods [Conformance]',
    'endpoints',
  ],
] as const) {
  conformanceTest(name, async ({ api, namespace }) => {
    const services = api.of(SERVICES, namespace);
    await services.create({
      metadata: { name: 'empty' },
      spec: {
        selector: { 'does-not-match-anything': 'endpoints-match-nothing' },
        ports: [{ name: 'example', port: 80 }],
      },
    });
    const count = async () => {
      if (resource === 'endpoints') return (await api.of(ENDPOINTS, namespace).find('empty')) === undefined ? 0 : 1;
      const query = { labelSelector: 'kubernetes.io/service-name=empty' };
      return (await api.of(ENDPOINT_SLICES, namespace).list(query)).items.length;
    };
    await eventually(`${resource} of the service`, count, (found) => found === 1);
    await services.delete('empty');
    await eventually(`${resource} are gone`, count, (found) => found === 0);
    expect(await count()).toBe(0);
  });
}

for (const name of [
  '[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service [Conformance]',
  '[sig-network] EndpointsController should create Endpoints for Pods matching a Service [Conformance]',
]) {
  conformanceTest(name, async ({ api, namespace }) => {
    const shared = { shared: 'pods' };
    for (const pod of ['pod1', 'pod2']) {
      const containers = [
        {
          name: 'container1',
          image: 'nginx',
          ports: [{ name: 'example-name', containerPort: pod === 'pod1' ? 3000 : 3001 }],
        },
      ];
      await api.of(PODS, namespace).create(podOf(pod, { labels: { ...shared, pod }, spec: { containers } }));
    }
    const port = { name: 'example', port: 80, targetPort: 'example-name', protocol: 'TCP' };
    for (const [service, selector] of [
      ['one', { pod: 'pod1' }],
      ['both', shared],
    ] as const) {
      await api.of(SERVICES, namespace).create({ metadata: { name: service }, spec: { selector, ports: [port] } });
    }
    const ips: string[] = [];
    for (const pod of ['pod1', 'pod2']) ips.push((await waitForRunning(api, namespace, pod)).status?.podIP ?? '');
    for (const [service, wanted] of [
      ['one', ips.slice(0, 1)],
      ['both', ips],
    ] as const) {
      const endpoints = await eventually(
        `endpoints of ${service}`,
        () => api.of(ENDPOINTS, namespace).get(service),
        ({ subsets }) => (subsets ?? []).flatMap(({ addresses }) => addresses ?? []).length === wanted.length,
      );
      const found = endpoints.subsets?.flatMap(({ addresses }) => addresses?.map(({ ip }) => ip) ?? []);
      expect(new Set(found)).toEqual(new Set(wanted));
      const slices = await eventually(
        `slices of ${service}`,
        () => api.of(ENDPOINT_SLICES, namespace).list({ labelSelector: `kubernetes.io/service-name=${service}` }),
        ({ items }) =>
          items.flatMap(({ endpoints: list }) => list ?? []).filter((e) => e.conditions?.ready).length ===
          wanted.length,
      );
      const ports = slices.items.flatMap(({ ports: list }) => list ?? []).map((entry) => entry.port);
      expect(new Set(ports)).toEqual(new Set(service === 'one' ? [3000] : [3000, 3001]));
      const reference = slices.items[0]?.endpoints?.[0]?.targetRef;
      expect(reference).toMatchObject({ kind: 'Pod', namespace });
    }
  });
}

conformanceTest(
  '[sig-network] EndpointSlice should support creating EndpointSlice API operations [Conformance]',
  async ({ api, namespace, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
      namespace,
      body: { addressType: 'IPv4', endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }] },
      unique,
    });
  },
);

conformanceTest(
  '[sig-network] Endpoints should test the lifecycle of an Endpoint [Conformance]',
  async ({ api, namespace, unique }) => {
    const endpoints = api.of(ENDPOINTS, namespace);
    const value = unique('static');
    const labelSelector = `test-endpoint-static=${value}`;
    const subsets = [
      { addresses: [{ ip: '10.0.0.24' }], ports: [{ name: 'http', port: 80, protocol: 'TCP' as const }] },
    ];
    const watch = await endpoints.watch({ labelSelector });
    await endpoints.create({ metadata: { name: 'testservice', labels: { 'test-endpoint-static': value } }, subsets });
    await watch.until(({ type }) => type === 'ADDED');
    expect((await api.of(ENDPOINTS).list({ labelSelector })).items).toHaveLength(1);
    await endpoints.change('testservice', (found) => {
      found.metadata!.labels!['test-service'] = 'updated';
    });
    await watch.until(({ object }) => object.metadata?.labels?.['test-service'] === 'updated');
    const patch = {
      metadata: { labels: { 'test-service': 'patched' } },
      subsets: [{ addresses: [{ ip: '10.0.0.25' }], ports: [{ port: 8080 }] }],
    };
    const patched = await endpoints.patch('testservice', patch, { type: 'strategic' });
    expect(patched.subsets?.[0]?.addresses?.[0]?.ip).toBe('10.0.0.25');
    expect(patched.subsets?.[0]?.ports?.[0]?.port).toBe(8080);
    await endpoints.deleteAll({ labelSelector });
    await watch.until(({ type }) => type === 'DELETED');
    expect(await endpoints.find('testservice')).toBeUndefined();
  },
);

conformanceTest(
  '[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete [Conformance]',
  async ({ api, namespace }) => {
    await api
      .of(SERVICES, namespace)
      .create({ metadata: { name: 'custom' }, spec: { ports: [{ name: 'example', port: 80, protocol: 'TCP' }] } });
    const mirrored = () =>
      api.of(ENDPOINT_SLICES, namespace).list({ labelSelector: 'kubernetes.io/service-name=custom' });
    const endpoints = api.of(ENDPOINTS, namespace);
    await endpoints.create({
      metadata: { name: 'custom' },
      subsets: [{ ports: [{ name: 'example', port: 80 }], addresses: [{ ip: '10.1.2.3' }] }],
    });
    const created = await eventually('one slice', mirrored, ({ items }) => items.length === 1);
    expect(created.items[0]?.endpoints?.[0]?.addresses).toEqual(['10.1.2.3']);
    expect(created.items[0]?.ports?.[0]).toMatchObject({ name: 'example', port: 80 });
    expect(created.items[0]?.metadata?.labels?.['endpointslice.kubernetes.io/managed-by']).toBe(
      'endpointslicemirroring-controller.k8s.io',
    );
    await endpoints.change('custom', (found) => {
      found.subsets = [{ ports: [{ name: 'example', port: 80 }], addresses: [{ ip: '10.2.3.4' }] }];
    });
    await eventually(
      'the changed address',
      mirrored,
      ({ items }) => items[0]?.endpoints?.[0]?.addresses[0] === '10.2.3.4',
    );
    await endpoints.delete('custom');
    const gone = await eventually('no slice', mirrored, ({ items }) => items.length === 0);
    expect(gone.items).toEqual([]);
  },
);
