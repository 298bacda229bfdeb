import { expect } from 'vitest';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import {
  type Kind,
  type KubeObject,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  type Scale,
} from '../support/kinds.ts';
import { isOwnedBy, podOf, replicaSetOf, replicationControllerOf, waitForPods } from '../support/workloads.ts';

const LABELS = { name: 'sample-pod' };
const SELECTOR = 'name=sample-pod';

async function expectAdoption(api: Api, namespace: string, owner: { kind: Kind<KubeObject>; object: KubeObject }) {
  const pod = await api.of(PODS, namespace).create(podOf('pod-adoption', { labels: LABELS }));
  const made = await api.of(owner.kind, namespace).create(owner.object);
  const adopted = await eventually(
    'the pod is adopted',
    () => api.of(PODS, namespace).get('pod-adoption'),
    (found) => isOwnedBy(found, made.metadata?.uid),
  );
  expect(adopted.metadata?.uid).toBe(pod.metadata?.uid);
  expect((await api.of(PODS, namespace).list({ labelSelector: SELECTOR })).items).toHaveLength(1);
  return made;
}

async function expectRelease(api: Api, namespace: string, options: { uid: string | undefined; name: string }) {
  await api.of(PODS, namespace).patch(options.name, { metadata: { labels: { name: 'not-matching' } } });
  await eventually(
    'the pod is released',
    () => api.of(PODS, namespace).get(options.name),
    (found) => !isOwnedBy(found, options.uid),
  );
}

/** A write without a version is unconditional: the controller's own writes cannot get in its way. */
function withoutVersion({ metadata, ...rest }: Scale): Scale {
  const { resourceVersion: _, ...others } = metadata ?? {};
  return { ...rest, metadata: others };
}

async function expectScale(api: Api, path: string): Promise<void> {
  const scale = await api.call<Scale>('GET', path);
  expect(scale.spec?.replicas).toBe(1);
  const updated = await api.call<Scale>('PUT', path, { body: { ...withoutVersion(scale), spec: { replicas: 2 } } });
  expect(updated.spec?.replicas).toBe(2);
  const body = { spec: { replicas: 4 } };
  const patched = await api.call<Scale>('PATCH', path, { body, contentType: 'application/merge-patch+json' });
  expect(patched.spec?.replicas).toBe(4);
  expect((await api.call<Scale>('GET', path)).spec?.replicas).toBe(4);
}

conformanceTest(
  '[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods [Conformance]',
  async ({ api, namespace }) => {
    const object = replicaSetOf({ name: 'pod-adoption-release', replicas: 1, labels: LABELS });
    const set = await expectAdoption(api, namespace, { kind: REPLICA_SETS, object });
    await expectRelease(api, namespace, { uid: set.metadata?.uid, name: 'pod-adoption' });
  },
);

conformanceTest(
  '[sig-apps] ReplicationController should adopt matching pods on creation [Conformance]',
  async ({ api, namespace }) => {
    const object = replicationControllerOf({ name: 'pod-adoption', replicas: 1, labels: LABELS });
    const made = await expectAdoption(api, namespace, { kind: REPLICATION_CONTROLLERS, object });
    expect(made.metadata?.uid).toBeDefined();
  },
);

conformanceTest(
  '[sig-apps] ReplicationController should release no longer matching pods [Conformance]',
  async ({ api, namespace }) => {
    const init = { name: 'pod-release', replicas: 1, labels: LABELS };
    const made = await api.of(REPLICATION_CONTROLLERS, namespace).create(replicationControllerOf(init));
    const [pod] = await waitForPods(api, namespace, SELECTOR, 1);
    const name = pod?.metadata?.name ?? '';
    await expectRelease(api, namespace, { uid: made.metadata?.uid, name });
    const replaced = await waitForPods(api, namespace, SELECTOR, 1);
    expect(replaced[0]?.metadata?.name).not.toBe(name);
  },
);

conformanceTest(
  '[sig-apps] ReplicaSet Replicaset should have a working scale subresource [Conformance]',
  async ({ api, namespace }) => {
    await api.of(REPLICA_SETS, namespace).create(replicaSetOf({ name: 'test-rs', replicas: 1, labels: LABELS }));
    await waitForPods(api, namespace, SELECTOR, 1);
    await expectScale(api, api.of(REPLICA_SETS, namespace).path('test-rs', 'scale'));
    expect((await api.of(REPLICA_SETS, namespace).get('test-rs')).spec?.replicas).toBe(4);
  },
);

conformanceTest(
  '[sig-apps] ReplicationController should get and update a ReplicationController scale [Conformance]',
  async ({ api, namespace }) => {
    const controllers = api.of(REPLICATION_CONTROLLERS, namespace);
    await controllers.create(replicationControllerOf({ name: 'e2e-rc', replicas: 1, labels: LABELS }));
    await waitForPods(api, namespace, SELECTOR, 1);
    const path = controllers.path('e2e-rc', 'scale');
    const scale = await api.call<Scale>('GET', path);
    expect(scale.spec?.replicas).toBe(1);
    await api.call<Scale>('PUT', path, { body: { ...withoutVersion(scale), spec: { replicas: 2 } } });
    await waitForPods(api, namespace, SELECTOR, 2);
    expect((await controllers.get('e2e-rc')).spec?.replicas).toBe(2);
  },
);

