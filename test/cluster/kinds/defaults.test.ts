import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { coreFixtures, labels, podSpec } from './fixtures-core.ts';
import { PROTOBUF, Requests } from './requests.ts';

let cluster: Cluster;
let requests: Requests;
const ask: Requests['ask'] = (...given) => requests.ask(...given);

beforeAll(async () => {
  cluster = await createCluster({ nodes: 0, controllers: [], scheduler: false });
  requests = await Requests.of(cluster);
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await ask('POST', '/api/v1/namespaces/default/serviceaccounts', account);
});
afterAll(() => cluster.stop());

const container = {
  name: 'c',
  image: 'img:1',
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'IfNotPresent',
};
const templateSpec = {
  containers: [container],
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  securityContext: {},
  schedulerName: 'default-scheduler',
};
const template = { metadata: { labels }, spec: templateSpec };
const selector = { matchLabels: labels };
const jobPod = { ...templateSpec, restartPolicy: 'Never' };

const cases: [string, string, object][] = [
  [
    'Deployment',
    'apps/v1/deployments',
    {
      replicas: 1,
      selector,
      template,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    },
  ],
  [
    'DaemonSet',
    'apps/v1/daemonsets',
    {
      selector,
      template,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      revisionHistoryLimit: 10,
    },
  ],
  [
    'StatefulSet',
    'apps/v1/statefulsets',
    {
      replicas: 1,
      selector,
      template,
      serviceName: 'web',
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      revisionHistoryLimit: 10,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    },
  ],
  ['ReplicaSet', 'apps/v1/replicasets', { replicas: 1, selector, template }],
  ['ReplicationController', '/v1/replicationcontrollers', { replicas: 1, selector: labels, template }],
  [
    'CronJob',
    'batch/v1/cronjobs',
    {
      schedule: '* * * * *',
      concurrencyPolicy: 'Allow',
      suspend: false,
      jobTemplate: { metadata: {}, spec: { template: { metadata: {}, spec: jobPod } } },
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    },
  ],
  [
    'PersistentVolume',
    '/v1/persistentvolumes',
    {
      capacity: { storage: '1Gi' },
      hostPath: { path: '/x', type: '' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      volumeMode: 'Filesystem',
    },
  ],
  [
    'PersistentVolumeClaim',
    '/v1/persistentvolumeclaims',
    { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeMode: 'Filesystem' },
  ],
];

function pathOf(key: string): string {
  const [group = '', version = '', resource = ''] = key.split('/');
  const scope = resource === 'persistentvolumes' ? '' : '/namespaces/default';
  return `${group === '' ? '/api' : `/apis/${group}`}/${version}${scope}/${resource}`;
}

test.each(cases)('%s', async (kind, key, spec) => {
  const [group = '', version = ''] = key.split('/');
  const apiVersion = group === '' ? version : `${group}/${version}`;
  for (const type of ['application/json', PROTOBUF]) {
    const name = type === PROTOBUF ? 'b' : 'a';
    const body = { apiVersion, kind, metadata: { name }, ...coreFixtures[key]?.body };
    const made = await ask('POST', pathOf(key), body, { type });
    expect([made.code, made.message]).toEqual([201, '']);
    expect(made.body['spec']).toEqual(spec);
  }
});

test('Pod, with what admission adds', async () => {
  const { body } = await ask('POST', '/api/v1/namespaces/default/pods', { metadata: { name: 'p' }, spec: podSpec });
  // Safe: a pod has volumes when the account's token is mounted.
  const { volumes, containers, ...rest } = body['spec'] as Record<string, Record<string, unknown>[]>;
  const name = String(volumes?.[0]?.['name']);
  expect(name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
  expect(containers).toEqual([
    {
      ...container,
      volumeMounts: [{ name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
    },
  ]);
  const { containers: _containers, ...defaults } = templateSpec;
  const toleration = { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 };
  expect(rest).toEqual({
    ...defaults,
    serviceAccountName: 'default',
    serviceAccount: 'default',
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
    priority: 0,
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', ...toleration },
      { key: 'node.kubernetes.io/unreachable', ...toleration },
    ],
  });
  expect(body['status']).toEqual({ phase: 'Pending', qosClass: 'BestEffort' });
});

test('Job, with its selector', async () => {
  const path = '/apis/batch/v1/namespaces/default/jobs';
  const spec = { template: { spec: { ...podSpec, restartPolicy: 'Never' } } };
  const { body } = await ask('POST', path, { metadata: { name: 'j' }, spec });
  const uid = body.metadata['uid'];
  const stamped = { 'batch.kubernetes.io/controller-uid': uid };
  const all = {
    ...stamped,
    'batch.kubernetes.io/job-name': 'j',
    'controller-uid': uid,
    'job-name': 'j',
  };
  expect(body['spec']).toEqual({
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    selector: { matchLabels: stamped },
    template: { metadata: { labels: all }, spec: jobPod },
    completionMode: 'NonIndexed',
    manualSelector: false,
    suspend: false,
    podReplacementPolicy: 'TerminatingOrFailed',
  });
  expect(body.metadata['labels']).toBeUndefined();
});

const address = expect.stringMatching(/^10\.96\./);
const family = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' };
const port = { protocol: 'TCP', port: 80, targetPort: 80 };
const nodePort = expect.any(Number);
test.each<[string, object, object]>([
  [
    'ClusterIP',
    {},
    {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ...family,
      ports: [port],
      internalTrafficPolicy: 'Cluster',
    },
  ],
  [
    'headless',
    { clusterIP: 'None' },
    {
      type: 'ClusterIP',
      clusterIP: 'None',
      clusterIPs: ['None'],
      ...family,
      ports: [port],
      internalTrafficPolicy: 'Cluster',
    },
  ],
  [
    'NodePort',
    { type: 'NodePort' },
    {
      type: 'NodePort',
      clusterIP: address,
      clusterIPs: [address],
      ...family,
      ports: [{ ...port, nodePort }],
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Cluster',
    },
  ],
  [
    'LoadBalancer',
    { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
    {
      type: 'LoadBalancer',
      clusterIP: address,
      clusterIPs: [address],
      ...family,
      ports: [{ ...port, nodePort }],
      allocateLoadBalancerNodePorts: true,
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: nodePort,
    },
  ],
  [
    'ExternalName',
    { type: 'ExternalName', externalName: 'x.example.com' },
    { type: 'ExternalName', externalName: 'x.example.com', ports: [port] },
  ],
])('Service of type %s', async (kind, given, expected) => {
  const spec = { selector: labels, ports: [{ port: 80 }], ...given };
  const made = await ask('POST', '/api/v1/namespaces/default/services', {
    metadata: { name: kind.toLowerCase() },
    spec,
  });
  expect([made.code, made.message]).toEqual([201, '']);
  expect(made.body['spec']).toEqual({ selector: labels, sessionAffinity: 'None', ...expected });
  expect(made.body['status']).toEqual({ loadBalancer: {} });
});

test.each<[string, object, object]>([
  [
    'storage.k8s.io/v1/storageclasses',
    { provisioner: 'p' },
    { provisioner: 'p', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
  ],
  ['scheduling.k8s.io/v1/priorityclasses', { value: 7 }, { value: 7, preemptionPolicy: 'PreemptLowerPriority' }],
  [
    'storage.k8s.io/v1/csidrivers',
    { spec: {} },
    {
      spec: {
        attachRequired: true,
        podInfoOnMount: false,
        volumeLifecycleModes: ['Persistent'],
        storageCapacity: false,
        fsGroupPolicy: 'ReadWriteOnceWithFSType',
        requiresRepublish: false,
        seLinuxMount: false,
      },
    },
  ],
  [
    'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations',
    { spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: {} } } } },
    {
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 30,
          limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 8, queueLengthLimit: 50 } },
          lendablePercent: 0,
        },
      },
      status: {},
    },
  ],
  [
    'rbac.authorization.k8s.io/v1/clusterrolebindings',
    {
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [
        { kind: 'User', name: 'u' },
        { kind: 'ServiceAccount', name: 's', namespace: 'default' },
      ],
    },
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [
        { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'u' },
        { kind: 'ServiceAccount', name: 's', namespace: 'default' },
      ],
    },
  ],
  [
    'apiextensions.k8s.io/v1/customresourcedefinitions',
    {
      metadata: { name: 'as.d.example.com' },
      spec: {
        group: 'd.example.com',
        scope: 'Cluster',
        names: { plural: 'as', kind: 'A' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
    {
      spec: {
        group: 'd.example.com',
        scope: 'Cluster',
        names: { plural: 'as', singular: 'a', kind: 'A', listKind: 'AList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
        conversion: { strategy: 'None' },
      },
      status: { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: ['v1'] },
    },
  ],
])('%s', async (key, given, expected) => {
  const [group, version, resource] = key.split('/');
  const made = await ask('POST', `/apis/${group}/${version}/${resource}`, { metadata: { name: 'x' }, ...given });
  expect([made.code, made.message]).toEqual([201, '']);
  const { kind: _kind, apiVersion: _apiVersion, metadata: _metadata, ...rest } = made.body;
  expect(rest).toEqual(expected);
});
