import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allResources } from '#api/registry/registry.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

/** Bodies of many kinds, as deep as the tests look into them. */
interface Body extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { labels: Record<string, string> };
  readonly spec: { devices: { requests: (Record<string, unknown> & { deviceClassName?: string })[] } };
  status: object;
  readonly items: Body[];
  readonly groups: { name: string; versions: { groupVersion: string; version: string }[] }[];
  readonly resources: { name: string; storageVersionHash?: string }[];
}

interface Answer {
  readonly status: number;
  readonly warnings: string;
  readonly json: Body;
}

async function request(cluster: Cluster, method: string, path: string, body?: object): Promise<Answer> {
  const answer = await cluster.client.raw({
    method,
    path,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
  });
  const json: Body = JSON.parse(Buffer.from(answer.body).toString());
  return { status: answer.status, warnings: answer.headers['warning'] ?? '', json };
}

const resourcesOf = async (cluster: Cluster, groupVersion: string) =>
  (await request(cluster, 'GET', `/apis/${groupVersion}`)).json.resources;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await createCluster({
    nodes: 0,
    runtimeConfig: { 'api/all': 'true' },
    featureGates: { AllAlpha: true, AllBeta: true },
  });
});
afterAll(() => cluster.stop());

describe('--runtime-config and --feature-gates', () => {
  test('everything is served when everything is asked for', async () => {
    const { groups } = (await request(cluster, 'GET', '/apis')).json;
    const served = groups.flatMap(({ versions }) => versions.map(({ groupVersion }) => groupVersion));
    const known = new Set(
      allResources().flatMap(({ group, version }) => (group === '' ? [] : [`${group}/${version}`])),
    );
    expect(served.toSorted()).toEqual([...known].toSorted());
    const resource = groups.find(({ name }) => name === 'resource.k8s.io');
    expect(resource?.versions.map(({ version }) => version)).toEqual(['v1', 'v1beta2', 'v1beta1', 'v1alpha3']);
  });

  test('a feature that is off keeps its resources off', async () => {
    await using plain = await createCluster({ nodes: 0, controllers: [], runtimeConfig: { 'api/all': 'true' } });
    await expect(resourcesOf(plain, 'storagemigration.k8s.io/v1beta1')).rejects.toMatchObject({ code: 404 });
    const names = (await resourcesOf(plain, 'resource.k8s.io/v1beta2')).map(({ name }) => name);
    expect(names).toContain('resourceclaims');
    expect(names).not.toContain('devicetaintrules');
  });

  test('every version of a resource shows the same stored version', async () => {
    const hashes = await Promise.all(
      ['v1', 'v1beta1', 'v1beta2'].map(async (version) =>
        (await resourcesOf(cluster, `resource.k8s.io/${version}`)).find(({ name }) => name === 'resourceclaims'),
      ),
    );
    expect(new Set(hashes.map((found) => found?.storageVersionHash)).size).toBe(1);
  });
});

describe('resource.k8s.io/v1beta1', () => {
  const claim = (name: string, request: object): KubeObject & { spec: object } => ({
    apiVersion: 'resource.k8s.io/v1beta1',
    kind: 'ResourceClaim',
    metadata: { name, namespace: 'default' },
    spec: { devices: { requests: [request] } },
  });
  const path = (version: string, name = '') =>
    `/apis/resource.k8s.io/${version}/namespaces/default/resourceclaims${name}`;

  test('keeps its older shape, and is the same object in v1', async () => {
    const flat = { name: 'gpu', deviceClassName: 'gpu.example.com' };
    const created = await request(cluster, 'POST', path('v1beta1'), claim('one', flat));
    const defaulted = { allocationMode: 'ExactCount', count: 1 };
    expect(created.json.spec.devices.requests).toEqual([{ ...flat, ...defaulted }]);
    expect(created.warnings).toBe(
      '299 - "resource.k8s.io/v1beta1 ResourceClaim is deprecated in v1.35+, unavailable in v1.38+"',
    );
    const stable = await request(cluster, 'GET', path('v1', '/one'));
    expect(stable.json.apiVersion).toBe('resource.k8s.io/v1');
    expect(stable.json.spec.devices.requests).toEqual([
      { name: 'gpu', exactly: { deviceClassName: 'gpu.example.com', ...defaulted } },
    ]);
    expect(stable.warnings).toBe('');
  });

  test('is checked by the rules of v1', async () => {
    const refused = request(cluster, 'POST', path('v1beta1'), claim('two', { name: 'gpu' }));
    await expect(refused).rejects.toThrow('spec.devices.requests[0]');
    const current = (await request(cluster, 'GET', path('v1beta1', '/one'))).json;
    Object.assign(current.spec.devices.requests[0] ?? {}, { count: 2 });
    await expect(request(cluster, 'PUT', path('v1beta1', '/one'), current)).rejects.toThrow('field is immutable');
  });

  test('status, patch, list and deletion go through the older version', async () => {
    const patch = { metadata: { labels: { a: 'b' } } };
    const patched = await cluster.client.raw({
      method: 'PATCH',
      path: path('v1beta1', '/one'),
      headers: { 'content-type': 'application/merge-patch+json' },
      body: Buffer.from(JSON.stringify(patch)),
    });
    expect(patched.status).toBe(200);
    const listed = await request(cluster, 'GET', `${path('v1beta1')}?labelSelector=a%3Db`);
    expect(listed.json.items).toHaveLength(1);
    expect(listed.json.items[0]?.spec.devices.requests[0]?.deviceClassName).toBe('gpu.example.com');
    const current = (await request(cluster, 'GET', path('v1beta1', '/one/status'))).json;
    current.status = {
      allocation: {
        devices: { results: [{ request: 'gpu', driver: 'gpu.example.com', pool: 'node-1', device: 'gpu-0' }] },
      },
    };
    const updated = await request(cluster, 'PUT', path('v1beta1', '/one/status'), current);
    expect(updated.json.status).toMatchObject(current.status);
    await request(cluster, 'DELETE', path('v1beta1', '/one'));
    await expect(request(cluster, 'GET', path('v1', '/one'))).rejects.toMatchObject({ code: 404 });
  });
});

