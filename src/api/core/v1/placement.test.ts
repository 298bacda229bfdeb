import { describe, expect, test } from 'vitest';
import type { Node, NodeSelectorRequirement, Toleration } from '../../generated/types.ts';
import { row } from '../../testing/kit.ts';
import { matchesNodeSelector, preferredNodeWeight } from './node-affinity.ts';
import { firstUntoleratedTaint, tolerationSecondsLeft, toleratesTaint } from './taints.ts';

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'n1',
    labels: { zone: 'a', cores: '8', 'node-role.kubernetes.io/control-plane': '' },
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }], unschedulable: true },
  status: {
    addresses: [{ type: 'InternalIP', address: '10.0.0.5' }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
};

describe('taints', () => {
  const taint = { key: 'a', value: 'b', effect: 'NoExecute' };
  test.each<[boolean, Toleration]>([
    [true, { operator: 'Exists' }],
    [true, { key: 'a', operator: 'Exists' }],
    [true, { key: 'a', value: 'b' }],
    [true, { key: 'a', operator: 'Equal', value: 'b', effect: 'NoExecute' }],
    [false, { key: 'a', value: 'c' }],
    [false, { key: 'b', operator: 'Exists' }],
    [false, { key: 'a', operator: 'Exists', effect: 'NoSchedule' }],
  ])('%s for %o', (expected, toleration) => {
    expect(toleratesTaint(toleration, taint)).toBe(expected);
  });

  test('the first that is not tolerated is found', () => {
    expect(firstUntoleratedTaint(node.spec.taints, undefined)).toBe(node.spec.taints?.[0]);
    expect(firstUntoleratedTaint(node.spec.taints, [{ operator: 'Exists' }])).toBeUndefined();
  });

  test('the shortest toleration counts', () => {
    const tolerations = [
      { key: 'a', operator: 'Exists', tolerationSeconds: 300 },
      { operator: 'Exists', tolerationSeconds: 10 },
    ];
    expect(tolerationSecondsLeft([taint], tolerations)).toBe(10);
    expect(tolerationSecondsLeft([taint], [{ operator: 'Exists' }])).toBeUndefined();
    expect(tolerationSecondsLeft([taint], [])).toBe(0);
  });
});

describe('node affinity', () => {
  const withRequirement = (requirement: NodeSelectorRequirement): boolean =>
    matchesNodeSelector(
      {
        containers: [],
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [requirement] }],
            },
          },
        },
      },
      node,
    );

  test.each<[boolean, NodeSelectorRequirement]>([
    [true, { key: 'zone', operator: 'In', values: ['a', 'b'] }],
    [false, { key: 'zone', operator: 'NotIn', values: ['a'] }],
    [true, { key: 'other', operator: 'NotIn', values: ['a'] }],
    [true, { key: 'zone', operator: 'Exists' }],
    [true, { key: 'other', operator: 'DoesNotExist' }],
    [true, { key: 'cores', operator: 'Gt', values: ['4'] }],
    [false, { key: 'cores', operator: 'Lt', values: ['4'] }],
    [false, { key: 'zone', operator: 'Gt', values: ['4'] }],
  ])('%s for %o', (expected, requirement) => {
    expect(withRequirement(requirement)).toBe(expected);
  });

  test('a term without requirements matches nothing', () => {
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } };
    expect(matchesNodeSelector({ containers: [], affinity: { nodeAffinity } }, node)).toBe(false);
  });

  test('matchFields names the node; nodeSelector names its labels', () => {
    const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }];
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
    expect(matchesNodeSelector({ containers: [], affinity: { nodeAffinity }, nodeSelector: { zone: 'a' } }, node)).toBe(
      true,
    );
    expect(matchesNodeSelector({ containers: [], nodeSelector: { zone: 'b' } }, node)).toBe(false);
  });

  test('weights of matching preferences add up', () => {
    const preference = { matchExpressions: [{ key: 'zone', operator: 'Exists' }] };
    const preferred = [
      { weight: 3, preference },
      { weight: 4, preference },
      { weight: 5, preference: {} },
    ];
    const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: preferred };
    expect(preferredNodeWeight({ containers: [], affinity: { nodeAffinity } }, node)).toBe(7);
  });
});

test('the row of a node', () => {
  const nowMs = 1767225600000 + 86_400_000 * 3;
  expect(row(node, { nowMs })).toEqual(['n1', 'Ready,SchedulingDisabled', 'control-plane', '3d', '']);
  expect(row(node, { nowMs, wide: true }).slice(5)).toEqual([
    '10.0.0.5',
    '<none>',
    '<unknown>',
    '<unknown>',
    '<unknown>',
  ]);
});
