import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually, pause } from '../support/eventually.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS } from '../support/kinds.ts';
import {
  deploymentOf,
  podOf,
  replicationControllerOf,
  replicaSetsOf,
  waitForPods,
  waitForRollout,
} from '../support/workloads.ts';

const ORPHAN_WATCH_MS = 3_000;
const LABELS = { app: 'gc-test' };
const SELECTOR = 'app=gc-test';

conformanceTest(
  '[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning [Conformance]',
  async ({ api, namespace }) => {
    const init = { name: 'simpletest.rc', replicas: 2, labels: LABELS };
    await api.of(REPLICATION_CONTROLLERS, namespace).create(replicationControllerOf(init));
    await waitForPods(api, namespace, SELECTOR, 2);
    await api.of(REPLICATION_CONTROLLERS, namespace).delete('simpletest.rc', { propagationPolicy: 'Background' });
    await eventually(
      'no pods',
      () => api.of(PODS, namespace).list(),
      ({ items }) => items.length === 0,
    );
  },
);

conformanceTest(
  '[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const controllers = api.of(REPLICATION_CONTROLLERS, namespace);
    await controllers.create(replicationControllerOf({ name: 'simpletest.rc', replicas: 20, labels: LABELS }));
    await waitForPods(api, namespace, SELECTOR, 20);
    await controllers.delete('simpletest.rc', { propagationPolicy: 'Orphan' });
    await eventually(
      'the controller is gone',
      () => controllers.find('simpletest.rc'),
      (found) => found === undefined,
    );
    await pause(ORPHAN_WATCH_MS);
    const { items } = await api.of(PODS, namespace).list();
    expect(items).toHaveLength(20);
    expect(items.every(({ metadata }) => (metadata?.ownerReferences ?? []).length === 0)).toBe(true);
    expect(items.some(({ metadata }) => metadata?.deletionTimestamp !== undefined)).toBe(false);
  },
);

conformanceTest(
  '[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning [Conformance]',
  async ({ api, namespace }) => {
    const name = 'simpletest.deployment';
    await api.of(DEPLOYMENTS, namespace).create(deploymentOf({ name, replicas: 2, labels: LABELS }));
    await eventually(
      'a ReplicaSet',
      () => replicaSetsOf(api, namespace, SELECTOR),
      (sets) => sets.length === 1,
    );
    await api.of(DEPLOYMENTS, namespace).delete(name, { propagationPolicy: 'Background' });
    await eventually(
      'neither ReplicaSet nor pods',
      async () => [
        ...(await api.of(REPLICA_SETS, namespace).list()).items,
        ...(await api.of(PODS, namespace).list()).items,
      ],
      (items) => items.length === 0,
    );
  },
);

conformanceTest(
  '[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan [Conformance]',
  async ({ api, namespace }) => {
    const name = 'simpletest.deployment';
    await api.of(DEPLOYMENTS, namespace).create(deploymentOf({ name, replicas: 2, labels: LABELS }));
    await waitForRollout(api, namespace, name);
    await api.of(DEPLOYMENTS, namespace).delete(name, { propagationPolicy: 'Orphan' });
    await eventually(
      'the Deployment is gone',
      () => api.of(DEPLOYMENTS, namespace).find(name),
      (found) => found === undefined,
    );
    await pause(ORPHAN_WATCH_MS);
    const sets = await replicaSetsOf(api, namespace, SELECTOR);
    expect(sets).toHaveLength(1);
    expect(sets[0]?.metadata?.ownerReferences ?? []).toEqual([]);
  },
);

conformanceTest(
  '[sig-api-machinery] Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions says so [Conformance] [Serial]',
  async ({ api, namespace }) => {
    const controllers = api.of(REPLICATION_CONTROLLERS, namespace);
    await controllers.create(replicationControllerOf({ name: 'simpletest.rc', replicas: 10, labels: LABELS }));
    const pods = await waitForPods(api, namespace, SELECTOR, 10);
    // One pod that cannot go yet makes the order visible.
    const held = pods[0]?.metadata?.name ?? '';
    await api.of(PODS, namespace).patch(held, { metadata: { finalizers: ['e2e.example.com/held'] } });
    await controllers.delete('simpletest.rc', { propagationPolicy: 'Foreground' });
    await eventually(
      'only the held pod is left',
      () => api.of(PODS, namespace).list(),
      ({ items }) => items.length === 1,
    );
    const waiting = await controllers.get('simpletest.rc');
    expect(waiting.metadata?.deletionTimestamp).toBeDefined();
    expect(waiting.metadata?.finalizers).toContain('foregroundDeletion');
    await api.of(PODS, namespace).patch(held, { metadata: { finalizers: null } });
    await eventually(
      'the controller is gone',
      () => controllers.find('simpletest.rc'),
      (found) => found === undefined,
    );
    expect((await api.of(PODS, namespace).list()).items).toEqual([]);
  },
);

conformanceTest(
  "[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted [Conformance] [Serial]",
  async ({ api, namespace }) => {
    const controllers = api.of(REPLICATION_CONTROLLERS, namespace);
    const pods = api.of(PODS, namespace);
    const dying = await controllers.create(
      replicationControllerOf({ name: 'simpletest-rc-to-be-deleted', replicas: 10, labels: LABELS }),
    );
    const init = { name: 'simpletest-rc-to-stay', replicas: 0, labels: { another: 'key' } };
    const staying = await controllers.create(replicationControllerOf(init));
    const made = await waitForPods(api, namespace, SELECTOR, 10);
    const shared = made.slice(0, 5).map(({ metadata }) => metadata?.name ?? '');
    for (const name of shared) {
      await pods.change(name, (pod) => {
        const owner = { apiVersion: 'v1', kind: 'ReplicationController', name: 'simpletest-rc-to-stay' };
        const uid = staying.metadata?.uid ?? '';
        pod.metadata = {
          ...pod.metadata,
          ownerReferences: [...(pod.metadata?.ownerReferences ?? []), { ...owner, uid }],
        };
      });
    }
    await controllers.delete('simpletest-rc-to-be-deleted', { propagationPolicy: 'Foreground' });
    await eventually(
      'the controller is gone',
      () => controllers.find('simpletest-rc-to-be-deleted'),
      (found) => found === undefined,
    );
    const left = await pods.list();
    expect(new Set(left.items.map(({ metadata }) => metadata?.name))).toEqual(new Set(shared));
    for (const { metadata } of left.items) {
      expect(metadata?.deletionTimestamp).toBeUndefined();
      expect(metadata?.ownerReferences?.map(({ uid }) => uid)).not.toContain(dying.metadata?.uid);
    }
  },
);

conformanceTest(
  '[sig-api-machinery] Garbage collector should not be blocked by dependency circle [Conformance]',
  async ({ api, namespace }) => {
    const pods = api.of(PODS, namespace);
    const made = await Promise.all(['pod1', 'pod2', 'pod3'].map((name) => pods.create(podOf(name))));
    for (const [index, pod] of made.entries()) {
      const owner = made[(index + 2) % 3]?.metadata;
      const reference = { apiVersion: 'v1', kind: 'Pod', controller: true, blockOwnerDeletion: true };
      await pods.patch(pod.metadata?.name ?? '', {
        metadata: { ownerReferences: [{ ...reference, name: owner?.name, uid: owner?.uid }] },
      });
    }
    const uid = made[0]?.metadata?.uid ?? '';
    await pods.delete('pod1', { propagationPolicy: 'Foreground', preconditions: { uid } });
    await eventually(
      'all three pods are gone',
      () => pods.list(),
      ({ items }) => items.length === 0,
    );
  },
);
