import { describe, expect, test } from 'vitest';
import type { Endpoints, Pod, Service } from '#api/generated/types.ts';
import { testPod, testService } from '../testing/objects.ts';
import { planEndpoints } from './plan.ts';

function plan(service: Service, pods: readonly Pod[], stored?: Endpoints) {
  return planEndpoints({ service, pods, stored, triggerTime: undefined });
}

function subsetsOf(service: Service, pods: readonly Pod[]) {
  const outcome = plan(service, pods);
  return outcome.type === 'keep' ? undefined : outcome.next.subsets;
}

const reference = (name: string) => ({ kind: 'Pod', namespace: 'default', name, uid: `uid-${name}` });

describe('planEndpoints', () => {
  test('sorts ready and unready addresses', () => {
    const pods = [
      testPod('c', { ip: '10.0.0.3', isReady: false }),
      testPod('b', { ip: '10.0.0.2', node: 'n1' }),
      testPod('a', { ip: '10.0.0.1', node: 'n1' }),
      testPod('d', { ip: '10.0.0.4', isTerminating: true }),
    ];
    expect(subsetsOf(testService('web'), pods)).toEqual([
      {
        addresses: [
          { ip: '10.0.0.1', nodeName: 'n1', targetRef: reference('a') },
          { ip: '10.0.0.2', nodeName: 'n1', targetRef: reference('b') },
        ],
        notReadyAddresses: [{ ip: '10.0.0.3', targetRef: reference('c') }],
        ports: [{ port: 8080, protocol: 'TCP' }],
      },
    ]);
  });

  test('a headless service without ports has addresses all the same, and host names', () => {
    const { ports: _, ...spec } = testService('web', { clusterIP: 'None' }).spec;
    const service = { ...testService('web'), spec };
    const pod = testPod('a', { ip: '10.0.0.1', spec: { hostname: 'first', subdomain: 'web' } });
    expect(subsetsOf(service, [pod])).toEqual([
      { addresses: [{ ip: '10.0.0.1', hostname: 'first', targetRef: reference('a') }] },
    ]);
    const outcome = plan(service, [pod]);
    expect(outcome.type === 'create' && outcome.next.metadata.labels).toEqual({
      'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
      'service.kubernetes.io/headless': '',
    });
  });

  test('holds at most 1000 addresses and says that it left some out', () => {
    const pods = Array.from({ length: 1200 }, (_, index) =>
      testPod(`p${index}`, { ip: `10.0.${Math.floor(index / 250)}.${index % 250}`, isReady: index % 2 === 0 }),
    );
    const outcome = plan(testService('web'), pods);
    const next = outcome.type === 'keep' ? undefined : outcome.next;
    expect(next?.metadata.annotations).toEqual({ 'endpoints.kubernetes.io/over-capacity': 'truncated' });
    expect(next?.subsets?.[0]?.addresses).toHaveLength(600);
    expect(next?.subsets?.[0]?.notReadyAddresses).toHaveLength(400);
  });

  test('keeps what is as it should be', () => {
    const pods = [testPod('a', { ip: '10.0.0.1' })];
    const first = plan(testService('web'), pods);
    if (first.type === 'keep') throw new Error('nothing was planned');
    expect(plan(testService('web'), pods, first.next)).toEqual({ type: 'keep' });
  });
});
