import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Pod } from '#api/generated/types.ts';
import { testNode, testPod, testService } from '../testing/objects.ts';
import { planEndpointSlices } from './plan.ts';

const nodeOf = (name: string) => testNode(name, { labels: { 'topology.kubernetes.io/zone': 'z1' } });

/** Carries plans out on a list of slices. */
class Slices {
  list: EndpointSlice[] = [];
  writes = 0;
  #names = 0;

  apply(pods: readonly Pod[], service = testService('web')): void {
    const plan = planEndpointSlices({ service, pods, slices: this.list, nodeOf, triggerTime: undefined });
    this.writes = plan.create.length + plan.update.length + plan.delete.length;
    this.list = this.list
      .filter((slice) => !plan.delete.includes(slice))
      .map((slice) => plan.update.find(({ stored }) => stored === slice)?.next ?? slice);
    for (const slice of plan.create) {
      const name = `${slice.metadata.generateName}${this.#names++}`;
      this.list.push({ ...slice, metadata: { ...slice.metadata, name } });
    }
  }

  get addresses(): string[] {
    return this.list.flatMap((slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
  }
}

const podAt = (index: number, options: Parameters<typeof testPod>[1] = {}) =>
  testPod(`p${index}`, { node: 'n1', ip: `10.0.${Math.floor(index / 250)}.${index % 250}`, ...options });

describe('planEndpointSlices', () => {
  test('describes a ready pod as upstream does', () => {
    const slices = new Slices();
    slices.apply([podAt(1)]);
    expect(slices.list).toEqual([
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          generateName: 'web-',
          name: 'web-0',
          namespace: 'default',
          labels: {
            'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
            'kubernetes.io/service-name': 'web',
          },
          ownerReferences: [
            {
              apiVersion: 'v1',
              kind: 'Service',
              name: 'web',
              uid: 'uid-web',
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        },
        addressType: 'IPv4',
        endpoints: [
          {
            addresses: ['10.0.0.1'],
            conditions: { ready: true, serving: true, terminating: false },
            targetRef: { kind: 'Pod', namespace: 'default', name: 'p1', uid: 'uid-p1' },
            nodeName: 'n1',
            zone: 'z1',
          },
        ],
        ports: [{ name: '', protocol: 'TCP', port: 8080 }],
      },
    ]);
  });

  const conditions = [
    { name: 'a ready pod', pod: podAt(1), publish: false, expected: [true, true, false] },
    { name: 'an unready pod', pod: podAt(1, { isReady: false }), publish: false, expected: [false, false, false] },
    {
      name: 'a pod that still serves on its way out',
      pod: podAt(1, { isTerminating: true }),
      publish: false,
      expected: [false, true, true],
    },
    {
      name: 'an unready pod that is to be published',
      pod: podAt(1, { isReady: false }),
      publish: true,
      expected: [true, false, false],
    },
  ];
  for (const { name, pod, publish, expected } of conditions) {
    test(`conditions of ${name}`, () => {
      const slices = new Slices();
      slices.apply([pod], testService('web', { publishNotReadyAddresses: publish }));
      const { ready, serving, terminating } = slices.list[0]?.endpoints?.[0]?.conditions ?? {};
      expect([ready, serving, terminating]).toEqual(expected);
    });
  }

  test('an ended pod and a pod without an address are no endpoints, and a service has a slice all the same', () => {
    const slices = new Slices();
    slices.apply([podAt(1, { phase: 'Succeeded' }), testPod('p2', { node: 'n1' })]);
    expect(slices.list).toHaveLength(1);
    expect(slices.addresses).toEqual([]);
  });

  test('pods that give a named port different numbers go into different slices', () => {
    const named = (index: number, containerPort: number) =>
      podAt(index, { spec: { containers: [{ name: 'main', ports: [{ name: 'http', containerPort }] }] } });
    const slices = new Slices();
    slices.apply([named(1, 8080), named(2, 9090)], testService('web', { ports: [{ port: 80, targetPort: 'http' }] }));
    expect(slices.list.map((slice) => String(slice.ports?.[0]?.port)).toSorted()).toEqual(['8080', '9090']);
  });

  test('the change of one pod among many writes one slice', () => {
    const pods = Array.from({ length: 250 }, (_, index) => podAt(index));
    const slices = new Slices();
    slices.apply(pods);
    expect(slices.list).toHaveLength(3);
    slices.apply(pods);
    expect(slices.writes).toBe(0);
    slices.apply(pods.with(120, podAt(120, { isReady: false })));
    expect(slices.writes).toBe(1);
  });

  test('whatever comes and goes, the slices hold just the pods, at most 100 each', () => {
    const steps = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 330 }), { maxLength: 6 });
    fc.assert(
      fc.property(steps, (states) => {
        const slices = new Slices();
        for (const state of states) {
          slices.apply(state.map((index) => podAt(index)));
          const expected = state.map((index) => podAt(index).status?.podIP ?? '');
          expect(slices.addresses.toSorted()).toEqual(expected.toSorted());
          for (const slice of slices.list) expect((slice.endpoints ?? []).length).toBeLessThanOrEqual(100);
          expect(slices.list.length).toBeGreaterThan(0);
        }
      }),
      { seed: 20260101, numRuns: 60 },
    );
  });
});
