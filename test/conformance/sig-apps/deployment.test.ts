import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS, type Scale } from '../support/kinds.ts';
import {
  deploymentOf,
  isOwnedBy,
  replicaSetOf,
  replicaSetsOf,
  waitForPods,
  waitForRollout,
} from '../support/workloads.ts';

const LABELS = { name: 'sample-pod' };
const SELECTOR = 'name=sample-pod';

conformanceTest(
  '[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones [Conformance]',
  async ({ api, namespace }) => {
    const adopted = await api.of(REPLICA_SETS, namespace).create({
      ...replicaSetOf({ name: 'test-rolling-update-controller', replicas: 1, labels: LABELS, image: 'old:1' }),
      metadata: {
        name: 'test-rolling-update-controller',
        labels: LABELS,
        annotations: { 'deployment.kubernetes.io/revision': '3546343826724305832' },
      },
    });
    await waitForPods(api, namespace, SELECTOR, 1);
    const deployment = deploymentOf({ name: 'test-rolling-update-deployment', replicas: 1, labels: LABELS });
    await api.of(DEPLOYMENTS, namespace).create(deployment);
    const done = await waitForRollout(api, namespace, 'test-rolling-update-deployment');
    expect(done.metadata?.annotations?.['deployment.kubernetes.io/revision']).toBe('3546343826724305833');
    const old = await eventually(
      'the old ReplicaSet is empty',
      () => api.of(REPLICA_SETS, namespace).get('test-rolling-update-controller'),
      ({ status }) => status?.replicas === 0,
    );
    expect(old.metadata?.uid).toBe(adopted.metadata?.uid);
    expect(isOwnedBy(old, done.metadata?.uid)).toBe(true);
    expect(await replicaSetsOf(api, namespace, SELECTOR)).toHaveLength(2);
  },
);

conformanceTest(
  '[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones [Conformance]',
  async ({ api, namespace }) => {
    const name = 'test-recreate-deployment';
    const deployment = deploymentOf({ name, replicas: 1, labels: LABELS });
    await api.of(DEPLOYMENTS, namespace).create({
      ...deployment,
      spec: { ...deployment.spec!, strategy: { type: 'Recreate' } },
    });
    await waitForRollout(api, namespace, name);
    const watch = await api.of(PODS, namespace).watch({ labelSelector: SELECTOR });
    await watch.until(({ type }) => type === 'ADDED');
    await api
      .of(DEPLOYMENTS, namespace)
      .patch(
        name,
        { spec: { template: { spec: { containers: [{ name: 'pause', image: 'new:1' }] } } } },
        { type: 'strategic' },
      );
    // Old pods end before new ones begin.
    const next = await watch.until(({ type, object }) =>
      type === 'DELETED' ? true : object.spec?.containers[0]?.image === 'new:1',
    );
    expect(next.type).toBe('DELETED');
    await waitForRollout(api, namespace, name);
  },
);

conformanceTest(
  '[sig-apps] Deployment deployment should delete old replica sets [Conformance]',
  async ({ api, namespace }) => {
    await api
      .of(REPLICA_SETS, namespace)
      .create(replicaSetOf({ name: 'test-cleanup-controller', replicas: 1, labels: LABELS, image: 'old:1' }));
    await waitForPods(api, namespace, SELECTOR, 1);
    const deployment = deploymentOf({ name: 'test-cleanup-deployment', replicas: 1, labels: LABELS });
    await api.of(DEPLOYMENTS, namespace).create({
      ...deployment,
      spec: { ...deployment.spec!, revisionHistoryLimit: 0 },
    });
    await waitForRollout(api, namespace, 'test-cleanup-deployment');
    const left = await eventually(
      'the old ReplicaSet is gone',
      () => replicaSetsOf(api, namespace, SELECTOR),
      (sets) => sets.length === 1,
    );
    expect(left[0]?.spec?.template?.spec?.containers[0]?.image).not.toBe('old:1');
  },
);

