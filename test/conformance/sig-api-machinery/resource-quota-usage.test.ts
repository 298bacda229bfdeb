import { expect } from 'vitest';
import { ApiError } from '../support/api.ts';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import {
  CONFIG_MAPS,
  type Pod,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  RESOURCE_QUOTAS,
  SECRETS,
  SERVICES,
} from '../support/kinds.ts';
import { podOf, replicaSetOf, replicationControllerOf } from '../support/workloads.ts';

const NAME = 'test-quota';
type Amounts = Record<string, string>;

const HARD: Amounts = {
  pods: '5',
  services: '10',
  'services.nodeports': '1',
  'services.loadbalancers': '1',
  replicationcontrollers: '10',
  resourcequotas: '1',
  secrets: '10',
  configmaps: '10',
  persistentvolumeclaims: '10',
  'requests.storage': '10Gi',
  cpu: '1',
  memory: '500Mi',
  'requests.ephemeral-storage': '50Gi',
  'requests.example.com/dongle': '3',
  'count/replicasets.apps': '5',
};

function waitForUsage(api: Api, namespace: string, used: Amounts, name = NAME): Promise<unknown> {
  return eventually(
    `${name} has ${JSON.stringify(used)}`,
    () => api.of(RESOURCE_QUOTAS, namespace).get(name),
    ({ status }) =>
      Object.entries(used).every(([key, amount]) => (status?.used as Amounts | undefined)?.[key] === amount),
  );
}

async function createQuota(api: Api, namespace: string, hard = HARD, more: object = {}, name = NAME): Promise<void> {
  await api.of(RESOURCE_QUOTAS, namespace).create({ metadata: { name }, spec: { hard, ...more } });
  await waitForUsage(api, namespace, Object.fromEntries(Object.keys(hard).map((key) => [key, initialOf(key)])), name);
}

// A namespace is born with the configuration map of its certificate authority; the quota counts itself.
function initialOf(key: string): string {
  return key === 'resourcequotas' || key === 'configmaps' ? '1' : '0';
}

async function expectRefusal(work: Promise<unknown>): Promise<void> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ code: 403, status: { reason: 'Forbidden' } });
}

