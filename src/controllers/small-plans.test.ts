import { describe, expect, test } from 'vitest';
import type { ClusterRole, PodDisruptionBudget } from '#api/generated/types.ts';
import { planAggregation } from './clusterroleaggregation/plan.ts';
import { controllerList, selectControllers } from './controller-list.ts';
import { planDisruption } from './disruption/plan.ts';
import { CidrAllocator } from './nodeipam/cidr.ts';
import { planTerminated } from './podgc/plan.ts';
import { resolveIntOrPercent } from './shared/int-or-percent.ts';
import { slowStart } from './shared/slow-start.ts';
import { planTaintEviction } from './tainteviction/plan.ts';
import { START, START_MS, testPod } from './testing/objects.ts';

describe('CidrAllocator', () => {
  test('hands out, takes back and avoids what is in use', () => {
    const allocator = new CidrAllocator('10.244.0.0/22', 24);
    allocator.occupy('10.244.1.0/24');
    allocator.occupy('192.168.0.0/24');
    expect([allocator.allocate(), allocator.allocate(), allocator.allocate()]).toEqual([
      '10.244.0.0/24',
      '10.244.2.0/24',
      '10.244.3.0/24',
    ]);
    expect(allocator.allocate()).toBeUndefined();
    allocator.release('10.244.2.0/24');
    expect(allocator.allocate()).toBe('10.244.2.0/24');
  });
});

describe('planTaintEviction', () => {
  const taint = { key: 'k', effect: 'NoExecute', timeAdded: START };
  const cases = [
    { name: 'no toleration', tolerations: [], expected: START_MS },
    { name: 'for ever', tolerations: [{ key: 'k', operator: 'Exists' }], expected: undefined },
    {
      name: 'the shortest of two',
      tolerations: [
        { key: 'k', operator: 'Exists', tolerationSeconds: 300 },
        { operator: 'Exists', tolerationSeconds: 60 },
      ],
      expected: START_MS + 60_000,
    },
    { name: 'another taint', tolerations: [{ key: 'other', operator: 'Exists' }], expected: START_MS },
  ];
  for (const { name, tolerations, expected } of cases) {
    test(`${name}`, () => {
      const pod = testPod('p', { spec: { tolerations } });
      const plan = planTaintEviction({ pod, taints: [taint], firstSeenMs: () => START_MS });
      expect(plan.type === 'evict' ? plan.atMs : undefined).toBe(expected);
    });
  }
});

describe('planDisruption', () => {
  const budget = (spec: PodDisruptionBudget['spec']): PodDisruptionBudget => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'default', generation: 1 },
    spec,
  });
  const pods = [testPod('a'), testPod('b'), testPod('c', { isReady: false })];
  const cases = [
    { name: 'a number that must stay', spec: { minAvailable: 1 }, expected: [1, 3, 1] },
    { name: 'a share that must stay', spec: { minAvailable: '50%' }, expected: [2, 4, 0] },
    { name: 'a number that may go', spec: { maxUnavailable: 3 }, expected: [1, 4, 1] },
    { name: 'a share that may go', spec: { maxUnavailable: '25%' }, expected: [3, 4, 0] },
  ];
  for (const { name, spec, expected } of cases) {
    test(`${name}`, () => {
      const { status } = planDisruption({ budget: budget(spec), pods, expectedScale: () => 4, nowMs: START_MS });
      expect([status.desiredHealthy, status.expectedPods, status.disruptionsAllowed]).toEqual(expected);
      expect(status.currentHealthy).toBe(2);
    });
  }

  test('a pod that was evicted a moment ago does not count as healthy', () => {
    const noted = { ...budget({ minAvailable: 1 }), status: { disruptedPods: { a: START } } };
    const plan = planDisruption({ budget: noted, pods, expectedScale: () => 3, nowMs: START_MS + 30_000 });
    expect(plan.status).toMatchObject({ currentHealthy: 1, disruptionsAllowed: 0, disruptedPods: { a: START } });
    expect(plan.recheckInMs).toBe(90_000);
  });
});

test('planAggregation joins the rules of the selected roles without doubles', () => {
  const role = (name: string, verbs: string[], labels: Record<string, string> = { part: 'yes' }): ClusterRole => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, labels },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs }],
  });
  const { rules: _, ...base } = role('all', [], {});
  const all = { ...base, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { part: 'yes' } }] } };
  const others = [role('b', ['get']), role('a', ['list']), role('c', ['get']), role('d', ['delete'], {})];
  const rules = planAggregation(all, [all, ...others]);
  expect(rules?.map((rule) => rule.verbs)).toEqual([['list'], ['get']]);
  expect(planAggregation({ ...all, rules: rules ?? [] }, others)).toBeUndefined();
});

test('planTerminated removes evicted pods first, then the oldest', () => {
  const old = testPod('old', { phase: 'Failed', createdMs: START_MS - 1000 });
  const evicted = testPod('evicted', { phase: 'Failed' });
  evicted.status = { ...evicted.status, reason: 'Evicted' };
  const young = testPod('young', { phase: 'Succeeded' });
  const names = (threshold: number) =>
    planTerminated([young, old, evicted], threshold).map(({ pod }) => pod.metadata.name);
  expect(names(1)).toEqual(['evicted', 'old']);
  expect(names(3)).toEqual([]);
  expect(names(0)).toEqual([]);
});

test('resolveIntOrPercent rounds as asked', () => {
  expect(resolveIntOrPercent('25%', 10, 'up')).toBe(3);
  expect(resolveIntOrPercent('25%', 10, 'down')).toBe(2);
  expect(resolveIntOrPercent(4, 10, 'down')).toBe(4);
});

describe('slowStart', () => {
  test('doubles its batches and stops at the first failure', async () => {
    const started: number[] = [];
    const result = await slowStart(100, async (index) => {
      started.push(index);
      if (index === 5) throw new Error('no');
    });
    expect(started).toHaveLength(7);
    expect(result).toEqual({ succeeded: 6, error: new Error('no') });
  });

  test('runs all', async () => {
    expect(await slowStart(10, async () => undefined)).toEqual({ succeeded: 10, error: undefined });
  });
});

describe('selectControllers', () => {
  const names = (selection: string[]) => selectControllers(controllerList, selection).selected.map((one) => one.name);

  test('knows stars, names, aliases and dashes', () => {
    expect(names(['*'])).toHaveLength(controllerList.length);
    expect(names(['*', '-nodelifecycle'])).not.toContain('node-lifecycle-controller');
    expect(names(['deployment', 'replicaset-controller'])).toEqual(['deployment-controller', 'replicaset-controller']);
  });

  test('gives unknown names back', () => {
    expect(selectControllers(controllerList, ['*', '-foo', 'bar']).unknown).toEqual(['-foo', 'bar']);
  });
});
