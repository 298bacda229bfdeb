import { describe, expect, test } from 'vitest';
import type { Container, ContainerStatus, Pod, PodStatus } from '../../../generated/types.ts';
import { defaulted, definitionOf, row } from '../../../testing/kit.ts';
import { isPodAvailable, isPodReady, withPodCondition } from './conditions.ts';
import { imageTag } from './image.ts';
import { podLimits, podRequests, qosClass } from './requests.ts';

const CREATED = '2026-01-01T00:00:00Z';
const nowMs = 1767225600000 + 3600_000;

function pod(status: PodStatus, extra: { init?: Container[]; metadata?: Pod['metadata'] } = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', creationTimestamp: CREATED, ...extra.metadata },
    spec: {
      containers: [{ name: 'a', image: 'x' }],
      nodeName: 'node-1',
      ...(extra.init === undefined ? {} : { initContainers: extra.init }),
    },
    status,
  };
}

function status(name: string, fields: Partial<ContainerStatus>): ContainerStatus {
  return { name, image: 'x', imageID: '', ready: false, restartCount: 0, ...fields };
}

const running = { running: { startedAt: CREATED } };
const failed = { terminated: { exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:55:00Z' } };

describe('the row of a pod', () => {
  const cases: [string, Pod, unknown[]][] = [
    ['before anything happened', pod({ phase: 'Pending' }), ['web', '0/1', 'Pending', '0', '60m']],
    [
      'being created',
      pod({
        phase: 'Pending',
        containerStatuses: [status('a', { state: { waiting: { reason: 'ContainerCreating' } } })],
      }),
      ['web', '0/1', 'ContainerCreating', '0', '60m'],
    ],
    [
      'running',
      pod({ phase: 'Running', containerStatuses: [status('a', { ready: true, state: running })] }),
      ['web', '1/1', 'Running', '0', '60m'],
    ],
    [
      'crashing',
      pod({
        phase: 'Running',
        containerStatuses: [
          status('a', { restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: failed }),
        ],
      }),
      ['web', '0/1', 'CrashLoopBackOff', '3 (5m ago)', '60m'],
    ],
    [
      'killed by a signal',
      pod({
        phase: 'Failed',
        containerStatuses: [status('a', { state: { terminated: { exitCode: 137, signal: 9 } } })],
      }),
      ['web', '0/1', 'Signal:9', '0', '60m'],
    ],
    [
      'ended with a code',
      pod({ phase: 'Failed', containerStatuses: [status('a', { state: { terminated: { exitCode: 2 } } })] }),
      ['web', '0/1', 'ExitCode:2', '0', '60m'],
    ],
    [
      'completed',
      pod({
        phase: 'Succeeded',
        containerStatuses: [status('a', { state: { terminated: { exitCode: 0, reason: 'Completed' } } })],
      }),
      ['web', '0/1', 'Completed', '0', '60m'],
    ],
    ['evicted', pod({ phase: 'Failed', reason: 'Evicted' }), ['web', '0/1', 'Evicted', '0', '60m']],
    [
      'terminating',
      pod(
        { phase: 'Running', containerStatuses: [status('a', { ready: true, state: running })] },
        { metadata: { name: 'web', deletionTimestamp: CREATED } },
      ),
      ['web', '1/1', 'Terminating', '0', '60m'],
    ],
    [
      'lost with its node',
      pod({ phase: 'Running', reason: 'NodeLost' }, { metadata: { name: 'web', deletionTimestamp: CREATED } }),
      ['web', '0/1', 'Unknown', '0', '60m'],
    ],
    [
      'held by a gate',
      pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
      ['web', '0/1', 'SchedulingGated', '0', '60m'],
    ],
    [
      'initializing',
      pod(
        { phase: 'Pending', initContainerStatuses: [status('i', { state: running })] },
        { init: [{ name: 'i' }, { name: 'j' }] },
      ),
      ['web', '0/1', 'Init:0/2', '0', '60m'],
    ],
    [
      'failing to initialize',
      pod(
        { phase: 'Pending', initContainerStatuses: [status('i', { restartCount: 2, state: failed })] },
        { init: [{ name: 'i' }] },
      ),
      ['web', '0/1', 'Init:Error', '2', '60m'],
    ],
    [
      'crashing in an init container',
      pod(
        {
          phase: 'Pending',
          initContainerStatuses: [status('i', { state: { waiting: { reason: 'CrashLoopBackOff' } } })],
        },
        { init: [{ name: 'i' }] },
      ),
      ['web', '0/1', 'Init:CrashLoopBackOff', '0', '60m'],
    ],
    [
      'with a sidecar',
      pod(
        {
          phase: 'Running',
          initContainerStatuses: [status('s', { ready: true, started: true, restartCount: 1, state: running })],
          containerStatuses: [status('a', { ready: true, state: running })],
        },
        { init: [{ name: 's', restartPolicy: 'Always' }] },
      ),
      ['web', '2/2', 'Running', '1', '60m'],
    ],
  ];

  test.each(cases)('%s', (_name, object, cells) => {
    expect(row(object, { nowMs })).toEqual(cells);
  });

  test('has address and node in the wide table', () => {
    const object = pod({ phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] });
    expect(row(object, { nowMs, wide: true }).slice(5)).toEqual(['10.0.0.1', 'node-1', '<none>', '<none>']);
  });
});

describe('defaults of a pod', () => {
  test('fills what was left out', () => {
    const { spec, status: filled } = defaulted({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'x' },
      spec: { containers: [{ name: 'a', image: 'nginx', ports: [{ containerPort: 80 }] }], serviceAccountName: 'sa' },
    } as Pod);
    expect(spec).toEqual({
      containers: [
        {
          name: 'a',
          image: 'nginx',
          imagePullPolicy: 'Always',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
        },
      ],
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      serviceAccount: 'sa',
      serviceAccountName: 'sa',
      terminationGracePeriodSeconds: 30,
    });
    expect(filled).toEqual({});
  });

  test('makes limits requests and quantities canonical', () => {
    const { spec } = defaulted({
      ...pod({}),
      spec: { containers: [{ name: 'a', image: 'x', resources: { limits: { cpu: '0.5', memory: '1024Mi' } } }] },
    });
    expect(spec.containers[0]?.resources).toEqual({
      limits: { cpu: '500m', memory: '1Gi' },
      requests: { cpu: '500m', memory: '1Gi' },
    });
  });

  test.each([
    ['nginx', 'latest'],
    ['nginx:1', '1'],
    ['host:5000/nginx', 'latest'],
    ['host:5000/nginx:2', '2'],
    ['nginx@sha256:abc', ''],
  ])('reads the tag of %s', (image, tag) => {
    expect(imageTag(image)).toBe(tag);
  });

  test('status begins as Pending with the class of service', () => {
    const object = defaulted(pod({ phase: 'Running' }));
    definitionOf(object).strategy.prepareForCreate?.(object, { nowMs: 0, uuid: () => '' });
    expect(object.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' });
  });
});

describe('deletion of a pod', () => {
  const grace = (object: Pod, seconds?: number): number | undefined =>
    definitionOf(object).strategy.gracePeriodSeconds?.(object, seconds);

  test('takes its own time, the requested time, or none', () => {
    const object = defaulted(pod({ phase: 'Running' }));
    expect(grace(object)).toBe(30);
    expect(grace(object, 5)).toBe(5);
    expect(grace(object, -1)).toBe(1);
    expect(grace({ ...object, status: { phase: 'Failed' } })).toBe(0);
    expect(grace({ ...object, spec: { ...object.spec, nodeName: '' } })).toBe(0);
  });
});

describe('requests and class of service', () => {
  const container = (name: string, cpu: string, restartPolicy?: string): Container => ({
    name,
    resources: { requests: { cpu }, limits: { cpu } },
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
  });

  test('init containers count by their peak, sidecars with everything after them', () => {
    const spec = {
      containers: [container('a', '100m'), container('b', '200m')],
      initContainers: [container('big', '250m'), container('side', '50m', 'Always'), container('last', '400m')],
      overhead: { cpu: '10m' },
    };
    expect(podRequests({ spec }).cpuMillis).toBe(460);
    expect(podLimits({ spec }).cpuMillis).toBe(460);
  });

  test.each([
    ['BestEffort', {}],
    ['Burstable', { requests: { cpu: '1' } }],
    ['Burstable', { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '1Gi' } }],
    ['Guaranteed', { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } }],
  ])('%s', (expected, resources) => {
    expect(qosClass({ spec: { containers: [{ name: 'a', resources }] } })).toBe(expected);
  });
});

describe('conditions of a pod', () => {
  const ready = pod({ conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: CREATED }] });

  test('is available when it has been ready for long enough', () => {
    const startMs = nowMs - 3600_000;
    expect(isPodReady(ready)).toBe(true);
    expect(isPodAvailable(ready, { minReadySeconds: 0, nowMs: startMs })).toBe(true);
    expect(isPodAvailable(ready, { minReadySeconds: 10, nowMs: startMs + 9_999 })).toBe(false);
    expect(isPodAvailable(ready, { minReadySeconds: 10, nowMs: startMs + 10_000 })).toBe(true);
  });

  test('keep their time of transition while the status stays', () => {
    const before = [{ type: 'Ready', status: 'True', lastTransitionTime: CREATED }];
    const again = { type: 'Ready', status: 'True', lastTransitionTime: '2026-02-01T00:00:00Z' };
    expect(withPodCondition(before, again)).toBe(before);
    expect(withPodCondition(before, { ...again, status: 'False' })[0]?.lastTransitionTime).toBe('2026-02-01T00:00:00Z');
  });
});
