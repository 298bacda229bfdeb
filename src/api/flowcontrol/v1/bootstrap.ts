import type { FlowSchema, PriorityLevelConfiguration } from '../../generated/types.ts';

/**
 * The flow control objects of every cluster (KEP-1040). The server keeps the mandatory ones exactly so; suggested ones
 * are kept while they are as the server made them, and are the administrator's once changed.
 */

type Rules = NonNullable<FlowSchema['spec']['rules']>;
type Rule = Rules[number];
type Subject = Rule['subjects'][number];

/** The exempt level and the one for everything else. */
export const MANDATORY_LEVELS: readonly PriorityLevelConfiguration[] = [
  level('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
  level('catch-all', {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
  }),
];

export const SUGGESTED_LEVELS: readonly PriorityLevelConfiguration[] = [
  queued('system', { shares: 30, lendablePercent: 33, queues: 64, handSize: 6 }),
  queued('node-high', { shares: 40, lendablePercent: 25, queues: 64, handSize: 6 }),
  queued('leader-election', { shares: 10, lendablePercent: 0, queues: 16, handSize: 4 }),
  queued('workload-high', { shares: 40, lendablePercent: 50, queues: 128, handSize: 6 }),
  queued('workload-low', { shares: 100, lendablePercent: 90, queues: 128, handSize: 6 }),
  queued('global-default', { shares: 20, lendablePercent: 50, queues: 128, handSize: 6 }),
];

const everyResource: Pick<Rule, 'resourceRules'> = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
};
const everyPath: Pick<Rule, 'nonResourceRules'> = { nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }] };
const anything = { ...everyResource, ...everyPath };
const everybody = [group('system:unauthenticated'), group('system:authenticated')];

export const MANDATORY_SCHEMAS: readonly FlowSchema[] = [
  schema('exempt', { level: 'exempt', precedence: 1, rules: [{ subjects: [group('system:masters')], ...anything }] }),
  schema('catch-all', {
    level: 'catch-all',
    precedence: 10_000,
    distinguisher: 'ByUser',
    rules: [{ subjects: everybody, ...anything }],
  }),
];

export const SUGGESTED_SCHEMAS: readonly FlowSchema[] = [
  schema('probes', {
    level: 'exempt',
    precedence: 2,
    rules: [
      {
        subjects: everybody,
        nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
      },
    ],
  }),
  schema('system-leader-election', {
    level: 'leader-election',
    precedence: 100,
    distinguisher: 'ByUser',
    rules: [
      {
        subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), account('kube-system', '*')],
        resourceRules: [
          {
            verbs: ['get', 'create', 'update'],
            apiGroups: ['coordination.k8s.io'],
            resources: ['leases'],
            namespaces: ['*'],
          },
        ],
      },
    ],
  }),
  schema('endpoint-controller', {
    level: 'workload-high',
    precedence: 150,
    distinguisher: 'ByUser',
    rules: [
      {
        subjects: [
          user('system:kube-controller-manager'),
          account('kube-system', 'endpoint-controller'),
          account('kube-system', 'endpointslicemirroring-controller'),
        ],
        resourceRules: [
          { verbs: ['get', 'create', 'update'], apiGroups: [''], resources: ['endpoints'], namespaces: ['*'] },
        ],
      },
    ],
  }),
  schema('workload-leader-election', {
    level: 'leader-election',
    precedence: 200,
    distinguisher: 'ByUser',
    rules: [
      {
        subjects: [group('system:serviceaccounts')],
        resourceRules: [
          { verbs: ['get', 'create', 'update'], apiGroups: [''], resources: ['configmaps'], namespaces: ['*'] },
          {
            verbs: ['get', 'create', 'update'],
            apiGroups: ['coordination.k8s.io'],
            resources: ['leases'],
            namespaces: ['*'],
          },
        ],
      },
    ],
  }),
  schema('system-node-high', {
    level: 'node-high',
    precedence: 400,
    distinguisher: 'ByUser',
    rules: [
      {
        subjects: [group('system:nodes')],
        resourceRules: [
          { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true },
          { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] },
        ],
      },
    ],
  }),
  schema('system-nodes', {
    level: 'system',
    precedence: 500,
    distinguisher: 'ByUser',
    rules: [{ subjects: [group('system:nodes')], ...anything }],
  }),
  schema('kube-controller-manager', {
    level: 'workload-high',
    precedence: 800,
    distinguisher: 'ByNamespace',
    rules: [{ subjects: [user('system:kube-controller-manager')], ...anything }],
  }),
  schema('kube-scheduler', {
    level: 'workload-high',
    precedence: 800,
    distinguisher: 'ByNamespace',
    rules: [{ subjects: [user('system:kube-scheduler')], ...anything }],
  }),
  schema('kube-system-service-accounts', {
    level: 'workload-high',
    precedence: 900,
    distinguisher: 'ByNamespace',
    rules: [{ subjects: [account('kube-system', '*')], ...anything }],
  }),
  schema('service-accounts', {
    level: 'workload-low',
    precedence: 9_000,
    distinguisher: 'ByUser',
    rules: [{ subjects: [group('system:serviceaccounts')], ...anything }],
  }),
  schema('global-default', {
    level: 'global-default',
    precedence: 9_900,
    distinguisher: 'ByUser',
    rules: [{ subjects: everybody, ...anything }],
  }),
];

function level(name: string, spec: PriorityLevelConfiguration['spec']): PriorityLevelConfiguration {
  return {
    kind: 'PriorityLevelConfiguration',
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    metadata: { name },
    spec,
  };
}

function queued(
  name: string,
  numbers: { shares: number; lendablePercent: number; queues: number; handSize: number },
): PriorityLevelConfiguration {
  const { shares, lendablePercent, queues, handSize } = numbers;
  const limitResponse = { type: 'Queue', queuing: { queues, handSize, queueLengthLimit: 50 } };
  return level(name, {
    type: 'Limited',
    limited: { nominalConcurrencyShares: shares, lendablePercent, limitResponse },
  });
}

function schema(
  name: string,
  options: { level: string; precedence: number; distinguisher?: string; rules: Rules },
): FlowSchema {
  return {
    kind: 'FlowSchema',
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    metadata: { name },
    spec: {
      priorityLevelConfiguration: { name: options.level },
      matchingPrecedence: options.precedence,
      ...(options.distinguisher === undefined ? {} : { distinguisherMethod: { type: options.distinguisher } }),
      rules: options.rules,
    },
  };
}

function group(name: string): Subject {
  return { kind: 'Group', group: { name } };
}

function user(name: string): Subject {
  return { kind: 'User', user: { name } };
}

function account(namespace: string, name: string): Subject {
  return { kind: 'ServiceAccount', serviceAccount: { namespace, name } };
}
