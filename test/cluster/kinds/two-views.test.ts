import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { PROTOBUF, Requests } from './requests.ts';

let cluster: Cluster;
let requests: Requests;
const ask: Requests['ask'] = (...given) => requests.ask(...given);

beforeAll(async () => {
  cluster = await createCluster({ nodes: 0, controllers: [], scheduler: false });
  requests = await Requests.of(cluster);
});
afterAll(() => cluster.stop());

const CORE = '/api/v1/namespaces/default/events';
const NEWER = '/apis/events.k8s.io/v1/namespaces/default/events';
const about = { kind: 'Pod', apiVersion: 'v1', name: 'p', namespace: 'default', uid: 'u', fieldPath: 'spec' };

describe('events in core/v1 and events.k8s.io/v1', () => {
  test('what is written as core is read as the newer kind', async () => {
    const made = await ask('POST', CORE, {
      metadata: { name: 'core' },
      involvedObject: about,
      reason: 'Pulled',
      message: 'done',
      type: 'Normal',
      count: 3,
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:05:00Z',
      source: { component: 'kubelet', host: 'n' },
    });
    expect(made.code).toBe(201);
    for (const accept of ['application/json', PROTOBUF]) {
      const { body } = await ask('GET', `${NEWER}/core`, undefined, { accept });
      expect(body).toMatchObject({
        kind: 'Event',
        apiVersion: 'events.k8s.io/v1',
        regarding: about,
        note: 'done',
        deprecatedCount: 3,
        deprecatedFirstTimestamp: '2026-01-01T00:00:00Z',
        deprecatedLastTimestamp: '2026-01-01T00:05:00Z',
        deprecatedSource: { component: 'kubelet', host: 'n' },
      });
      expect(body).not.toHaveProperty('message');
    }
  });

  test('what is written as the newer kind is read as core, its series too', async () => {
    const made = await ask('POST', NEWER, {
      metadata: { name: 'newer' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      series: { count: 2, lastObservedTime: '2026-01-01T00:01:00.000000Z' },
      reportingController: 'example.com/c',
      reportingInstance: 'c-1',
      action: 'Acting',
      reason: 'Acted',
      type: 'Warning',
      regarding: about,
      note: 'seen',
    });
    expect([made.code, made.message]).toEqual([201, '']);
    expect((await ask('GET', `${CORE}/newer`)).body).toMatchObject({
      apiVersion: 'v1',
      involvedObject: about,
      message: 'seen',
      reportingComponent: 'example.com/c',
      reportingInstance: 'c-1',
      series: { count: 2, lastObservedTime: '2026-01-01T00:01:00.000000Z' },
    });
  });

  test.each([
    [CORE, 'involvedObject.name=p,type=Warning', ['newer']],
    [CORE, 'reportingComponent=example.com/c', ['newer']],
    [CORE, 'source=kubelet', ['core']],
    [NEWER, 'regarding.kind=Pod,reason=Pulled', ['core']],
    [NEWER, 'reportingController=example.com/c', ['newer']],
  ])('%s selects by %s', async (path, selector, names) => {
    const { body } = await ask('GET', `${path}?fieldSelector=${encodeURIComponent(selector)}`);
    expect(body.items?.map(({ metadata }) => metadata['name'])).toEqual(names);
  });

  test('each version has fields of its own', async () => {
    expect((await ask('GET', `${CORE}?fieldSelector=regarding.name%3Dp`)).message).toBe(
      'field label not supported: regarding.name',
    );
    expect((await ask('GET', `${NEWER}?fieldSelector=involvedObject.name%3Dp`)).message).toBe(
      'field label not supported: involvedObject.name',
    );
  });

  test('both show one table', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const rowsOf = async (path: string) => (await ask('GET', path, undefined, { accept })).body;
    const [core, newer] = [await rowsOf(CORE), await rowsOf(NEWER)];
    expect(newer['columnDefinitions']).toEqual(core['columnDefinitions']);
    // Safe: a table has rows of cells.
    const cells = (table: typeof core) => (table['rows'] as { cells: unknown[] }[]).map((row) => row.cells);
    expect(cells(newer)).toEqual(cells(core));
  });
});

describe('horizontal pod autoscalers in autoscaling/v1 and v2', () => {
  const path = (version: string) => `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`;
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };

  test('the cpu target is a field in v1 and a metric in v2', async () => {
    const spec = { scaleTargetRef, maxReplicas: 4, targetCPUUtilizationPercentage: 70 };
    expect((await ask('POST', path('v1'), { metadata: { name: 'cpu' }, spec })).code).toBe(201);
    const { body } = await ask('GET', `${path('v2')}/cpu`);
    expect(body['spec']).toEqual({
      scaleTargetRef,
      minReplicas: 1,
      maxReplicas: 4,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
      ],
    });
  });

  test('v1 keeps what it has no fields for in annotations, both ways', async () => {
    const pods = {
      type: 'Pods',
      pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '10' } },
    };
    const behavior = { scaleDown: { stabilizationWindowSeconds: 60 } };
    const spec = { scaleTargetRef, maxReplicas: 4, metrics: [pods], behavior };
    const made = await ask('POST', path('v2'), { metadata: { name: 'pods' }, spec });
    expect([made.code, made.message]).toEqual([201, '']);
    const old = await ask('GET', `${path('v1')}/pods`);
    const annotations = Object.keys(Object(old.body.metadata['annotations']));
    expect(annotations.toSorted()).toEqual([
      'autoscaling.alpha.kubernetes.io/behavior',
      'autoscaling.alpha.kubernetes.io/metrics',
    ]);
    const put = await ask('PUT', `${path('v1')}/pods`, old.body);
    expect([put.code, put.message]).toEqual([200, '']);
    const again = await ask('GET', `${path('v2')}/pods`);
    expect(again.body['spec']).toEqual(made.body['spec']);
    expect(again.body.metadata['annotations']).toBeUndefined();
  });
});

describe('scale', () => {
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const selector = { matchLabels: { app: 'a' } };
  test.each([
    ['/apis/apps/v1/namespaces/default/deployments', { selector, template }, 'app=a'],
    ['/apis/apps/v1/namespaces/default/replicasets', { selector, template }, 'app=a'],
    ['/apis/apps/v1/namespaces/default/statefulsets', { selector, template, serviceName: 's' }, 'app=a'],
    ['/api/v1/namespaces/default/replicationcontrollers', { selector: { app: 'a' }, template }, 'app=a'],
  ])('of %s', async (path, spec, text) => {
    await ask('POST', path, { metadata: { name: 's' }, spec });
    const { body } = await ask('GET', `${path}/s/scale`);
    expect(body).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name: 's', namespace: 'default', uid: expect.any(String) },
      spec: { replicas: 1 },
      status: { replicas: 0, selector: text },
    });
    expect((await ask('PUT', `${path}/s/scale`, { ...body, spec: { replicas: 5 } })).body['spec']).toEqual({
      replicas: 5,
    });
    const patch = { spec: { replicas: 0 } };
    const merge = { type: 'application/merge-patch+json' };
    expect((await ask('PATCH', `${path}/s/scale`, patch, merge)).body['spec']).toEqual({});
    expect((await ask('PATCH', `${path}/s/scale`, { spec: { replicas: -1 } }, merge)).message).toBe(
      'Scale.autoscaling "s" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    );
    const { body: object } = await ask('GET', `${path}/s`);
    expect(object).toMatchObject({ metadata: { generation: 3 }, spec: { replicas: 0 } });
  });
});
