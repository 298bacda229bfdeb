import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { kindOf, SERVICES } from '../support/kinds.ts';

conformanceTest(
  '[sig-network] Services should find a service from listing all namespaces [Conformance]',
  async ({ api }) => {
    const { items } = await api.of(SERVICES).list();
    expect(items.some(({ metadata }) => metadata?.name === 'kubernetes' && metadata.namespace === 'default')).toBe(
      true,
    );
  },
);

conformanceTest(
  '[sig-network] Services should delete a collection of services [Conformance]',
  async ({ api, namespace, unique }) => {
    const services = api.of(SERVICES, namespace);
    const label = unique('collection');
    for (const name of ['e2e-svc-a', 'e2e-svc-b']) {
      await services.create({ metadata: { name, labels: { e2e: label } }, spec: { ports: [{ port: 80 }] } });
    }
    await services.create({
      metadata: { name: 'e2e-svc-c', labels: { e2e: 'other' } },
      spec: { ports: [{ port: 80 }] },
    });
    await services.deleteAll({ labelSelector: `e2e=${label}` });
    const left = await services.list();
    expect(left.items.map(({ metadata }) => metadata?.name)).toEqual(['e2e-svc-c']);
  },
);

conformanceTest(
  '[sig-network] Services should complete a service status lifecycle [Conformance]',
  async ({ api, namespace, unique }) => {
    const services = api.of(SERVICES, namespace);
    const label = unique('static');
    const labelSelector = `test-service-static=${label}`;
    const watch = await services.watch({ labelSelector });
    const created = await services.create({
      metadata: { name: 'test-service', labels: { 'test-service-static': label } },
      spec: {
        type: 'LoadBalancer',
        ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }],
        loadBalancerClass: 'example.com/internal-vip',
      },
    });
    expect(created.spec?.clusterIP).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    await watch.until(({ type }) => type === 'ADDED');
    expect((await api.of(SERVICES).list({ labelSelector })).items).toHaveLength(1);
    expect((await services.get('test-service', 'status')).status?.loadBalancer).toEqual({});
    const patched = await services.patch(
      'test-service',
      {
        metadata: { annotations: { patchedstatus: 'true' } },
        status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
      },
      { subresource: 'status' },
    );
    expect(patched.status?.loadBalancer?.ingress?.[0]?.ip).toBe('203.0.113.1');
    await watch.until(({ object }) => object.metadata?.annotations?.['patchedstatus'] === 'true');
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' };
    const updated = await services.change(
      'test-service',
      (service) => {
        Object.assign(service.status!, { conditions: [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z' }] });
      },
      'status',
    );
    expect(updated.status?.conditions?.[0]).toMatchObject(condition);
    const relabeled = await services.patch(
      'test-service',
      { metadata: { labels: { 'test-service': 'patched' } } },
      { type: 'strategic' },
    );
    expect(relabeled.metadata?.labels?.['test-service']).toBe('patched');
    await services.delete('test-service');
    await watch.until(({ type }) => type === 'DELETED');
  },
);

conformanceTest(
  '[sig-network] Ingress API should support creating Ingress API operations [Conformance]',
  async ({ api, namespace, unique }) => {
    const backend = { service: { name: 'default-backend', port: { number: 80 } } };
    const rules = [
      { host: 'foo.bar.com', http: { paths: [{ path: '/', pathType: 'ImplementationSpecific', backend }] } },
    ];
    await exerciseApiOperations(api, {
      kind: kindOf('networking.k8s.io/v1', 'Ingress', 'ingresses'),
      namespace,
      body: { spec: { defaultBackend: backend, rules } },
      status: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } },
      statusPatched: { loadBalancer: { ingress: [{ ip: '169.1.1.2' }] } },
      unique,
    });
  },
);

conformanceTest(
  '[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf('networking.k8s.io/v1', 'IngressClass', 'ingressclasses'),
      body: { spec: { controller: 'example.com/controller' } },
      unique,
    });
  },
);

conformanceTest(
  '[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations [Conformance]',
  async ({ api, unique }) => {
    const last = Math.floor(Math.random() * 200);
    await exerciseApiOperations(api, {
      kind: kindOf('networking.k8s.io/v1', 'IPAddress', 'ipaddresses'),
      names: [`192.0.2.${last}`, `192.0.2.${last + 1}`, `192.0.2.${last + 2}`],
      body: { spec: { parentRef: { resource: 'services', name: 'svc', namespace: 'default' } } },
      unique,
    });
  },
);

conformanceTest(
  '[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations [Conformance]',
  async ({ api, unique }) => {
    const kind = kindOf('networking.k8s.io/v1', 'ServiceCIDR', 'servicecidrs');
    const initial = await api.of(kind).get('kubernetes');
    expect(initial['spec']).toMatchObject({ cidrs: [expect.stringContaining('/')] });
    expect(initial['status']).toMatchObject({ conditions: [{ type: 'Ready', status: 'True' }] });
    await exerciseApiOperations(api, {
      kind,
      body: { spec: { cidrs: ['10.199.0.0/24'] } },
      status: {
        conditions: [
          {
            type: 'StatusUpdate',
            status: 'True',
            reason: 'E2E',
            message: 'set by the test',
            lastTransitionTime: '2026-01-02T03:04:05Z',
          },
        ],
      },
      unique,
    });
  },
);
