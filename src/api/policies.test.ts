import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { createErrors, definitionOf, update } from './testing/kit.ts';

const metadata = { name: 'a', namespace: 'default' };

function object(apiVersion: string, kind: string, fields: object): KubeObject {
  return { apiVersion, kind, metadata, ...fields };
}

const rbac = 'rbac.authorization.k8s.io/v1';
const systemNames = "priority class names with 'system-' prefix are reserved for system use only. error: ";

describe('errors of a new object', () => {
  const cases: [string, KubeObject, string[]][] = [
    ['a budget', object('policy/v1', 'PodDisruptionBudget', { spec: { minAvailable: '50%', selector: {} } }), []],
    [
      'parts of a budget',
      object('policy/v1', 'PodDisruptionBudget', {
        spec: {
          maxUnavailable: -1,
          selector: { matchLabels: { 'a b': '' } },
          unhealthyPodEvictionPolicy: 'Never',
        },
      }),
      [
        'spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0',
        "spec.selector.matchLabels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"',
      ],
    ],
    [
      'a policy of a priority',
      object('scheduling.k8s.io/v1', 'PriorityClass', { value: 1, preemptionPolicy: 'Always' }),
      ['preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"'],
    ],
    [
      'a name of the system',
      object('scheduling.k8s.io/v1', 'PriorityClass', { metadata: { name: 'system-x' }, value: 1 }),
      [`metadata.name: Forbidden: ${systemNames}system-x is not a known system priority class`],
    ],
    [
      'a value of the system',
      object('scheduling.k8s.io/v1', 'PriorityClass', { metadata: { name: 'system-node-critical' }, value: 1 }),
      [`metadata.name: Forbidden: ${systemNames}value of system-node-critical PriorityClass must be 2000001000`],
    ],
    [
      'a default of the system',
      object('scheduling.k8s.io/v1', 'PriorityClass', {
        metadata: { name: 'system-node-critical' },
        value: 2000001000,
        globalDefault: true,
      }),
      [`metadata.name: Forbidden: ${systemNames}globalDefault of system-node-critical PriorityClass must be false`],
    ],
    [
      'a runtime',
      object('node.k8s.io/v1', 'RuntimeClass', {
        handler: 'a.b',
        overhead: { podFixed: { apples: '1' } },
        scheduling: {
          nodeSelector: { 'a b': '' },
          tolerations: [
            { key: 'a', operator: 'Exists' },
            { key: 'a', operator: 'Exists' },
          ],
        },
      }),
      [
        'handler: Invalid value: "a.b": must not contain dots',
        'overhead.limits[apples]: Invalid value: "apples": must be a standard resource type or fully qualified',
        'overhead.limits[apples]: Invalid value: "apples": must be a standard resource for containers',
        "scheduling.nodeSelector: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'scheduling.tolerations[1]: Duplicate value: {"Key":"a","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}',
      ],
    ],
    [
      'a lease',
      object('coordination.k8s.io/v1', 'Lease', { spec: { leaseTransitions: -1, preferredHolder: 'a' } }),
      [
        'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
        'spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined',
      ],
    ],
    [
      'a way to choose a leader',
      object('coordination.k8s.io/v1', 'Lease', { spec: { strategy: 'Best', preferredHolder: 'a' } }),
      ['spec.strategy.strategy: Unsupported value: "Best": supported values: "OldestEmulationVersion"'],
    ],
    [
      'rules',
      object(rbac, 'ClusterRole', {
        rules: [{ verbs: ['get'] }, { verbs: ['get'], nonResourceURLs: ['/a'], apiGroups: [''] }],
        aggregationRule: {},
      }),
      [
        'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[0].resources: Required value: resource rules must supply at least one resource',
        'rules[1].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and non-resource URLs',
        'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
      ],
    ],
    [
      'subjects',
      object(rbac, 'ClusterRoleBinding', {
        roleRef: { apiGroup: 'x', kind: 'ClusterRole', name: 'a/b' },
        subjects: [
          { kind: 'ServiceAccount', name: 'a', apiGroup: 'x' },
          { kind: 'User', name: '' },
          { kind: 'Group', name: 'g', apiGroup: 'x' },
          { kind: 'Robot', name: 'r' },
        ],
      }),
      [
        'roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
        'roleRef.name: Invalid value: "a/b": may not contain \'/\'',
        'subjects[0].apiGroup: Unsupported value: "x": supported values: ""',
        'subjects[0].namespace: Required value',
        'subjects[1].name: Required value',
        'subjects[1].name: Invalid value: "": user name cannot be empty',
        'subjects[2].apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
        'subjects[3].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, created, errors) => {
    expect(createErrors(created)).toEqual(errors);
  });
});

describe('updates', () => {
  const cases: [string, KubeObject, object, string[]][] = [
    [
      'of a priority',
      object('scheduling.k8s.io/v1', 'PriorityClass', { value: 1 }),
      { value: 2, preemptionPolicy: 'Never', description: 'x' },
      [
        'value: Forbidden: may not be changed in an update.',
        'preemptionPolicy: Invalid value: "Never": field is immutable',
      ],
    ],
    [
      'of a runtime',
      object('node.k8s.io/v1', 'RuntimeClass', { handler: 'a' }),
      { handler: 'b' },
      ['handler: Invalid value: "b": field is immutable'],
    ],
    [
      'of a binding',
      object(rbac, 'RoleBinding', { roleRef: { kind: 'Role', name: 'a' } }),
      { roleRef: { kind: 'Role', name: 'b' } },
      [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: cannot change roleRef',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, current, change, errors) => {
    expect(update(current, (next) => Object.assign(next, change)).errors).toEqual(errors);
  });

  test('of the status of a budget', () => {
    const condition = { type: 'a', status: 'Maybe', reason: '1', observedGeneration: -1, message: '' };
    const next = object('policy/v1', 'PodDisruptionBudget', {
      spec: {},
      status: { currentHealthy: -1, conditions: [condition, { ...condition, reason: '' }] },
    });
    const errors = (definitionOf(next).strategy.validateStatusUpdate?.(next, next) ?? []).map(fieldErrorText);
    const each = (at: string): string[] => [
      `${at}.status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"`,
      `${at}.observedGeneration: Invalid value: -1: must be greater than or equal to zero`,
      `${at}.lastTransitionTime: Required value`,
    ];
    expect(errors).toEqual([
      ...each('status.conditions[0]'),
      "status.conditions[0].reason: Invalid value: \"1\": a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')",
      'status.conditions[1]: Duplicate value: "a"',
      ...each('status.conditions[1]'),
      'status.conditions[1].reason: Required value',
      'status.currentHealthy: Invalid value: -1: must be greater than or equal to 0',
    ]);
  });
});