conformanceTest('[sig-apps] ReplicaSet Replace and Patch tests [Conformance]', async ({ api, namespace }) => {
  const sets = api.of(REPLICA_SETS, namespace);
  await sets.create(replicaSetOf({ name: 'test-rs', replicas: 1, labels: LABELS }));
  await waitForPods(api, namespace, SELECTOR, 1);
  await sets.change('test-rs', (set) => {
    set.spec!.replicas = 2;
  });
  await waitForPods(api, namespace, SELECTOR, 2);
  const patch = {
    metadata: { labels: { 'test-rs': 'patched' } },
    spec: { replicas: 3, template: { spec: { containers: [{ name: 'pause', image: 'patched:1' }] } } },
  };
  const patched = await sets.patch('test-rs', patch, { type: 'strategic' });
  expect(patched.metadata?.labels?.['test-rs']).toBe('patched');
  expect(patched.spec?.template?.spec?.containers).toHaveLength(1);
  expect(patched.spec?.template?.spec?.containers[0]?.image).toBe('patched:1');
  await waitForPods(api, namespace, SELECTOR, 3);
});

conformanceTest(
  '[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets [Conformance]',
  async ({ api, namespace }) => {
    const sets = api.of(REPLICA_SETS, namespace);
    await sets.create(replicaSetOf({ name: 'test-rs', replicas: 3, labels: LABELS }));
    await waitForPods(api, namespace, SELECTOR, 3);
    const listed = await api.of(REPLICA_SETS).list({ labelSelector: SELECTOR });
    expect(listed.items.some(({ metadata }) => metadata?.namespace === namespace)).toBe(true);
    await sets.deleteAll({ labelSelector: SELECTOR });
    await eventually(
      'no ReplicaSet',
      () => sets.list({ labelSelector: SELECTOR }),
      ({ items }) => items.length === 0,
    );
    expect(await sets.find('test-rs')).toBeUndefined();
  },
);

conformanceTest(
  '[sig-apps] ReplicaSet should validate Replicaset Status endpoints [Conformance]',
  async ({ api, namespace }) => {
    const sets = api.of(REPLICA_SETS, namespace);
    await sets.create(replicaSetOf({ name: 'test-rs', replicas: 1, labels: LABELS }));
    await waitForPods(api, namespace, SELECTOR, 1);
    expect((await sets.get('test-rs', 'status')).metadata?.name).toBe('test-rs');
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from an e2e test' };
    const updated = await sets.change(
      'test-rs',
      (set) => {
        set.status!.conditions = [...(set.status?.conditions ?? []), condition];
      },
      'status',
    );
    expect(updated.status?.conditions).toEqual([expect.objectContaining(condition)]);
    const patched = await sets.patch(
      'test-rs',
      { status: { conditions: [{ type: 'StatusPatched', status: 'True' }] } },
      { subresource: 'status' },
    );
    expect(patched.status?.conditions?.map(({ type }) => type)).toEqual(['StatusPatched']);
  },
);

conformanceTest(
  '[sig-apps] ReplicationController should test the lifecycle of a ReplicationController [Conformance]',
  async ({ api, namespace }) => {
    const controllers = api.of(REPLICATION_CONTROLLERS, namespace);
    const labels = { 'test-rc-static': 'true' };
    const watch = await controllers.watch({ labelSelector: 'test-rc-static=true' });
    await controllers.create(replicationControllerOf({ name: 'rc-test', replicas: 1, labels }));
    await watch.until(({ object }) => object.status?.readyReplicas === 1);
    const patched = await controllers.patch(
      'rc-test',
      { metadata: { labels: { 'test-rc': 'patched' } } },
      { type: 'strategic' },
    );
    expect(patched.metadata?.labels?.['test-rc']).toBe('patched');
    await watch.until(({ object }) => object.metadata?.labels?.['test-rc'] === 'patched');
    await controllers.patch(
      'rc-test',
      { status: { readyReplicas: 0, availableReplicas: 0 } },
      { subresource: 'status' },
    );
    await watch.until(({ object }) => (object.status?.readyReplicas ?? 0) === 0);
    await watch.until(({ object }) => object.status?.readyReplicas === 1);
    const path = controllers.path('rc-test', 'scale');
    await api.call('PATCH', path, { body: { spec: { replicas: 2 } }, contentType: 'application/merge-patch+json' });
    await watch.until(({ object }) => object.status?.readyReplicas === 2);
    await controllers.change('rc-test', (controller) => {
      controller.spec!.replicas = 1;
    });
    await watch.until(({ object }) => object.status?.replicas === 1);
    const listed = await api.of(REPLICATION_CONTROLLERS).list({ labelSelector: 'test-rc-static=true' });
    expect(listed.items.some(({ metadata }) => metadata?.namespace === namespace)).toBe(true);
    await controllers.deleteAll({ labelSelector: 'test-rc-static=true' });
    await watch.until(({ type }) => type === 'DELETED');
  },
);
