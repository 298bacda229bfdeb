import { describe, expect, test } from 'vitest';
import { PODS } from '#api/generated/resources.ts';
import type { PodStatus } from '#api/generated/types.ts';
import { builtinSchemas } from '#api/schema/load.ts';
import { genericStatus } from '#machinery/errors/status-error.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { applyStrategicMergePatch } from '#machinery/patch/strategic-merge-patch.ts';
import { FakeApi } from '../testing/fake-api.ts';
import { testPod } from '../testing/test-node.ts';
import { StatusWriter, statusPatch } from './status-writer.ts';

const ready = (status: string, more = {}) => ({
  type: 'Ready',
  status,
  lastTransitionTime: '2026-01-01T00:00:00Z',
  ...more,
});
const running = { name: 'main', image: 'a', imageID: '', ready: true, restartCount: 0, state: { running: {} } };
const ended = { ...running, ready: false, state: { terminated: { exitCode: 1 } }, lastState: {} };

describe('statusPatch', () => {
  const rows: [string, PodStatus, PodStatus, PodStatus?][] = [
    ['from nothing', {}, { phase: 'Running', conditions: [ready('True')], containerStatuses: [running] }],
    ['a reason that goes', { phase: 'Failed', reason: 'Evicted', message: 'x' }, { phase: 'Running' }],
    [
      'a condition that loses its message',
      { conditions: [ready('False', { reason: 'R', message: 'm' })] },
      { conditions: [ready('True')] },
    ],
    ['a new address', { podIP: '1', podIPs: [{ ip: '1' }] }, { podIP: '2', podIPs: [{ ip: '2' }] }],
    ['an address that goes', { podIP: '1', podIPs: [{ ip: '1' }] }, {}],
    ['a container that ends', { containerStatuses: [running] }, { containerStatuses: [ended] }],
    ['container statuses that go', { initContainerStatuses: [ended] }, {}],
    [
      'conditions of others',
      { conditions: [ready('True'), { type: 'example.com/gate', status: 'True' }] },
      { conditions: [ready('False')] },
      { conditions: [ready('False'), { type: 'example.com/gate', status: 'True' }] },
    ],
    [
      'fields of others',
      { nominatedNodeName: 'n', phase: 'Pending' },
      { phase: 'Running' },
      { nominatedNodeName: 'n', phase: 'Running' },
    ],
  ];

  test.each(rows)('brings the server to what is wanted: %s', (_name, base, wanted, expected = wanted) => {
    const patch = statusPatch({ base, wanted });
    const before = { ...testPod('p'), status: base };
    const after = applyStrategicMergePatch(before, { status: patch }, builtinSchemas(), 'io.k8s.api.core.v1.Pod');
    expect(after).toMatchObject({ status: expected });
    const status: unknown = Reflect.get(Object(after), 'status');
    expect(Object.keys(Object(status)).sort()).toEqual(Object.keys(expected).sort());
    expect(statusPatch({ base: Object(status), wanted })).toBeUndefined();
  });
});

describe('StatusWriter', () => {
  function setUp() {
    const executor = new SimulatedExecutor({ seed: 'status' });
    const api = new FakeApi(executor.clock);
    const writer = new StatusWriter({ client: api, executor, log: silentLogger });
    const patches = () => api.writes.filter(({ verb }) => verb === 'patch status').length;
    return { executor, api, writer, patches };
  }

  test('writes the newest of many changes, once', async () => {
    const { executor, api, writer, patches } = setUp();
    const pod = await api.create(PODS, testPod('p'));
    for (const phase of ['Pending', 'Running', 'Failed']) writer.set(pod, { phase });
    await executor.settle();
    expect(api.peek(PODS, { namespace: 'default', name: 'p' })?.status?.phase).toBe('Failed');
    writer.set(pod, { phase: 'Failed' });
    await executor.settle();
    expect(patches()).toBe(1);
  });

  test('writes again what somebody else changed', async () => {
    const { executor, api, writer } = setUp();
    const pod = await api.create(PODS, testPod('p'));
    writer.set(pod, { phase: 'Running', conditions: [ready('True')] });
    await executor.settle();
    const name = { namespace: 'default', name: 'p' };
    const body = { status: { conditions: [ready('False')] } };
    writer.observe(await api.patch(PODS, name, { type: 'strategic', body }));
    await executor.settle();
    expect(api.peek(PODS, name)?.status?.conditions?.[0]?.status).toBe('True');
  });

  test('tries again when the server fails, and gives up on a pod that is gone', async () => {
    const { executor, api, writer } = setUp();
    const pod = await api.create(PODS, testPod('p'));
    const patch = api.patch.bind(api);
    let failures = 2;
    api.patch = (...args) => {
      failures -= 1;
      return failures >= 0 ? Promise.reject(genericStatus(500, 'InternalError', 'no')) : patch(...args);
    };
    writer.set(pod, { phase: 'Running' });
    await executor.advance(10_000);
    expect(api.peek(PODS, { namespace: 'default', name: 'p' })?.status?.phase).toBe('Running');
    await api.delete(PODS, { namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 });
    writer.set(pod, { phase: 'Failed' });
    const flushed = writer.flush('uid-p');
    await executor.settle();
    await flushed;
    expect(writer.get('uid-p')).toBeUndefined();
  });
});
