import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Node, NodeSpec, NodeStatus } from '../../../generated/types.ts';
import { createErrors, defaulted, definitionOf, update } from '../../../testing/kit.ts';

function node(spec: NodeSpec = {}, status: NodeStatus = {}): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec, status };
}

const negative = 'must be greater than or equal to 0';

describe('errors of a new node', () => {
  const cases: [string, Node, string[]][] = [
    ['nothing', node(), []],
    ['ranges of both families', node({ podCIDRs: ['10.0.0.0/24', 'fd00::/64'] }), []],
    [
      'taints',
      node({
        taints: [
          { key: 'a', effect: 'Maybe' },
          { key: '', effect: '' },
          { key: 'b', value: 'x', effect: 'NoSchedule' },
          { key: 'b', effect: 'NoSchedule' },
        ],
      }),
      [
        'metadata.taints[0].effect: Unsupported value: "Maybe": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        'metadata.taints[1].key: Invalid value: "": name part must be non-empty',
        "metadata.taints[1].key: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'metadata.taints[1].effect: Required value',
        'metadata.taints[3]: Duplicate value: {"Key":"b","Value":"","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair',
      ],
    ],
    [
      'resources',
      node({}, { capacity: { pods: '1500m' }, allocatable: { cpu: '-1' } }),
      [
        'status.capacity.pods: Invalid value: "1500m": must be an integer',
        `status.allocatable.cpu: Invalid value: "-1": ${negative}`,
      ],
    ],
    [
      'ranges',
      node({ podCIDRs: ['10.0.0.0/24', '10.0.0.0/24', 'x'] }),
      [
        'spec.podCIDRs[2]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24","x"]: may specify no more than one CIDR for each IP family',
        'spec.podCIDRs[1]: Duplicate value: "10.0.0.0/24"',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, created, errors) => {
    expect(createErrors(created)).toEqual(errors);
  });
});

describe('updates of a node', () => {
  const cases: [string, Node, (spec: NodeSpec) => void, string[]][] = [
    [
      'what may change',
      node({ podCIDRs: ['10.0.0.0/24'] }),
      (spec) =>
        Object.assign(spec, { unschedulable: true, providerID: 'a://b', taints: [{ key: 'a', effect: 'NoExecute' }] }),
      [],
    ],
    [
      'its ranges',
      node({ podCIDRs: ['10.0.0.0/24'] }),
      (spec) => Object.assign(spec, { podCIDR: '10.0.1.0/24', podCIDRs: ['10.0.1.0/24'] }),
      ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
    ],
    [
      'its provider',
      node({ providerID: 'a://b', externalID: 'x' }),
      (spec) => Object.assign(spec, { providerID: 'a://c', externalID: 'y' }),
      [
        'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
        'spec.externalID: Forbidden: may not be updated',
      ],
    ],
    [
      'its source of configuration',
      node({ configSource: { configMap: { namespace: 'a', name: 'b', kubeletConfigKey: 'c' } } }),
      (spec) =>
        Object.assign(spec, {
          configSource: { configMap: { uid: 'u', namespace: 'A', name: '', kubeletConfigKey: 'c' } },
        }),
      [
        'spec.configSource.configMap.uid: Forbidden: uid must not be set in spec',
        "spec.configSource.configMap.namespace: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'spec.configSource.configMap.name: Required value: name must be set',
      ],
    ],
  ];

  test.each(cases)('%s', (_name, current, change, errors) => {
    expect(update(current, ({ spec }) => change(spec)).errors).toEqual(errors);
  });

  test('of its status', () => {
    const address = { type: 'InternalIP', address: '10.0.0.1' };
    const next = node({}, { addresses: [address, address], capacity: { cpu: '-1' }, config: { assigned: {} } });
    const errors = definitionOf(next).strategy.validateStatusUpdate?.(next, node()) ?? [];
    expect(errors.map(fieldErrorText)).toEqual([
      `status.capacity.cpu: Invalid value: "-1": ${negative}`,
      'status.addresses[1]: Duplicate value: {"Type":"InternalIP","Address":"10.0.0.1"}',
      'status.config.assigned: Invalid value: {"ConfigMap":null}: exactly one reference subfield must be non-nil',
    ]);
  });
});

test('the range of a node has two names', () => {
  expect(defaulted(node({ podCIDR: '10.0.0.0/24' })).spec.podCIDRs).toEqual(['10.0.0.0/24']);
  expect(defaulted(node({ podCIDRs: ['10.0.0.0/24'] })).spec.podCIDR).toBe('10.0.0.0/24');
});

test('warnings of a node', () => {
  const next = node({ externalID: 'x', podCIDRs: ['10.0.0.1/24'], configSource: {} });
  expect(definitionOf(next).strategy.warnings?.(next, undefined)).toEqual([
    'spec.configSource: the feature is removed',
    'spec.externalID: this field is deprecated, and is unused by Kubernetes',
    'spec.podCIDRs[0]: CIDR value "10.0.0.1/24" is ambiguous in this context (should be "10.0.0.0/24" or "10.0.0.1/32"?)',
  ]);
});

describe('a namespace', () => {
  const namespace = (fields: object): KubeObject =>
    ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' }, ...fields }) as KubeObject;
  const finalizer = 'name is neither a standard finalizer name nor is it fully qualified';

  test('has finalizers of known names', () => {
    const next = namespace({ spec: { finalizers: ['kubernetes', 'orphan', 'example.com/x', 'mine'] } });
    expect(createErrors(next)).toEqual([`spec.finalizers: Invalid value: "mine": ${finalizer}`]);
    const errors = definitionOf(next).strategy.subresources?.['finalize']?.validate?.(next, next) ?? [];
    expect(errors.map(fieldErrorText)).toEqual([`spec.finalizers[3]: Invalid value: "mine": ${finalizer}`]);
  });

  test.each([
    ['Active', undefined, []],
    ['Terminating', '2026-01-01T00:00:00Z', []],
    [
      'Gone',
      undefined,
      ['status.Phase: Invalid value: "Gone": may only be \'Active\' if `deletionTimestamp` is empty'],
    ],
    [
      'Active',
      '2026-01-01T00:00:00Z',
      ['status.Phase: Invalid value: "Active": may only be \'Terminating\' if `deletionTimestamp` is not empty'],
    ],
  ])('says %s, deleted at %s', (phase, deletionTimestamp, expected) => {
    const metadata = { name: 'a', ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
    const next = namespace({ metadata, status: { phase } });
    const errors = definitionOf(next).strategy.validateStatusUpdate?.(next, next) ?? [];
    expect(errors.map(fieldErrorText)).toEqual(expected);
  });
});
