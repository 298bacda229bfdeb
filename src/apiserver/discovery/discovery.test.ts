import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { type TestServer, startTestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(new RealExecutor());
});
afterAll(() => server.close());

async function get(path: string, headers: Record<string, string> = {}) {
  const answer = await server.client.raw({ method: 'GET', path, headers });
  return { headers: answer.headers, json: JSON.parse(Buffer.from(answer.body).toString()) };
}

describe('discovery', () => {
  test('lists the core version and the groups', async () => {
    expect((await get('/api')).json).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const { groups } = (await get('/apis')).json;
    const names = groups.map(({ name }: { name: string }) => name);
    expect(names.slice(0, 3)).toEqual(['apiregistration.k8s.io', 'apps', 'events.k8s.io']);
    const autoscaling = groups.find(({ name }: { name: string }) => name === 'autoscaling');
    expect(autoscaling.preferredVersion).toEqual({ groupVersion: 'autoscaling/v2', version: 'v2' });
    expect((await get('/apis/apps')).json).toMatchObject({ kind: 'APIGroup', name: 'apps' });
  });

  test.each([
    ['/api/v1', 'pods', 'xPOwRZ+Yhw8='],
    ['/api/v1', 'configmaps', 'qFsyl6wFWjQ='],
    ['/apis/apps/v1', 'deployments', '8aSe+NMegvE='],
  ])('%s describes %s', async (path, name, storageVersionHash) => {
    const { resources } = (await get(path)).json;
    const found = resources.find((resource: { name: string }) => resource.name === name);
    expect(found).toMatchObject({ namespaced: true, storageVersionHash });
    expect(found.verbs).toEqual(['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']);
  });

  test('shows the foreign kinds of subresources', async () => {
    const { resources } = (await get('/apis/apps/v1')).json;
    expect(resources.find(({ name }: { name: string }) => name === 'deployments/scale')).toEqual({
      name: 'deployments/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
    });
  });

  test('aggregates everything in one document, with an ETag', async () => {
    const accept =
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,' +
      'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
    const { headers, json } = await get('/apis', { accept });
    expect(headers['content-type']).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
    expect(json).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' });
    const apps = json.items.find(({ metadata }: { metadata: { name: string } }) => metadata.name === 'apps');
    expect(apps.versions[0].resources.map(({ resource }: { resource: string }) => resource)).toContain('deployments');
    const request = { method: 'GET', path: '/apis', headers: { accept, 'if-none-match': headers['etag'] ?? '' } };
    await expect(server.client.raw(request)).rejects.toMatchObject({ code: 304 });
  });
});

describe('OpenAPI', () => {
  test('version 3 has a document for each version, under a hashed address', async () => {
    const { paths } = (await get('/openapi/v3')).json;
    const { serverRelativeURL } = paths['apis/apps/v1'];
    expect(serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/);
    const { headers, json } = await get(serverRelativeURL);
    expect(headers['cache-control']).toBe('public, immutable');
    const spec = json.components.schemas['io.k8s.api.apps.v1.DeploymentSpec'];
    expect(spec.required).toEqual(['selector', 'template']);
    expect(spec.properties.template.allOf).toEqual([
      { $ref: '#/components/schemas/io.k8s.api.core.v1.PodTemplateSpec' },
    ]);
    expect(spec.properties.replicas).toMatchObject({ type: 'integer', format: 'int32' });
    const podSpec = json.components.schemas['io.k8s.api.core.v1.PodSpec'];
    expect(podSpec.properties.containers).toMatchObject({
      type: 'array',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
    });
    const { patch } = json.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
    expect(patch['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' });
    expect(patch.parameters.map(({ name }: { name: string }) => name)).toContain('fieldValidation');
  });

  test('no reference leads nowhere, in either version', async () => {
    for (const path of ['/openapi/v3/api/v1', '/openapi/v2']) {
      const { json } = await get(path);
      const known = new Set(Object.keys(json.components?.schemas ?? json.definitions));
      const missing = new Set<string>();
      JSON.stringify(json, (key, value: unknown) => {
        if (key === '$ref' && typeof value === 'string' && !value.includes('/parameters/')) {
          const name = value.split('/').at(-1) ?? '';
          if (!known.has(name)) missing.add(name);
        }
        return value;
      });
      expect([...missing]).toEqual([]);
    }
  });
});
