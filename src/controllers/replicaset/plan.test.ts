import { describe, expect, test } from 'vitest';
import type { Pod } from '#api/generated/types.ts';
import { START_MS, testPod, testReplicaSet } from '../testing/objects.ts';
import { nextAvailableInMs, planReplicas, replicaStatus } from './plan.ts';
import { rankForDeletion } from './rank.ts';
import { workloadOfReplicaSet } from './workload.ts';

const input = (replicas: number, pods: readonly Pod[], minReadySeconds = 0) => ({
  workload: { ...workloadOfReplicaSet(testReplicaSet('web', replicas)), minReadySeconds },
  pods,
  relatedPods: () => pods,
  nowMs: START_MS,
});

describe('planReplicas', () => {
  const cases = [
    { name: 'creates what is missing', replicas: 3, pods: [testPod('a')], create: 2, deletes: 0 },
    { name: 'deletes what is too many', replicas: 1, pods: [testPod('a'), testPod('b')], create: 0, deletes: 1 },
    { name: 'is content', replicas: 1, pods: [testPod('a')], create: 0, deletes: 0 },
    { name: 'replaces ended pods', replicas: 1, pods: [testPod('a', { phase: 'Failed' })], create: 1, deletes: 0 },
    {
      name: 'replaces pods on their way out',
      replicas: 1,
      pods: [testPod('a', { isTerminating: true })],
      create: 1,
      deletes: 0,
    },
    { name: 'creates 500 at a time', replicas: 2000, pods: [], create: 500, deletes: 0 },
  ];
  for (const { name, replicas, pods, create, deletes } of cases) {
    test(`${name}`, () => {
      const plan = planReplicas(input(replicas, pods));
      expect([plan.create, plan.delete.length]).toEqual([create, deletes]);
    });
  }

  test('does nothing for a set that is being deleted', () => {
    const set = testReplicaSet('web', 3);
    const workload = workloadOfReplicaSet({ ...set, metadata: { ...set.metadata, deletionTimestamp: 'now' } });
    expect(planReplicas({ ...input(3, []), workload })).toEqual({ create: 0, delete: [] });
  });
});

describe('rankForDeletion', () => {
  const HOUR = 3_600_000;
  const pairs = [
    { name: 'unassigned before assigned', first: testPod('x'), then: testPod('y', { node: 'n' }) },
    {
      name: 'pending before running',
      first: testPod('x', { node: 'n', phase: 'Pending' }),
      then: testPod('y', { node: 'n' }),
    },
    {
      name: 'not ready before ready',
      first: testPod('x', { node: 'n', isReady: false }),
      then: testPod('y', { node: 'n' }),
    },
    {
      name: 'cheap before dear',
      first: testPod('x', { node: 'n', annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-5' } }),
      then: testPod('y', { node: 'n' }),
    },
    {
      name: 'ready for a short time before ready for long',
      first: testPod('x', { node: 'n', readyMs: START_MS - HOUR }),
      then: testPod('y', { node: 'n', readyMs: START_MS - 24 * HOUR }),
    },
    {
      name: 'often restarted before calm',
      first: testPod('x', { node: 'n', restarts: 3 }),
      then: testPod('y', { node: 'n' }),
    },
    {
      name: 'young before old',
      first: testPod('x', { node: 'n', createdMs: START_MS - HOUR }),
      then: testPod('y', { node: 'n', createdMs: START_MS - 24 * HOUR }),
    },
  ];
  for (const { name, first, then } of pairs) {
    test(`${name}`, () => {
      expect(rankForDeletion([then, first], [], START_MS)).toEqual([first, then]);
      expect(rankForDeletion([first, then], [], START_MS)).toEqual([first, then]);
    });
  }

  test('a node with more pods of the family gives one first', () => {
    const alone = testPod('alone', { node: 'one' });
    const crowded = testPod('crowded', { node: 'two' });
    const related = [alone, crowded, testPod('other', { node: 'two' })];
    expect(rankForDeletion([alone, crowded], related, START_MS)[0]).toBe(crowded);
  });
});

describe('replicaStatus', () => {
  test('counts ready, available, fully labeled and terminating pods', () => {
    const pods = [
      testPod('a', { labels: { app: 'web' }, readyMs: START_MS - 60_000 }),
      testPod('b', { labels: { app: 'web' }, readyMs: START_MS - 1_000 }),
      testPod('c', { labels: {}, isReady: false }),
      testPod('d', { isTerminating: true }),
      testPod('e', { phase: 'Succeeded' }),
    ];
    expect(replicaStatus(input(3, pods, 10), undefined, { countsTerminating: true })).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 1,
      terminatingReplicas: 1,
      observedGeneration: 1,
    });
    expect(nextAvailableInMs(input(3, pods, 10))).toBe(9_000);
  });

  test('notes a failure and takes it back', () => {
    const failure = { reason: 'FailedCreate', message: 'no' } as const;
    const failed = replicaStatus(input(1, []), failure, { countsTerminating: false });
    expect(failed.conditions).toMatchObject([
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'no' },
    ]);
    const { workload, ...rest } = input(1, []);
    const again = { ...rest, workload: { ...workload, status: failed } };
    expect(replicaStatus(again, undefined, { countsTerminating: false }).conditions).toBeUndefined();
  });
});
