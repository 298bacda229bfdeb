import { describe, expect, test } from 'vitest';
import type { Pod, PodDisruptionBudget } from '#api/generated/types.ts';
import { requesting, SchedulerWorld, testNode, testPod } from '../testing/world.ts';
import { planPreemption } from './plan.ts';

const small = (name: string) => testNode(name, { allocatable: { cpu: '2', memory: '8Gi', pods: '10' } });

function sized(name: string, cpu: string, priority: number, labels: Record<string, string> = {}): Pod {
  return testPod(name, { ...requesting({ cpu }), priority }, { labels });
}

function plan(world: SchedulerWorld, pod: Pod, budgets: PodDisruptionBudget[] = []) {
  const result = world.try(pod);
  if (result.type !== 'unschedulable') throw new Error('the pod fits');
  const outcome = planPreemption({ filters: result.filters, rejections: result.rejections, budgets, pick: () => 0 });
  return outcome.type === 'none'
    ? outcome.message
    : [outcome.node, ...outcome.victims.map((victim) => victim.pod.metadata.name)];
}

describe('planPreemption', () => {
  test('takes no more victims than it must, and the least important ones', () => {
    const world = new SchedulerWorld([small('n1')]);
    world.place(sized('a', '500m', 1), 'n1');
    world.place(sized('b', '500m', 2), 'n1');
    world.place(sized('c', '1', 3), 'n1');
    expect(plan(world, sized('p', '500m', 10))).toEqual(['n1', 'a']);
    expect(plan(world, sized('p', '1', 10))).toEqual(['n1', 'b', 'a']);
  });

  test('prefers the node where the most important victim is least important', () => {
    const world = new SchedulerWorld([small('n1'), small('n2')]);
    world.place(sized('a', '2', 5), 'n1');
    world.place(sized('b', '1', 4), 'n2');
    world.place(sized('c', '1', 4), 'n2');
    expect(plan(world, sized('p', '2', 10))).toEqual(['n2', 'b', 'c']);
  });

  test('spares what a budget protects', () => {
    const budget: PodDisruptionBudget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'b', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'db' } } },
      status: { disruptionsAllowed: 0 },
    };
    const world = new SchedulerWorld([small('n1'), small('n2')]);
    world.place(sized('a', '2', 1, { app: 'db' }), 'n1');
    world.place(sized('b', '2', 5), 'n2');
    expect(plan(world, sized('p', '2', 10))).toEqual(['n1', 'a']);
    expect(plan(world, sized('p', '2', 10), [budget])).toEqual(['n2', 'b']);
  });

  test('makes way in another domain for anti-affinity', () => {
    const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'web' } } };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    const world = new SchedulerWorld([small('n1')]);
    world.place(testPod('a', { priority: 1 }, { labels: { app: 'web' } }), 'n1');
    expect(plan(world, testPod('p', { affinity, priority: 10 }))).toEqual(['n1', 'a']);
  });

  const messages = [
    {
      name: 'no victims',
      pod: sized('p', '1', 1),
      message:
        '0/2 nodes are available: 1 No preemption victims found for incoming pod, ' +
        '1 Preemption is not helpful for scheduling.',
    },
    {
      name: 'not even an empty node is large enough',
      pod: sized('p', '3', 10),
      message: '0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    },
    {
      name: 'the pod does not want to',
      pod: testPod('p', { ...requesting({ cpu: '1' }), priority: 10, preemptionPolicy: 'Never' }),
      message: 'not eligible due to preemptionPolicy=Never.',
    },
  ];
  for (const { name, pod, message } of messages) {
    test(`says why not: ${name}`, () => {
      const world = new SchedulerWorld([small('n1'), testNode('n2', { spec: { unschedulable: true } })]);
      world.place(sized('a', '2', 5), 'n1');
      expect(plan(world, pod)).toBe(message);
    });
  }
});
