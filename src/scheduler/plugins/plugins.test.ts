import { describe, expect, test } from 'vitest';
import type { PodSpec } from '#api/generated/types.ts';
import { requesting, SchedulerWorld, testNode, testPod } from '../testing/world.ts';

describe('Filters', () => {
  const taint = { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' };
  const cases: { name: string; node: Parameters<typeof testNode>[1]; pod: Partial<PodSpec>; reason: string }[] = [
    {
      name: 'NodeUnschedulable',
      node: { spec: { unschedulable: true } },
      pod: {},
      reason: 'node(s) were unschedulable',
    },
    { name: 'NodeName', node: {}, pod: { nodeName: 'other' }, reason: "node(s) didn't match the requested node name" },
    {
      name: 'TaintToleration',
      node: { spec: { taints: [taint] } },
      pod: {},
      reason: 'node(s) had untolerated taint(s)',
    },
    {
      name: 'NodeAffinity',
      node: {},
      pod: { nodeSelector: { disk: 'ssd' } },
      reason: "node(s) didn't match Pod's node affinity/selector",
    },
    {
      name: 'all that is missing',
      node: { allocatable: { cpu: '1', memory: '1Gi', pods: '0' } },
      pod: requesting({ cpu: '2', memory: '2Gi', 'example.com/gpu': '1' }),
      reason: 'Too many pods, Insufficient cpu, Insufficient memory, Insufficient example.com/gpu',
    },
    {
      name: 'PodTopologySpread without the label',
      node: {},
      pod: {
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
      },
      reason: "node(s) didn't match pod topology spread constraints (missing required label)",
    },
  ];
  for (const { name, node, pod, reason } of cases) {
    test(`${name}`, () => {
      const world = new SchedulerWorld([testNode('n1', node)]);
      expect(world.schedule(testPod('p', pod))).toEqual({ n1: reason });
    });
  }

  test('tolerations open tainted and cordoned nodes', () => {
    const world = new SchedulerWorld([testNode('n1', { spec: { unschedulable: true, taints: [taint] } })]);
    expect(world.schedule(testPod('p', { tolerations: [{ operator: 'Exists' }] }))).toBe('n1');
  });

  test('a host port is given once a node', () => {
    const world = new SchedulerWorld([testNode('n1'), testNode('n2')]);
    const pod = (name: string, hostIP?: string) =>
      testPod(name, {
        containers: [
          { name: 'main', ports: [{ containerPort: 80, hostPort: 80, ...(hostIP === undefined ? {} : { hostIP }) }] },
        ],
      });
    const nodes = [world.schedule(pod('a')), world.schedule(pod('b'))];
    expect(new Set(nodes)).toEqual(new Set(['n1', 'n2']));
    const reason = "node(s) didn't have free ports for the requested pod ports";
    expect(world.schedule(pod('c'))).toEqual({ n1: reason, n2: reason });
    expect(world.schedule(pod('d', '127.0.0.1'))).toEqual({ n1: reason, n2: reason });
  });
});

describe('PodTopologySpread', () => {
  const zones = ['a', 'a', 'b'].map((zone, index) => testNode(`n${index}`, { labels: { zone } }));
  const web = (name: string) =>
    testPod(
      name,
      {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'zone',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'web' } },
          },
        ],
      },
      { labels: { app: 'web' } },
    );

  test('keeps the skew', () => {
    const world = new SchedulerWorld(zones);
    const counts: Record<string, number> = { a: 0, b: 0 };
    for (let index = 0; index < 10; index++) {
      const node = world.schedule(web(`p${index}`));
      const zone = node === 'n2' ? 'b' : 'a';
      counts[zone] = (counts[zone] ?? 0) + 1;
      expect(Math.abs((counts['a'] ?? 0) - (counts['b'] ?? 0))).toBeLessThanOrEqual(1);
    }
  });

  test('says so where it cannot', () => {
    const world = new SchedulerWorld([
      ...zones.slice(0, 2),
      testNode('n2', { labels: { zone: 'b' }, spec: { unschedulable: true } }),
    ]);
    world.schedule(web('p0'));
    expect(world.schedule(web('p1'))).toEqual({
      n0: "node(s) didn't match pod topology spread constraints",
      n1: "node(s) didn't match pod topology spread constraints",
      n2: 'node(s) were unschedulable',
    });
  });

  test('spreads by default what belongs together', () => {
    const world = new SchedulerWorld([testNode('n0'), testNode('n1'), testNode('n2')]);
    const nodes = [0, 1, 2, 3, 4, 5].map((index) =>
      world.schedule(testPod(`p${index}`, {}, { labels: { app: 'web' } })),
    );
    expect(nodes.map(String).toSorted()).toEqual(['n0', 'n0', 'n1', 'n1', 'n2', 'n2']);
  });
});