function limitedPod(name: string, requests: Amounts, limits: Amounts = {}): Pod {
  const resources = { requests, ...(Object.keys(limits).length === 0 ? {} : { limits }) };
  return podOf(name, { spec: { containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.10.1', resources }] } });
}

conformanceTest(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated. [Conformance]',
  async ({ api, namespace }) => {
    await createQuota(api, namespace);
    const quota = await api.of(RESOURCE_QUOTAS, namespace).get(NAME);
    expect(quota.status?.hard).toEqual(HARD);
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a service. [Conformance]',
  async ({ api, namespace }) => {
    await createQuota(api, namespace);
    const services = api.of(SERVICES, namespace);
    const service = (name: string, type: string, more: object = {}) =>
      services.create({ metadata: { name }, spec: { type, ports: [{ port: 80 }], ...more } });
    await service('test-service', 'ClusterIP');
    await service('test-service-np', 'NodePort');
    await waitForUsage(api, namespace, { services: '2', 'services.nodeports': '1', 'services.loadbalancers': '0' });
    await expectRefusal(service('test-service-lb', 'LoadBalancer'));
    await service('test-service-lb', 'LoadBalancer', { allocateLoadBalancerNodePorts: false });
    await waitForUsage(api, namespace, { services: '3', 'services.nodeports': '1', 'services.loadbalancers': '1' });
    for (const name of ['test-service', 'test-service-np', 'test-service-lb']) await services.delete(name);
    await waitForUsage(api, namespace, { services: '0', 'services.nodeports': '0', 'services.loadbalancers': '0' });
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret. [Conformance]',
  async ({ api, namespace }) => {
    await createQuota(api, namespace, { secrets: '1' });
    const secrets = api.of(SECRETS, namespace);
    await secrets.create({ metadata: { name: 'test-secret' }, data: { 'data-1': 'dmFsdWUtMQo=' } });
    await waitForUsage(api, namespace, { secrets: '1' });
    await expectRefusal(secrets.create({ metadata: { name: 'one-too-many' } }));
    await secrets.delete('test-secret');
    await waitForUsage(api, namespace, { secrets: '0' });
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a configMap. [Conformance]',
  async ({ api, namespace }) => {
    await createQuota(api, namespace, { configmaps: '2' });
    const maps = api.of(CONFIG_MAPS, namespace);
    await maps.create({ metadata: { name: 'test-configmap' }, data: { a: 'b' } });
    await waitForUsage(api, namespace, { configmaps: '2' });
    await expectRefusal(maps.create({ metadata: { name: 'one-too-many' } }));
    await maps.delete('test-configmap');
    await waitForUsage(api, namespace, { configmaps: '1' });
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod. [Conformance]',
  async ({ api, namespace }) => {
    await createQuota(api, namespace);
    const pods = api.of(PODS, namespace);
    const dongle = { 'example.com/dongle': '2' };
    const requests = { cpu: '500m', memory: '252Mi', 'ephemeral-storage': '30Gi', ...dongle };
    await pods.create(limitedPod('test-pod', requests, dongle));
    const used = {
      pods: '1',
      cpu: '500m',
      memory: '252Mi',
      'requests.ephemeral-storage': '30Gi',
      'requests.example.com/dongle': '2',
    };
    await waitForUsage(api, namespace, used);
    await expectRefusal(pods.create(limitedPod('fail-pod', { cpu: '600m', memory: '100Mi' })));
    const more = { cpu: '500m', memory: '100Mi', 'ephemeral-storage': '1Gi', ...dongle };
    await expectRefusal(pods.create(limitedPod('fail-pod-for-extended-resource', more, dongle)));
    await pods.change('test-pod', (pod) => {
      pod.metadata!.labels = { ...pod.metadata!.labels, updated: 'true' };
    });
    await waitForUsage(api, namespace, used);
    await pods.delete('test-pod', { gracePeriodSeconds: 0 });
    await waitForUsage(api, namespace, { pods: '0', cpu: '0', memory: '0', 'requests.example.com/dongle': '0' });
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replication controller. [Conformance]',
  async ({ api, namespace }) => {
    await createQuota(api, namespace);
    const controllers = api.of(REPLICATION_CONTROLLERS, namespace);
    await controllers.create(replicationControllerOf({ name: 'test-rc', replicas: 0, labels: { name: 'test-rc' } }));
    await waitForUsage(api, namespace, { replicationcontrollers: '1' });
    await controllers.delete('test-rc');
    await waitForUsage(api, namespace, { replicationcontrollers: '0' });
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replica set. [Conformance]',
  async ({ api, namespace }) => {
    await createQuota(api, namespace);
    const sets = api.of(REPLICA_SETS, namespace);
    await sets.create(replicaSetOf({ name: 'test-rs', replicas: 0, labels: { name: 'test-rs' } }));
    await waitForUsage(api, namespace, { 'count/replicasets.apps': '1' });
    await sets.delete('test-rs');
    await waitForUsage(api, namespace, { 'count/replicasets.apps': '0' });
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should verify ResourceQuota with terminating scopes. [Conformance]',
  async ({ api, namespace }) => {
    const hard = {
      pods: '5',
      'requests.cpu': '1',
      'requests.memory': '500Mi',
      'limits.cpu': '2',
      'limits.memory': '1Gi',
    };
    await createQuota(api, namespace, hard, { scopes: ['Terminating'] }, 'quota-terminating');
    await createQuota(api, namespace, hard, { scopes: ['NotTerminating'] }, 'quota-not-terminating');
    const pods = api.of(PODS, namespace);
    const requests = { cpu: '500m', memory: '200Mi' };
    const limits = { cpu: '1', memory: '400Mi' };
    const used = {
      pods: '1',
      'requests.cpu': '500m',
      'requests.memory': '200Mi',
      'limits.cpu': '1',
      'limits.memory': '400Mi',
    };
    const none = { pods: '0', 'requests.cpu': '0', 'requests.memory': '0', 'limits.cpu': '0', 'limits.memory': '0' };
    const cases = [
      { pod: limitedPod('test-pod', requests, limits), counting: 'quota-not-terminating', other: 'quota-terminating' },
      {
        pod: limitedPod('terminating-pod', requests, limits),
        counting: 'quota-terminating',
        other: 'quota-not-terminating',
      },
    ];
    for (const { pod, counting, other } of cases) {
      if (counting === 'quota-terminating') pod.spec!.activeDeadlineSeconds = 3600;
      await pods.create(pod);
      await waitForUsage(api, namespace, used, counting);
      await waitForUsage(api, namespace, none, other);
      await pods.delete(pod.metadata?.name ?? '', { gracePeriodSeconds: 0 });
      await waitForUsage(api, namespace, none, counting);
    }
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope. [Conformance]',
  async ({ api, namespace }) => {
    const hard = { pods: '5' };
    await createQuota(api, namespace, hard, { scopes: ['BestEffort'] }, 'quota-besteffort');
    await createQuota(api, namespace, hard, { scopes: ['NotBestEffort'] }, 'quota-not-besteffort');
    const pods = api.of(PODS, namespace);
    const cases = [
      { pod: podOf('besteffort-pod'), counting: 'quota-besteffort', other: 'quota-not-besteffort' },
      {
        pod: limitedPod('burstable-pod', { cpu: '500m', memory: '200Mi' }, { cpu: '1', memory: '400Mi' }),
        counting: 'quota-not-besteffort',
        other: 'quota-besteffort',
      },
    ];
    for (const { pod, counting, other } of cases) {
      await pods.create(pod);
      await waitForUsage(api, namespace, { pods: '1' }, counting);
      await waitForUsage(api, namespace, { pods: '0' }, other);
      await pods.delete(pod.metadata?.name ?? '', { gracePeriodSeconds: 0 });
      await waitForUsage(api, namespace, { pods: '0' }, counting);
    }
  },
);

conformanceTest(
  '[sig-api-machinery] ResourceQuota should apply changes to a resourcequota status [Conformance]',
  async ({ api, namespace, unique }) => {
    const quotas = api.of(RESOURCE_QUOTAS, namespace);
    const name = unique('e2e-rq-status');
    const hard = { cpu: '500m', memory: '500Mi' };
    await createQuota(api, namespace, hard, {}, name);
    const watch = await quotas.watch({ fieldSelector: `metadata.name=${name}` });
    const patch = { status: { hard: { cpu: '1', memory: '1Gi' } } };
    const patched = await quotas.patch(name, patch, { subresource: 'status' });
    expect(patched.status?.hard).toEqual({ cpu: '1', memory: '1Gi' });
    await watch.until(({ object }) => (object.status?.hard as Amounts | undefined)?.['cpu'] === '1');
    await watch.until(({ object }) => (object.status?.hard as Amounts | undefined)?.['cpu'] === '500m');
    const updated = await quotas.change(
      name,
      (quota) => {
        quota.status = { ...quota.status, hard: { cpu: '2', memory: '2Gi' } };
      },
      'status',
    );
    expect(updated.status?.hard).toEqual({ cpu: '2', memory: '2Gi' });
    const restored = await eventually(
      'the controller restores the status',
      () => quotas.get(name),
      ({ status }) => (status?.hard as Amounts | undefined)?.['cpu'] === '500m',
    );
    expect(restored.status?.hard).toEqual(hard);
    expect(restored.spec?.hard).toEqual(hard);
  },
);