conformanceTest(
  '[sig-apps] Deployment Deployment should have a working scale subresource [Conformance]',
  async ({ api, namespace }) => {
    const name = 'test-new-deployment';
    const deployments = api.of(DEPLOYMENTS, namespace);
    await deployments.create(deploymentOf({ name, replicas: 1, labels: LABELS }));
    await waitForRollout(api, namespace, name);
    const path = deployments.path(name, 'scale');
    const scale = await api.call<Scale>('GET', path);
    expect(scale.kind).toBe('Scale');
    expect(scale.spec?.replicas).toBe(1);
    const updated = await api.call<Scale>('PUT', path, {
      body: { ...scale, metadata: { name, namespace }, spec: { replicas: 2 } },
    });
    expect(updated.spec?.replicas).toBe(2);
    expect((await deployments.get(name)).spec?.replicas).toBe(2);
    const patched = await api.call<Scale>('PATCH', path, {
      body: { spec: { replicas: 4 } },
      contentType: 'application/merge-patch+json',
    });
    expect(patched.spec?.replicas).toBe(4);
    expect((await deployments.get(name)).spec?.replicas).toBe(4);
  },
);

conformanceTest(
  '[sig-apps] Deployment should run the lifecycle of a Deployment [Conformance]',
  async ({ api, namespace }) => {
    const name = 'test-deployment';
    const labels = { 'test-deployment-static': 'true' };
    const deployments = api.of(DEPLOYMENTS, namespace);
    const watch = await deployments.watch({ labelSelector: 'test-deployment-static=true' });
    await deployments.create(deploymentOf({ name, replicas: 2, labels }));
    await watch.until(({ type }) => type === 'ADDED');
    await watch.until(({ object }) => object.status?.readyReplicas === 2);

    const patched = await deployments.patch(
      name,
      {
        metadata: { labels: { 'test-deployment': 'patched' } },
        spec: { replicas: 1, template: { spec: { containers: [{ name: 'pause', image: 'patched:1' }] } } },
      },
      { type: 'strategic' },
    );
    expect(patched.metadata?.labels?.['test-deployment']).toBe('patched');
    await watch.until(({ object }) => object.metadata?.labels?.['test-deployment'] === 'patched');
    await waitForRollout(api, namespace, name);
    const all = await api.of(DEPLOYMENTS).list({ labelSelector: 'test-deployment-static=true' });
    const found = all.items.find(({ metadata }) => metadata?.namespace === namespace);
    expect(found?.spec?.template.spec?.containers[0]?.image).toBe('patched:1');

    await deployments.change(name, (deployment) => {
      deployment.spec!.replicas = 2;
      deployment.spec!.template.spec!.containers[0]!.image = 'updated:1';
    });
    const updated = await waitForRollout(api, namespace, name);
    expect(updated.status?.readyReplicas).toBe(2);

    const status = await deployments.patch(
      name,
      {
        metadata: { labels: { 'test-deployment': 'patched-status' } },
        status: { readyReplicas: 0, availableReplicas: 0 },
      },
      { type: 'strategic', subresource: 'status' },
    );
    expect(status.status?.readyReplicas ?? 0).toBe(0);
    await eventually(
      'the controller corrects the status',
      () => deployments.get(name, 'status'),
      (read) => read.status?.readyReplicas === 2,
    );
    await deployments.deleteAll({ labelSelector: 'test-deployment-static=true' });
    await watch.until(({ type }) => type === 'DELETED');
  },
);

conformanceTest(
  '[sig-apps] Deployment should validate Deployment Status endpoints [Conformance]',
  async ({ api, namespace }) => {
    const name = 'test-deployment-status';
    const deployments = api.of(DEPLOYMENTS, namespace);
    await deployments.create(deploymentOf({ name, replicas: 1, labels: LABELS }));
    await waitForRollout(api, namespace, name);
    expect((await deployments.get(name, 'status')).status?.readyReplicas).toBe(1);
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from an e2e test' };
    const updated = await deployments.change(
      name,
      (deployment) => {
        deployment.status!.conditions = [...(deployment.status?.conditions ?? []), condition];
      },
      'status',
    );
    expect(updated.status?.conditions).toEqual(expect.arrayContaining([expect.objectContaining(condition)]));
    const patched = await deployments.patch(
      name,
      { status: { conditions: [{ type: 'StatusPatched', status: 'True' }] } },
      { subresource: 'status' },
    );
    expect(patched.status?.conditions?.map(({ type }) => type)).toEqual(['StatusPatched']);
  },
);
