import { LEASES, NODES, PODS } from '#api/generated/resources.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { describe, expect, test } from 'vitest';
import { startTestNode, testContainer, testPod } from './testing/test-node.ts';

const annotate = (values: Record<string, string>) => ({
  annotations: Object.fromEntries(Object.entries(values).map(([key, value]) => [`simulation.tiphys.io/${key}`, value])),
});

describe('Kubelet', () => {
  test('registers its node, ready, and renews its lease', async () => {
    const { api, executor, kubelet } = await startTestNode();
    const node = api.peek(NODES, { name: 'node-1' });
    expect(node?.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'MemoryPressure=False',
      'DiskPressure=False',
      'PIDPressure=False',
      'Ready=True',
    ]);
    expect(node?.status?.nodeInfo?.containerRuntimeVersion).toBe('simulated://1.0.0');
    const first = api.peek(LEASES, { namespace: 'kube-node-lease', name: 'node-1' })?.spec.renewTime;
    await executor.advance(30_000);
    const later = api.peek(LEASES, { namespace: 'kube-node-lease', name: 'node-1' })?.spec.renewTime;
    expect((parseTime(later ?? '') ?? 0) - (parseTime(first ?? '') ?? 0)).toBe(30_000);
    await kubelet.stop();
  });

  test('runs a simple pod and reports it running and ready', async () => {
    const { api, executor, kubelet, events, pod } = await startTestNode();
    await api.create(PODS, testPod('web'));
    await executor.settle();
    const status = pod('web')?.status;
    expect(status).toMatchObject({
      phase: 'Running',
      podIP: '10.244.1.2',
      podIPs: [{ ip: '10.244.1.2' }],
      hostIP: '192.168.0.1',
      observedGeneration: 1,
      containerStatuses: [
        { name: 'main', ready: true, started: true, restartCount: 0, image: 'busybox:1.36', lastState: {} },
      ],
    });
    expect(status?.conditions?.map(({ type, status: value }) => `${type}=${value}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ]);
    expect(events).toEqual([
      'Normal Pulled Container image "busybox:1.36" already present on machine and can be accessed by the pod',
      'Normal Created Container created',
      'Normal Started Container started',
    ]);
    await kubelet.stop();
  });

  test('deletes gracefully: stops, cleans up, then removes the object', async () => {
    const { api, executor, kubelet, events, pod, runtime } = await startTestNode();
    await api.create(PODS, testPod('web', {}, annotate({ 'stop-delay': '5' })));
    await executor.settle();
    await api.delete(PODS, { namespace: 'default', name: 'web' });
    await executor.settle();
    expect(pod('web')?.status?.phase).toBe('Running');
    await executor.advance(4000);
    expect(pod('web')).toBeDefined();
    await executor.advance(1001);
    expect(pod('web')).toBeUndefined();
    expect(events.at(-1)).toBe('Normal Killing Stopping container main');
    expect(await runtime.listPodSandboxes()).toEqual([]);
    expect(await runtime.listContainers()).toEqual([]);
    expect(kubelet.workers).toEqual([]);
    await kubelet.stop();
  });

  test('backs off a crashing container: at once, then 10 s, 20 s', async () => {
    const { api, executor, kubelet, pod, events } = await startTestNode();
    await api.create(PODS, testPod('bad', {}, annotate({ 'exit-after': '1', 'exit-code': '3' })));
    await executor.advance(1000);
    expect(pod('bad')?.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, state: { running: {} } });
    await executor.advance(1000);
    expect(pod('bad')?.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      ready: false,
      state: {
        waiting: {
          reason: 'CrashLoopBackOff',
          message: 'back-off 10s restarting failed container=main pod=bad_default(uid-bad)',
        },
      },
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    expect(pod('bad')?.status?.phase).toBe('Running');
    await executor.advance(10_000);
    expect(pod('bad')?.status?.containerStatuses?.[0]?.restartCount).toBe(2);
    await executor.advance(1000);
    expect(pod('bad')?.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain('back-off 20s');
    expect(events).toContain('Warning BackOff Back-off restarting failed container main in pod bad_default(uid-bad)');
    await kubelet.stop();
  });

  test('completes a pod that never restarts, and keeps its end', async () => {
    const { api, executor, kubelet, pod } = await startTestNode();
    await api.create(PODS, testPod('job', { restartPolicy: 'Never' }, annotate({ 'exit-after': '2' })));
    await executor.advance(2000);
    const status = pod('job')?.status;
    expect(status).toMatchObject({
      phase: 'Succeeded',
      podIP: '10.244.1.2',
      containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } }, ready: false }],
    });
    expect(status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ reason: 'PodCompleted' });
    await kubelet.stop();
  });

  test('runs init containers one after another before the rest', async () => {
    const { api, executor, kubelet, pod } = await startTestNode();
    const initContainers = [testContainer('first'), testContainer('second')];
    const init = annotate({ 'exit-after.first': '2', 'exit-after.second': '2' });
    await api.create(PODS, testPod('app', { initContainers }, init));
    await executor.advance(1000);
    expect(pod('app')?.status).toMatchObject({
      phase: 'Pending',
      initContainerStatuses: [{ state: { running: {} } }, { state: { waiting: { reason: 'PodInitializing' } } }],
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    });
    expect(pod('app')?.status?.conditions?.find(({ type }) => type === 'Initialized')?.message).toBe(
      'containers with incomplete status: [first second]',
    );
    await executor.advance(1000);
    expect(pod('app')?.status?.initContainerStatuses?.map(({ ready }) => ready)).toEqual([true, false]);
    await executor.advance(2000);
    expect(pod('app')?.status?.phase).toBe('Running');
    await kubelet.stop();
  });

  test('adopts running containers after its own restart', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web'));
    await node.executor.settle();
    const before = await node.runtime.listContainers();
    await node.kubelet.stop();
    const again = await startTestNode({ from: node });
    await node.executor.advance(5000);
    expect(await node.runtime.listContainers()).toEqual(before);
    expect(again.events).toEqual([]);
    expect(again.pod('web')?.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, ready: true });
    await again.kubelet.stop();
  });

  test('refuses a pod that does not fit, in upstream words', async () => {
    const { api, executor, kubelet, pod } = await startTestNode({ cpuCount: 2 });
    const containers = [testContainer('main', { resources: { requests: { cpu: '1500m' } } })];
    await api.create(PODS, testPod('one', { containers }));
    await executor.settle();
    await api.create(PODS, testPod('two', { containers }));
    await executor.settle();
    expect(pod('one')?.status?.phase).toBe('Running');
    expect(pod('two')?.status).toMatchObject({
      phase: 'Failed',
      reason: 'OutOfcpu',
      message: "Pod was rejected: Node didn't have enough resource: cpu, requested: 1500, used: 1500, capacity: 2000",
    });
    await kubelet.stop();
  });

  test('removes what belongs to pods that were deleted while it was away', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web'));
    await node.executor.settle();
    await node.kubelet.stop();
    await node.api.delete(PODS, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 0 });
    const again = await startTestNode({ from: node });
    await node.executor.advance(1000);
    expect(await node.runtime.listPodSandboxes()).toEqual([]);
    await again.kubelet.stop();
  });
});
