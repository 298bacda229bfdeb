import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  type V1ConfigMap,
  VersionApi,
  Watch,
} from '@kubernetes/client-node';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { eventually } from './support/eventually.ts';

const CONTAINER = { name: 'c', image: 'localhost/busybox:1', command: ['sleep', '3600'] };

/** The official client for Node: typed calls, informer, watch, exec. */
describe('@kubernetes/client-node', () => {
  let cluster: TestCluster;
  let config: KubeConfig;
  let core: CoreV1Api;
  const namespace = 'default';

  beforeAll(async () => {
    cluster = await startCluster({ runtime: 'process' });
    config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });

  afterAll(() => cluster[Symbol.asyncDispose]());

  test('typed calls', async () => {
    expect((await config.makeApiClient(VersionApi).getCode()).minor).toBe('36');
    const body = { metadata: { name: 'typed', labels: { a: 'b' } }, data: { key: 'value' } };
    const created = await core.createNamespacedConfigMap({ namespace, body });
    expect(created.metadata?.creationTimestamp).toBeInstanceOf(Date);
    const listed = await core.listNamespacedConfigMap({ namespace, labelSelector: 'a=b' });
    expect(listed.items.map(({ metadata }) => metadata?.name)).toEqual(['typed']);
    const replaced = await core.replaceNamespacedConfigMap({ namespace, name: 'typed', body: { ...body, data: {} } });
    expect(replaced.data).toBeUndefined();
    await core.deleteNamespacedConfigMap({ namespace, name: 'typed' });
    await expect(core.readNamespacedConfigMap({ namespace, name: 'typed' })).rejects.toMatchObject({ code: 404 });
  });

  test('a deployment through the apps API', async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: 'client-node' };
    const containers = [CONTAINER];
    const spec = {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers } },
    };
    await apps.createNamespacedDeployment({ namespace, body: { metadata: { name: 'client-node' }, spec } });
    const read = () => apps.readNamespacedDeployment({ namespace, name: 'client-node' });
    await eventually('two ready replicas', read, ({ status }) => status?.readyReplicas === 2);
    const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'client-node' });
    expect(scale.spec?.replicas).toBe(2);
  });

  test('any object, with patches and server-side apply', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const header = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'any', namespace } };
    const map: V1ConfigMap = { ...header, data: { a: '1' } };
    await objects.create(map);
    const change: V1ConfigMap = { ...header, data: { b: '2' } };
    const patched = await objects.patch(change, undefined, undefined, 'test');
    expect(patched.data).toEqual({ a: '1', b: '2' });
    await objects.delete(map);
    const custom = config.makeApiClient(CustomObjectsApi);
    const classes = await custom.listClusterCustomObject({
      group: 'scheduling.k8s.io',
      version: 'v1',
      plural: 'priorityclasses',
    });
    expect(classes).toMatchObject({ kind: 'PriorityClassList' });
  });

  test('an informer sees what is there, and what comes and goes', async () => {
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const seen: string[] = [];
    const informer = makeInformer(
      config,
      path,
      () => core.listNamespacedConfigMap({ namespace, labelSelector: 'inf=1' }),
      'inf=1',
    );
    for (const verb of ['add', 'update', 'delete'] as const) {
      informer.on(verb, (object) => seen.push(`${verb} ${object.metadata?.name}`));
    }
    const body = { metadata: { name: 'first', labels: { inf: '1' } } };
    await core.createNamespacedConfigMap({ namespace, body });
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { ...body.metadata, name: 'second' } } });
    await core.replaceNamespacedConfigMap({ namespace, name: 'first', body: { ...body, data: { a: 'b' } } });
    await core.deleteNamespacedConfigMap({ namespace, name: 'second' });
    const wanted = ['add first', 'add second', 'update first', 'delete second'];
    await eventually(
      'all events',
      () => Promise.resolve(seen),
      (events) => wanted.every((event) => events.includes(event)),
    );
    await informer.stop();
  });

  test('a watch with bookmarks ends when it is told to', async () => {
    const types: string[] = [];
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    const controller = await new Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { resourceVersion: metadata?.resourceVersion, allowWatchBookmarks: true },
      (type) => types.push(type),
      () => undefined,
    );
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'watched' } } });
    await eventually(
      'the event',
      () => Promise.resolve(types),
      (all) => all.includes('ADDED'),
    );
    controller.abort();
  });

  test('exec over a WebSocket', async () => {
    const spec = { containers: [CONTAINER], terminationGracePeriodSeconds: 0 };
    await core.createNamespacedPod({ namespace, body: { metadata: { name: 'exec' }, spec } });
    const read = () => core.readNamespacedPod({ namespace, name: 'exec' });
    await eventually('the pod', read, ({ status }) => status?.phase === 'Running');
    const output = new PassThrough();
    let text = '';
    output.on('data', (chunk) => (text += String(chunk)));
    const status = await new Promise<{ status?: string }>((resolve, reject) => {
      new Exec(config)
        .exec(namespace, 'exec', 'c', ['echo', 'hello'], output, null, null, false, resolve)
        .catch(reject);
    });
    expect(status.status).toBe('Success');
    expect(text).toContain('hello');
  });
});