describe('kinds without a stable version', () => {
  const objects: [string, object][] = [
    [
      '/apis/scheduling.k8s.io/v1alpha2/namespaces/default/workloads',
      { kind: 'Workload', spec: { podGroupTemplates: [{ name: 'a', schedulingPolicy: { gang: { minCount: 2 } } }] } },
    ],
    [
      '/apis/scheduling.k8s.io/v1alpha2/namespaces/default/podgroups',
      { kind: 'PodGroup', spec: { schedulingPolicy: { basic: {} } } },
    ],
    [
      '/apis/coordination.k8s.io/v1alpha2/namespaces/default/leasecandidates',
      {
        kind: 'LeaseCandidate',
        spec: {
          leaseName: 'l',
          binaryVersion: '1.36.0',
          emulationVersion: '1.36',
          strategy: 'OldestEmulationVersion',
        },
      },
    ],
    ['/apis/internal.apiserver.k8s.io/v1alpha1/storageversions', { kind: 'StorageVersion', spec: {} }],
    [
      '/apis/storagemigration.k8s.io/v1beta1/storageversionmigrations',
      { kind: 'StorageVersionMigration', spec: { resource: { group: 'apps', resource: 'deployments' } } },
    ],
    [
      '/apis/resource.k8s.io/v1alpha3/devicetaintrules',
      { kind: 'DeviceTaintRule', spec: { taint: { key: 'example.com/broken', effect: 'NoSchedule' } } },
    ],
    [
      '/apis/resource.k8s.io/v1alpha3/resourcepoolstatusrequests',
      { kind: 'ResourcePoolStatusRequest', spec: { driver: 'gpu.example.com' } },
    ],
    ['/apis/networking.k8s.io/v1beta1/servicecidrs', { kind: 'ServiceCIDR', spec: { cidrs: ['10.55.0.0/24'] } }],
    [
      '/apis/storage.k8s.io/v1beta1/volumeattributesclasses',
      { kind: 'VolumeAttributesClass', driverName: 'csi.example.com', parameters: { iops: '100' } },
    ],
  ];

  test.each(objects)('%s', async (path, fields) => {
    const apiVersion = path.split('/').slice(2, 4).join('/');
    const body = { apiVersion, metadata: { name: 'one' }, ...fields };
    const created = await request(cluster, 'POST', path, body);
    expect([created.status, created.json.apiVersion]).toEqual([201, apiVersion]);
    expect((await request(cluster, 'GET', path)).json.items.map(({ metadata }) => metadata.name)).toContain('one');
    // A controller may have added a finalizer.
    await cluster.settle();
    const { json: current } = await request(cluster, 'GET', `${path}/one`);
    const replaced = { ...current, metadata: { ...current.metadata, labels: { a: 'b' } } };
    expect((await request(cluster, 'PUT', `${path}/one`, replaced)).json.metadata.labels).toEqual({ a: 'b' });
    expect((await request(cluster, 'DELETE', `${path}/one`)).status).toBe(200);
  });
});
