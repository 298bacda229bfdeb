import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Deployment, Job, Secret, Service } from './generated/types.ts';
import { minAvailable, rolloutLimits } from './apps/v1/deployment/rollout-limits.ts';
import { createErrors, defaulted, definitionOf, row, update } from './testing/kit.ts';
import { scaledValue } from './validation/int-or-percent.ts';

const metadata = { name: 'web', namespace: 'default' };
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'x' }] } };
const selector = { matchLabels: { app: 'web' } };

function deployment(spec: Partial<Deployment['spec']> = {}): Deployment {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector, template, ...spec } };
}

function service(spec: Service['spec'] = {}): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }], ...spec } };
}

function object(apiVersion: string, kind: string, fields: object): KubeObject {
  return { apiVersion, kind, metadata, ...fields };
}

describe('errors of a create', () => {
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
  const cases: [string, KubeObject, string[]][] = [
    ['a deployment', deployment(), []],
    [
      'deployment without a selector',
      object('apps/v1', 'Deployment', { spec: { template } }),
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'deployment that selects everything',
      deployment({ selector: {} }),
      ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    ],
    [
      'deployment that does not select its pods',
      deployment({ selector: { matchLabels: { app: 'db' } } }),
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    [
      'negative replicas',
      deployment({ replicas: -1 }),
      ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'pods that end',
      deployment({ template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } }),
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'rollout that cannot move',
      deployment({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      'recreate with a rollout',
      deployment({ strategy: { type: 'Recreate', rollingUpdate: {} } }),
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'deadline before ready',
      deployment({ minReadySeconds: 600 }),
      ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
    ],
    ['a service', service(), []],
    ['service without ports', service({ ports: [] }), ['spec.ports: Required value']],
    ['headless service without ports', service({ ports: [], clusterIP: 'None' }), []],
    [
      'two ports without names',
      service({ ports: [{ port: 1 }, { port: 2 }] }),
      ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
    ],
    [
      'service port out of range',
      service({ ports: [{ port: 0 }] }),
      [
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'service type',
      service({ type: 'Magic' }),
      [
        'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      'node port of a cluster address',
      service({ ports: [{ port: 80, nodePort: 30000 }] }),
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    ['external name without a name', service({ type: 'ExternalName' }), ['spec.externalName: Required value']],
    [
      'a bad address',
      service({ clusterIP: 'x' }),
      ['spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ],
    [
      'a config map key',
      object('v1', 'ConfigMap', { data: { 'a b': '' } }),
      [
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
    [
      'a big config map',
      object('v1', 'ConfigMap', { data: { a: 'x'.repeat(1024 * 1024 + 1) } }),
      ['[]: Too long: may not be more than 1048576 bytes'],
    ],
    [
      'half a TLS secret',
      object('v1', 'Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'YQ==' } }),
      ['data[tls.key]: Required value'],
    ],
    [
      'a token secret of no account',
      object('v1', 'Secret', { type: 'kubernetes.io/service-account-token' }),
      ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
    ],
    ['a role', object('rbac.authorization.k8s.io/v1', 'Role', { rules }), []],
    [
      'a rule without verbs',
      object('rbac.authorization.k8s.io/v1', 'Role', { rules: [{ apiGroups: [''], resources: ['pods'] }] }),
      ['rules[0].verbs: Required value: verbs must contain at least one value'],
    ],
    [
      'a namespaced rule of URLs',
      object('rbac.authorization.k8s.io/v1', 'Role', { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }),
      ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
    ],
    [
      'a binding to nothing',
      object('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', { roleRef: { kind: 'Role', name: '' } }),
      ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"', 'roleRef.name: Required value'],
    ],
    [
      'a lease of no time',
      object('coordination.k8s.io/v1', 'Lease', { spec: { leaseDurationSeconds: 0 } }),
      ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    ],
    [
      'a budget of both kinds',
      object('policy/v1', 'PodDisruptionBudget', { spec: { minAvailable: 1, maxUnavailable: '200%' } }),
      [
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"200%","UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
        'spec.maxUnavailable: Invalid value: "200%": must not be greater than 100%',
      ],
    ],
    [
      'too much priority',
      object('scheduling.k8s.io/v1', 'PriorityClass', { value: 1000000001 }),
      ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ],
    [
      'a slice of the wrong family',
      object('discovery.k8s.io/v1', 'EndpointSlice', { addressType: 'IPv4', endpoints: [{ addresses: ['::1'] }] }),
      ['endpoints[0].addresses[0]: Invalid value: "::1": must be an IPv4 address'],
    ],
    [
      'endpoints of nothing',
      object('v1', 'Endpoints', { subsets: [{ ports: [{ port: 1 }] }] }),
      ['subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`'],
    ],
    [
      'an event of the newer recorder that says nothing',
      object('v1', 'Event', {
        involvedObject: { namespace: 'default' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingComponent: 'c',
        reason: 'r',
      }),
      ['reportingInstance: Required value', 'action: Required value'],
    ],
    [
      'an event of another namespace',
      object('v1', 'Event', { involvedObject: { namespace: 'other' } }),
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    [
      'a node with a bad taint',
      object('v1', 'Node', { spec: { taints: [{ key: 'a', effect: 'Maybe' }] } }),
      [
        'metadata.taints[0].effect: Unsupported value: "Maybe": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      'a claim of nothing',
      object('v1', 'PersistentVolumeClaim', { spec: {} }),
      [
        'spec.accessModes: Required value: at least 1 access mode is required',
        'spec.resources[storage]: Required value',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, created, errors) => {
    expect(createErrors(created)).toEqual(errors);
  });
});

describe('updates', () => {
  test('the selector of a deployment is immutable', () => {
    const { errors } = update(deployment(), (next) => {
      next.spec.selector = { matchLabels: { app: 'db' } };
      next.spec.template.metadata = { labels: { app: 'db' } };
    });
    expect(errors).toEqual(['spec.selector: Invalid value: {"matchLabels":{"app":"db"}}: field is immutable']);
  });

  test('an address of a service that is left out is kept, and may not change', () => {
    const current = service({ clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'], ports: [{ port: 80 }] });
    const kept = update(current, (next) => {
      delete next.spec.clusterIP;
      delete next.spec.clusterIPs;
    });
    expect(kept.errors).toEqual([]);
    expect(kept.next.spec.clusterIPs).toEqual(['10.96.0.5']);
    const changed = update(current, (next) => {
      next.spec.clusterIP = '10.96.0.6';
    });
    expect(changed.errors).toEqual(['spec.clusterIPs[0]: Invalid value: ["10.96.0.6"]: may not change once set']);
  });

  test('node ports are kept, and go with their type', () => {
    const current = service({ type: 'NodePort', clusterIP: '10.96.0.5', ports: [{ port: 80, nodePort: 30080 }] });
    const kept = update(current, (next) => {
      next.spec.ports = [{ port: 80 }];
    });
    expect(kept.next.spec.ports?.[0]?.nodePort).toBe(30080);
    const moved = update(current, (next) => {
      next.spec.type = 'ClusterIP';
    });
    expect(moved.errors).toEqual([]);
    expect(moved.next.spec.ports?.[0]?.nodePort).toBeUndefined();
    expect(moved.next.spec.externalTrafficPolicy).toBeUndefined();
  });

  test('an immutable secret stays as it is', () => {
    const current = object('v1', 'Secret', { immutable: true, data: { a: 'YQ==' } }) as Secret;
    const { errors } = update(current, (next) => {
      delete next.immutable;
      next.data = { a: 'Yg==' };
    });
    expect(errors).toEqual([
      'immutable: Forbidden: field is immutable when `immutable` is set',
      'data: Forbidden: field is immutable when `immutable` is set',
    ]);
  });

  test('a binding may not name another role', () => {
    const current = object('rbac.authorization.k8s.io/v1', 'RoleBinding', { roleRef: { kind: 'Role', name: 'a' } });
    const { errors } = update(current, (next) => {
      Object.assign(next, { roleRef: { kind: 'Role', name: 'b' } });
    });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^roleRef: Invalid value: .*: cannot change roleRef$/);
  });
});

describe('defaults', () => {
  test('of a deployment', () => {
    const { spec, status } = defaulted(deployment());
    expect(spec.replicas).toBe(1);
    expect(spec.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } });
    expect(spec.revisionHistoryLimit).toBe(10);
    expect(spec.progressDeadlineSeconds).toBe(600);
    expect(spec.template.spec?.restartPolicy).toBe('Always');
    expect(spec.template.spec?.enableServiceLinks).toBeUndefined();
    expect(status).toEqual({});
  });

  test('of a service', () => {
    expect(defaulted(service({ ports: [{ port: 80, targetPort: 'http' }, { port: 81 }] })).spec).toEqual({
      ports: [
        { port: 80, targetPort: 'http', protocol: 'TCP' },
        { port: 81, targetPort: 81, protocol: 'TCP' },
      ],
      sessionAffinity: 'None',
      type: 'ClusterIP',
      internalTrafficPolicy: 'Cluster',
    });
  });

  test('of a secret: texts become data', () => {
    const secret = defaulted(object('v1', 'Secret', { stringData: { a: 'ä' } }) as Secret);
    expect(secret).toEqual({ apiVersion: 'v1', kind: 'Secret', metadata, data: { a: 'w6Q=' }, type: 'Opaque' });
  });

  test('of a job: its pods carry its uid', () => {
    const job = defaulted({
      ...object('batch/v1', 'Job', { spec: { template } }),
      metadata: { name: 'j', uid: 'u-1' },
    } as Job);
    definitionOf(job).strategy.prepareForCreate?.(job, { nowMs: 0, uuid: () => '' });
    expect(job.spec.selector).toEqual({ matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' } });
    expect(job.spec.template.metadata?.labels?.['job-name']).toBe('j');
    expect(job.spec).toMatchObject({ completions: 1, parallelism: 1, backoffLimit: 6, completionMode: 'NonIndexed' });
  });

  test('nulls and empty values vanish where upstream drops them', () => {
    const map = defaulted(object('v1', 'ConfigMap', { data: null, immutable: false }));
    expect(map).toEqual({ apiVersion: 'v1', kind: 'ConfigMap', metadata, immutable: false });
  });

  test('a namespace is labelled with its name and held by its finalizer', () => {
    const namespace = defaulted({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } });
    definitionOf(namespace).strategy.prepareForCreate?.(namespace, { nowMs: 0, uuid: () => '' });
    expect(namespace).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'a', labels: { 'kubernetes.io/metadata.name': 'a' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
  });
});

describe('rows', () => {
  const created = '2026-01-01T00:00:00Z';
  const nowMs = 1767225600000 + 90_000;
  const cases: [string, KubeObject, unknown[]][] = [
    [
      'deployment',
      {
        ...deployment({ replicas: 3 }),
        status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
      } as Deployment,
      ['web', '2/3', 3, 2, '90s', 'a', 'x', 'app=web'],
    ],
    [
      'replica set',
      object('apps/v1', 'ReplicaSet', { spec: { replicas: 2, selector, template }, status: { replicas: 2 } }),
      ['web', 2, 2, 0, '90s', 'a', 'x', 'app=web'],
    ],
    [
      'service',
      service({ type: 'NodePort', clusterIP: '10.0.0.1', ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }] }),
      ['web', 'NodePort', '10.0.0.1', '<none>', '80:30080/TCP', '90s', '<none>'],
    ],
    [
      'balancer',
      service({ type: 'LoadBalancer', clusterIP: '10.0.0.1', ports: [{ port: 53, protocol: 'UDP' }] }),
      ['web', 'LoadBalancer', '10.0.0.1', '<pending>', '53/UDP', '90s', '<none>'],
    ],
    ['config map', object('v1', 'ConfigMap', { data: { a: '1' }, binaryData: { b: '' } }), ['web', 2, '90s']],
    ['secret', object('v1', 'Secret', { type: 'Opaque', data: { a: '' } }), ['web', 'Opaque', 1, '90s']],
    [
      'endpoints',
      object('v1', 'Endpoints', {
        subsets: [{ addresses: [1, 2, 3, 4].map((n) => ({ ip: `10.0.0.${n}` })), ports: [{ port: 80 }] }],
      }),
      ['web', '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...', '90s'],
    ],
    [
      'endpoint slice',
      object('discovery.k8s.io/v1', 'EndpointSlice', {
        addressType: 'IPv4',
        ports: [{ port: 80 }],
        endpoints: [{ addresses: ['10.0.0.1'] }],
      }),
      ['web', 'IPv4', '80', '10.0.0.1', '90s'],
    ],
    ['lease', object('coordination.k8s.io/v1', 'Lease', { spec: { holderIdentity: 'me' } }), ['web', 'me', '90s']],
    ['role', object('rbac.authorization.k8s.io/v1', 'Role', {}), ['web', created]],
    [
      'binding',
      object('rbac.authorization.k8s.io/v1', 'RoleBinding', {
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [{ kind: 'ServiceAccount', name: 's', namespace: 'n' }],
      }),
      ['web', 'Role/r', '90s', '', '', 'n/s'],
    ],
    [
      'budget',
      object('policy/v1', 'PodDisruptionBudget', { spec: { minAvailable: '50%' } }),
      ['web', '50%', 'N/A', 0, '90s'],
    ],
    [
      'event',
      object('v1', 'Event', {
        type: 'Normal',
        reason: 'Started',
        message: 'hi ',
        count: 2,
        involvedObject: { kind: 'Pod', name: 'p' },
        firstTimestamp: created,
        lastTimestamp: '2026-01-01T00:01:00Z',
        source: { component: 'kubelet', host: 'n1' },
      }),
      ['30s', 'Normal', 'Started', 'pod/p', '', 'kubelet, n1', 'hi', '90s', 2, 'web'],
    ],
    [
      'default storage class',
      {
        ...object('storage.k8s.io/v1', 'StorageClass', { provisioner: 'p' }),
        metadata: { name: 's', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      },
      ['s (default)', 'p', 'Delete', 'Immediate', false, '90s'],
    ],
  ];

  test.each(cases)('%s', (_name, shown, cells) => {
    const dated = { ...shown, metadata: { ...shown.metadata, creationTimestamp: created } };
    expect(row(dated, { nowMs, wide: true })).toEqual(cells);
  });
});

describe('limits of a rollout', () => {
  test.each([
    [10, '25%', '25%', { maxSurge: 3, maxUnavailable: 2 }],
    [3, '25%', '25%', { maxSurge: 1, maxUnavailable: 0 }],
    [1, 0, '25%', { maxSurge: 0, maxUnavailable: 1 }],
    [2, 1, 5, { maxSurge: 1, maxUnavailable: 2 }],
    [0, 1, 1, { maxSurge: 0, maxUnavailable: 0 }],
  ])('of %i replicas, surge %s, unavailable %s', (replicas, maxSurge, maxUnavailable, expected) => {
    const rolling = deployment({
      replicas,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
    });
    expect(rolloutLimits(rolling)).toEqual(expected);
    expect(minAvailable(rolling)).toBe(replicas - expected.maxUnavailable);
  });

  test('percentages round as asked', () => {
    expect(scaledValue('33%', { total: 10, roundUp: true })).toBe(4);
    expect(scaledValue('33%', { total: 10, roundUp: false })).toBe(3);
    expect(scaledValue('x', { total: 10, roundUp: true })).toBe(0);
  });
});

describe('stored forms', () => {
  const roundTrip = (served: KubeObject): KubeObject | undefined => {
    const form = definitionOf(served).storedAs;
    return form?.fromStored(form.toStored(served));
  };

  test('an event of events.k8s.io is stored as one of core', () => {
    const event = object('events.k8s.io/v1', 'Event', {
      regarding: { kind: 'Pod' },
      note: 'hi',
      reportingController: 'c',
    });
    expect(definitionOf(event).storedAs?.toStored(event)).toEqual(
      object('v1', 'Event', { involvedObject: { kind: 'Pod' }, message: 'hi', reportingComponent: 'c' }),
    );
    expect(roundTrip(event)).toEqual(event);
  });

  test('an autoscaler of v1 comes back as it was', () => {
    const spec = {
      scaleTargetRef: { kind: 'Deployment', name: 'd' },
      minReplicas: 1,
      maxReplicas: 3,
      targetCPUUtilizationPercentage: 50,
    };
    const autoscaler = object('autoscaling/v1', 'HorizontalPodAutoscaler', {
      spec,
      status: { currentReplicas: 1, desiredReplicas: 1 },
    });
    expect(roundTrip(autoscaler)).toEqual(autoscaler);
  });
});