describe('InterPodAffinity', () => {
  const nodes = ['a', 'a', 'b', 'b'].map((zone, index) => testNode(`n${index}`, { labels: { zone } }));
  const term = { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'web' } } };
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  const web = { labels: { app: 'web' } };

  test('the first of a group goes anywhere, the others follow', () => {
    const world = new SchedulerWorld(nodes);
    const affinity = { podAffinity: { [required]: [term] } };
    const first = world.schedule(testPod('p0', { affinity }, web));
    const zone = first === 'n0' || first === 'n1' ? ['n0', 'n1'] : ['n2', 'n3'];
    for (let index = 1; index < 5; index++) {
      expect(zone).toContain(world.schedule(testPod(`p${index}`, { affinity }, web)));
    }
  });

  test('affinity to what is not there', () => {
    const world = new SchedulerWorld(nodes.slice(0, 1));
    const affinity = { podAffinity: { [required]: [term] } };
    expect(world.schedule(testPod('p', { affinity }))).toEqual({ n0: "node(s) didn't match pod affinity rules" });
  });

  test('anti-affinity works both ways', () => {
    const world = new SchedulerWorld(nodes.slice(0, 2));
    const affinity = { podAntiAffinity: { [required]: [term] } };
    expect(world.schedule(testPod('p0', { affinity }, web))).toMatch(/^n/);
    const anti = "node(s) didn't match pod anti-affinity rules";
    expect(world.schedule(testPod('p1', { affinity }))).toEqual({ n0: anti, n1: anti });
    const existing = "node(s) didn't satisfy existing pods anti-affinity rules";
    expect(world.schedule(testPod('p2', {}, web))).toEqual({ n0: existing, n1: existing });
  });

  test('terms are about the pod namespace unless they say otherwise', () => {
    const world = new SchedulerWorld(nodes.slice(0, 1));
    world.place(testPod('other', {}, { ...web, namespace: 'elsewhere' }), 'n0');
    const anti = (more: object) => ({ affinity: { podAntiAffinity: { [required]: [{ ...term, ...more }] } } });
    expect(world.try(testPod('p', anti({}))).type).toBe('scheduled');
    expect(world.try(testPod('p', anti({ namespaces: ['elsewhere'] }))).type).toBe('unschedulable');
    expect(world.try(testPod('p', anti({ namespaceSelector: {} }))).type).toBe('unschedulable');
  });

  test('preferences decide where nothing is required', () => {
    const world = new SchedulerWorld(nodes);
    world.place(testPod('web', {}, web), 'n2');
    const near = { podAffinity: { [preferred]: [{ weight: 100, podAffinityTerm: term }] } };
    expect(['n2', 'n3']).toContain(world.schedule(testPod('near', { affinity: near })));
    const far = { podAntiAffinity: { [preferred]: [{ weight: 100, podAffinityTerm: term }] } };
    expect(['n0', 'n1']).toContain(world.schedule(testPod('far', { affinity: far })));
  });
});

describe('Scores', () => {
  test('prefer the emptier node', () => {
    const world = new SchedulerWorld([testNode('full'), testNode('empty')]);
    world.place(testPod('load', requesting({ cpu: '2', memory: '4Gi' })), 'full');
    expect(world.schedule(testPod('p', requesting({ cpu: '1', memory: '1Gi' })))).toBe('empty');
  });

  test('prefer a node that has the image', () => {
    const image = { names: ['image:1'], sizeBytes: 500_000_000 };
    const withImage = testNode('b');
    const world = new SchedulerWorld([
      testNode('a'),
      { ...withImage, status: { ...withImage.status, images: [image] } },
    ]);
    expect(world.schedule(testPod('p'))).toBe('b');
  });

  test('prefer a node without a PreferNoSchedule taint, and the preferred labels', () => {
    const taints = [{ key: 'x', effect: 'PreferNoSchedule' }];
    const world = new SchedulerWorld([testNode('a', { spec: { taints } }), testNode('b')]);
    expect(world.schedule(testPod('p'))).toBe('b');
    const preference = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['c'] }] };
    const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] } };
    const second = new SchedulerWorld([testNode('a'), testNode('b'), testNode('c')]);
    expect(second.schedule(testPod('p', { affinity }))).toBe('c');
  });

  test('are kept with the decision', () => {
    const world = new SchedulerWorld([testNode('a'), testNode('b')]);
    const result = world.try(testPod('p', requesting({ cpu: '1', memory: '2Gi' })));
    expect(result.type === 'scheduled' && result.scores[0]?.byPlugin).toEqual({
      NodeResourcesFit: 75,
      NodeResourcesBalancedAllocation: 100,
    });
  });
});
