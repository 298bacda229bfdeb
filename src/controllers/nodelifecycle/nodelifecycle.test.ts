import { describe, expect, test } from 'vitest';
import { defaultControllerOptions } from '../options.ts';
import { START_MS, testNode } from '../testing/objects.ts';
import { planNodeHealth } from './health.ts';
import { planNoExecuteTaints, planNoScheduleTaints } from './taints.ts';
import { EvictionLimiter, evictionRates, ZoneRates } from './zones.ts';

describe('planNodeHealth', () => {
  const graces = { gracePeriodMs: 40_000, startupGracePeriodMs: 60_000 };

  test('waits for the grace period', () => {
    const node = testNode('n');
    const plan = planNodeHealth({ node, seenAtMs: START_MS, nowMs: START_MS + 39_000, ...graces });
    expect(plan).toEqual({ checkInMs: 1_000 });
  });

  test('marks a silent node unknown', () => {
    const plan = planNodeHealth({ node: testNode('n'), seenAtMs: START_MS, nowMs: START_MS + 40_000, ...graces });
    expect(plan.conditions?.find((condition) => condition.type === 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    });
    expect(plan.conditions?.find((condition) => condition.type === 'DiskPressure')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
    });
  });

  test('a node that never reported has longer', () => {
    const node = { ...testNode('n'), status: {} };
    expect(planNodeHealth({ node, seenAtMs: START_MS, nowMs: START_MS + 50_000, ...graces }).checkInMs).toBe(10_000);
  });
});

describe('Taints', () => {
  test('follow the conditions', () => {
    const cases = [
      { ready: 'True', keys: undefined },
      { ready: 'False', keys: ['node.kubernetes.io/not-ready:NoSchedule'] },
      { ready: 'Unknown', keys: ['node.kubernetes.io/unreachable:NoSchedule'] },
    ];
    for (const { ready, keys } of cases) {
      const taints = planNoScheduleTaints(testNode('n', { ready }), START_MS);
      expect(taints?.map((taint) => `${taint.key}:${taint.effect}`)).toEqual(keys);
    }
  });

  test('of others are left alone', () => {
    const own = { key: 'dedicated', effect: 'NoSchedule' };
    const stale = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
    const node = { ...testNode('n'), spec: { taints: [own, stale] } };
    expect(planNoScheduleTaints(node, START_MS)).toEqual([own]);
    expect(planNoExecuteTaints(node, undefined, START_MS)).toBeUndefined();
  });
});

describe('evictionRates', () => {
  const cases = [
    { name: 'healthy', zones: { a: [9, 1] }, expected: { a: 0.1 } },
    { name: 'small zone mostly down', zones: { a: [2, 3] }, expected: { a: 0 } },
    { name: 'large zone mostly down', zones: { a: [20, 40] }, expected: { a: 0.01 } },
    { name: 'one zone of two all down', zones: { a: [0, 3], b: [3, 0] }, expected: { a: 0.1, b: 0.1 } },
    { name: 'everything down', zones: { a: [0, 3], b: [0, 1] }, expected: { a: 0, b: 0 } },
  ];
  for (const { name, zones, expected } of cases) {
    test(`${name}`, () => {
      const counts = new Map(
        Object.entries(zones).map(([zone, [ready = 0, notReady = 0]]) => [zone, { ready, notReady }] as const),
      );
      expect(Object.fromEntries(evictionRates(counts, defaultControllerOptions))).toEqual(expected);
    });
  }

  test('ZoneRates tells when a rate changes, and only then', () => {
    const rates = new ZoneRates(defaultControllerOptions);
    const ready = { zone: 'a', isReady: true };
    const failed = { zone: 'a', isReady: false };
    expect(rates.move(undefined, ready)).toBe(true);
    expect(rates.move(undefined, ready)).toBe(false);
    expect(rates.move(ready, failed)).toBe(false);
    expect(rates.move(ready, failed)).toBe(true);
    expect(rates.of('a')).toBe(0);
  });

  test('EvictionLimiter lets one node through every ten seconds', () => {
    const limiter = new EvictionLimiter();
    expect(limiter.take(0.1, 1_000)).toBe(0);
    expect(limiter.take(0.1, 2_000)).toBe(9_000);
    expect(limiter.take(0, 20_000)).toBeUndefined();
    expect(limiter.take(0.1, 11_000)).toBe(0);
  });
});
