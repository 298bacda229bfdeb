import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { requesting, SchedulerWorld, testNode, testPod } from '../testing/world.ts';
import { fitMessage } from './diagnosis.ts';
import { podInfoOf } from './pod-info.ts';
import { nodesToFind } from './schedule-pod.ts';

test('nodesToFind adapts to the size of the cluster', () => {
  const cases = [
    [10, 10],
    [100, 100],
    [1000, 420],
    [6000, 300],
    [20000, 1000],
  ];
  for (const [nodes = 0, expected] of cases) expect(nodesToFind(nodes)).toBe(expected);
});

test('fitMessage sorts and counts reasons as upstream does', () => {
  const cpu = { reasons: ['Insufficient cpu'] };
  const cordoned = { reasons: ['node(s) were unschedulable'] };
  expect(fitMessage(4, [cpu, cordoned, cpu, cpu], 'preemption: none.')).toBe(
    '0/4 nodes are available: 1 node(s) were unschedulable, 3 Insufficient cpu. preemption: none.',
  );
});

describe('SchedulerCache', () => {
  test('keeps sums that equal a recount, whatever comes and goes', () => {
    const operation = fc.record({
      type: fc.constantFrom('assume', 'confirm', 'remove', 'forget', 'addNode', 'removeNode'),
      pod: fc.integer({ min: 0, max: 12 }),
      node: fc.integer({ min: 0, max: 3 }),
    });
    const affinity = {
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: {} }] },
    };
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const world = new SchedulerWorld([testNode('n0'), testNode('n1')]);
        const where = new Map<string, string>();
        for (const { type, pod, node } of operations) {
          const ports = pod % 4 === 0 ? [{ containerPort: 1, hostPort: 100 + pod }] : [];
          const requests = { cpu: `${pod}m`, ...(pod % 3 === 0 ? { 'example.com/x': '1' } : {}) };
          const spec = {
            containers: [{ name: 'main', resources: { requests }, ports }],
            ...(pod % 5 === 0 ? { affinity } : {}),
          };
          const object = testPod(`p${pod}`, spec);
          const info = podInfoOf(object);
          if (type === 'assume' && !where.has(info.uid)) {
            world.cache.assume(info, `n${node}`);
            where.set(info.uid, `n${node}`);
          } else if (type === 'confirm') {
            world.place(object, `n${node}`);
            where.set(info.uid, `n${node}`);
          } else if (type === 'remove') {
            world.cache.removePod(info.uid);
            where.delete(info.uid);
          } else if (type === 'forget') {
            if (world.cache.isAssumed(info.uid)) where.delete(info.uid);
            world.cache.forget(info);
          } else if (type === 'addNode') {
            world.cache.setNode(testNode(`n${node}`));
          } else if (type === 'removeNode') {
            world.cache.removeNode(`n${node}`);
          }
        }
        expect(world.cache.podCount).toBe(where.size);
        const view = world.cache.view();
        expect(view.nodes).toHaveLength(view.byName.size);
        for (const info of view.nodes) {
          expect(view.byName.get(info.name)).toBe(info);
          const { kept, expected } = world.recount(info.name);
          expect(kept).toEqual(expected);
          const expectedPods = [...where].filter(([, node]) => node === info.name).map(([uid]) => uid);
          expect(
            info.pods
              .filter(() => true)
              .map((pod) => pod.uid)
              .toSorted(),
          ).toEqual(expectedPods.toSorted());
        }
      }),
      { seed: 20260101, numRuns: 200 },
    );
  });

  test('lets zones take turns', () => {
    const zones = ['a', 'a', 'a', 'b', 'c'].map((zone, index) =>
      testNode(`n${index}`, { labels: { 'topology.kubernetes.io/zone': zone } }),
    );
    const world = new SchedulerWorld(zones);
    expect(world.cache.view().nodes.map((node) => node.name)).toEqual(['n0', 'n3', 'n4', 'n1', 'n2']);
  });
});

test('no node ever gets more than it has', () => {
  const pod = fc.record({ cpu: fc.integer({ min: 0, max: 2000 }), memory: fc.integer({ min: 0, max: 2000 }) });
  fc.assert(
    fc.property(fc.array(pod, { maxLength: 60 }), (pods) => {
      const world = new SchedulerWorld(
        [1, 2, 3].map((size) =>
          testNode(`n${size}`, { allocatable: { cpu: `${size}`, memory: `${size}Gi`, pods: '10' } }),
        ),
      );
      for (const [index, { cpu, memory }] of pods.entries()) {
        const outcome = world.schedule(testPod(`p${index}`, requesting({ cpu: `${cpu}m`, memory: `${memory}Mi` })));
        // Where it says that no node fits, none does.
        const nodesRejected = typeof outcome === 'string' ? 3 : Object.keys(outcome).length;
        expect(nodesRejected).toBe(3);
      }
      for (const { used, allocatable, pods: placed } of world.cache.view().nodes) {
        expect(used.cpuMillis).toBeLessThanOrEqual(allocatable.cpuMillis);
        expect(used.memoryBytes).toBeLessThanOrEqual(allocatable.memoryBytes);
        expect(placed.length).toBeLessThanOrEqual(10);
      }
    }),
    { seed: 20260102, numRuns: 100 },
  );
});

test('room made for a more important pod is not given to a less important one', () => {
  const world = new SchedulerWorld([testNode('n1', { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } })]);
  world.nominated.set('n1', [podInfoOf(testPod('high', { ...requesting({ cpu: '800m' }), priority: 10 }))]);
  expect(world.schedule(testPod('low', requesting({ cpu: '500m' })))).toEqual({ n1: 'Insufficient cpu' });
  expect(world.schedule(testPod('higher', { ...requesting({ cpu: '500m' }), priority: 20 }))).toBe('n1');
});
