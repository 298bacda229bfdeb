import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { LimitRangeItem, ResourceQuota } from '../../generated/types.ts';
import { createErrors, definitionOf, row, update } from '../../testing/kit.ts';

const metadata = { name: 'a', namespace: 'default' };

function quota(spec: object): KubeObject {
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec } as KubeObject;
}

function limits(...items: LimitRangeItem[]): KubeObject {
  return { apiVersion: 'v1', kind: 'LimitRange', metadata, spec: { limits: items } } as KubeObject;
}

describe('errors of a new quota', () => {
  const onlyExists =
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
  const expression = (scopeName: string, operator: string, values?: string[]): object => ({
    scopeSelector: { matchExpressions: [{ scopeName, operator, ...(values === undefined ? {} : { values }) }] },
  });
  const cases: [string, object, string[]][] = [
    [
      'names of all sorts',
      {
        hard: {
          pods: '1',
          'requests.cpu': '500m',
          'requests.hugepages-2Mi': '4Mi',
          'hugepages-2Mi': '4Mi',
          'count/deployments.apps': '2',
          'requests.example.com/gpu': '1',
          'gold.storageclass.storage.k8s.io/requests.storage': '1Gi',
        },
      },
      [],
    ],
    ['a scope', { hard: { pods: '1', 'limits.cpu': '1' }, scopes: ['NotBestEffort', 'Terminating'] }, []],
    ['a class of priority', { hard: { pods: '1' }, ...expression('PriorityClass', 'In', ['high']) }, []],
    [
      'a scope of claims',
      { hard: { persistentvolumeclaims: '1' }, ...expression('VolumeAttributesClass', 'In', ['gold']) },
      [],
    ],
    [
      'unknown names',
      { hard: { apples: '1', storage: '1', 'a b/c': '1' } },
      [
        'spec.hard[apples]: Invalid value: "apples": must be a standard resource type or fully qualified',
        'spec.hard[apples]: Invalid value: "apples": must be a standard resource for quota',
        'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota',
        "spec.hard[a b/c]: Invalid value: \"a b/c\": prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'amounts',
      { hard: { pods: '1500m', cpu: '-1' } },
      [
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
        'spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
    [
      'scopes',
      { hard: { pods: '1', cpu: '1' }, scopes: ['BestEffort', 'NotBestEffort', 'Mine'] },
      [
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Mine"]: unsupported scope applied to resource',
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Mine"]: unsupported scope',
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Mine"]: conflicting scopes',
      ],
    ],
    [
      'an expression of a scope without values',
      { hard: { services: '1' }, ...expression('Terminating', 'In', ['x']) },
      [
        'spec.scopeSelector.matchExpressions: Invalid value: {"MatchExpressions":[{"ScopeName":"Terminating","Operator":"In","Values":["x"]}]}: unsupported scope applied to resource',
        `spec.scopeSelector.matchExpressions.operator: Invalid value: "In": ${onlyExists}`,
      ],
    ],
    [
      'no values',
      expression('PriorityClass', 'In'),
      [
        "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
      ],
    ],
    [
      'values of nothing',
      expression('PriorityClass', 'Exists', ['x']),
      [
        "spec.scopeSelector.matchExpressions.values: Invalid value: [\"x\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
      ],
    ],
    [
      'an operator and a scope',
      expression('Mine', 'Near'),
      [
        'spec.scopeSelector.matchExpressions.scopeName: Invalid value: "Mine": unsupported scope',
        'spec.scopeSelector.matchExpressions.operator: Invalid value: "Near": not a valid selector operator',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, spec, errors) => {
    expect(createErrors(quota(spec))).toEqual(errors);
  });
});

test('scopes of a quota are immutable, their order is not', () => {
  const current = quota({ hard: { pods: '1' }, scopes: ['NotBestEffort', 'Terminating'] }) as ResourceQuota;
  const turned = update(current, ({ spec }) => {
    spec.scopes = ['Terminating', 'NotBestEffort'];
  });
  expect(turned.errors).toEqual([]);
  const changed = update(current, ({ spec }) => {
    spec.scopes = ['Terminating'];
  });
  expect(changed.errors).toEqual(['spec.scopes: Invalid value: ["Terminating"]: field is immutable']);
});

test('the status of a quota has the rules of its limits', () => {
  const next = { ...quota({}), status: { hard: { apples: '1' }, used: { pods: '-1' } } } as KubeObject;
  const errors = definitionOf(next).strategy.validateStatusUpdate?.(next, quota({})) ?? [];
  expect(errors.map(fieldErrorText)).toEqual([
    'status.hard[apples]: Invalid value: "apples": must be a standard resource type or fully qualified',
    'status.hard[apples]: Invalid value: "apples": must be a standard resource for quota',
    'status.used[pods]: Invalid value: "-1": must be greater than or equal to 0',
  ]);
});

test('the row of a quota', () => {
  const status = { hard: { 'limits.cpu': '2', pods: '3', cpu: '1' }, used: { pods: '1', cpu: '500m' } };
  const cells = row({ ...quota({}), status } as KubeObject, { nowMs: 0 });
  expect(cells.slice(1, 3)).toEqual(['cpu: 500m/1, pods: 1/3', 'limits.cpu: 0/2']);
});

describe('errors of new limits', () => {
  const at = 'spec.limits[0]';
  const cases: [string, LimitRangeItem[], string[]][] = [
    [
      'of every type',
      [
        { type: 'Container', max: { cpu: '1' } },
        { type: 'Pod', min: { cpu: '1' } },
      ],
      [],
    ],
    ['of a type of the cluster', [{ type: 'example.com/disk', max: { storage: '1' } }], []],
    [
      'types',
      [
        { type: 'Node', max: { cpu: '1' } },
        { type: 'Pod', max: { cpu: '1' } },
        { type: 'Pod', max: { cpu: '1' } },
      ],
      [
        `${at}.type: Invalid value: "Node": must be a standard limit type or fully qualified`,
        'spec.limits[2].type: Duplicate value: "Pod"',
      ],
    ],
    [
      'a name',
      [{ type: 'Container', max: { storage: '1' } }],
      [
        `${at}.max[storage]: Invalid value: "storage": must be a standard resource for containers`,
        `${at}.default[storage]: Invalid value: "storage": must be a standard resource for containers`,
        `${at}.defaultRequest[storage]: Invalid value: "storage": must be a standard resource for containers`,
      ],
    ],
    [
      'defaults of pods',
      [{ type: 'Pod', default: { cpu: '1' }, defaultRequest: { cpu: '1' } }],
      [
        `${at}.default: Forbidden: may not be specified when \`type\` is 'Pod'`,
        `${at}.defaultRequest: Forbidden: may not be specified when \`type\` is 'Pod'`,
      ],
    ],
    [
      'claims of no size',
      [{ type: 'PersistentVolumeClaim', min: {} }],
      [`${at}.limits: Required value: either minimum or maximum storage value is required, but neither was provided`],
    ],
    [
      'order',
      [
        {
          type: 'Container',
          min: { cpu: '3' },
          max: { cpu: '1' },
          defaultRequest: { cpu: '2' },
          default: { cpu: '1500m' },
        },
      ],
      [
        `${at}.min[cpu]: Invalid value: "3": min value 3 is greater than max value 1`,
        `${at}.defaultRequest[cpu]: Invalid value: "2": min value 3 is greater than default request value 2`,
        `${at}.defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than max value 1`,
        `${at}.defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1500m`,
        `${at}.default[cpu]: Invalid value: "3": min value 3 is greater than default value 1500m`,
        `${at}.default[cpu]: Invalid value: "1": default value 1500m is greater than max value 1`,
      ],
    ],
    [
      'ratios',
      [
        { type: 'Pod', min: { cpu: '100m' }, max: { cpu: '1' }, maxLimitRequestRatio: { cpu: '20' } },
        { type: 'Container', maxLimitRequestRatio: { memory: '800m' } },
      ],
      [
        `${at}.maxLimitRequestRatio[cpu]: Invalid value: "20": ratio 20 is greater than max/min = 10.000000`,
        'spec.limits[1].maxLimitRequestRatio[memory]: Invalid value: "800m": ratio 800m is less than 1',
      ],
    ],
    [
      'what cannot be shared',
      [{ type: 'Container', default: { 'example.com/gpu': '2' }, defaultRequest: { 'example.com/gpu': '1' } }],
      [
        `${at}.defaultRequest[example.com/gpu]: Invalid value: "1": default value 2 must equal to defaultRequest value 1 in example.com/gpu`,
      ],
    ],
  ];

  test.each(cases)('%s', (_name, items, errors) => {
    expect(createErrors(limits(...items))).toEqual(errors);
  });
});
