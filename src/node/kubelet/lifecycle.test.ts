import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, PODS } from '#api/generated/resources.ts';
import { startTestNode, type TestNode, testContainer, testPod } from './testing/test-node.ts';

const annotate = (values: Record<string, string>) => ({
  annotations: Object.fromEntries(Object.entries(values).map(([key, value]) => [`simulation.tiphys.io/${key}`, value])),
});

const waiting = ({ pod }: TestNode, name: string) => pod(name)?.status?.containerStatuses?.[0]?.state?.waiting;

describe('a container that cannot start', () => {
  test('says which configMap is missing, and starts as soon as that is there', async () => {
    const node = await startTestNode();
    const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'a' } } }];
    await node.api.create(PODS, testPod('web', { containers: [testContainer('main', { env })] }));
    await node.executor.settle();
    expect(waiting(node, 'web')).toEqual({ reason: 'CreateContainerConfigError', message: 'configmap "cm" not found' });
    expect(node.pod('web')?.status?.phase).toBe('Pending');
    expect(node.events).toContain('Warning Failed Error: configmap "cm" not found');
    const metadata = { name: 'cm', namespace: 'default' };
    await node.api.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1' } });
    await node.executor.settle();
    expect(node.pod('web')?.status?.phase).toBe('Running');
    await node.kubelet.stop();
  });

  test('backs off its image: ErrImagePull, ImagePullBackOff, and so on', async () => {
    const node = await startTestNode();
    const containers = [testContainer('main', { imagePullPolicy: 'Always', image: 'none:1' })];
    await node.api.create(PODS, testPod('web', { containers }, annotate({ 'pull-error': 'no such image' })));
    await node.executor.settle();
    expect(waiting(node, 'web')).toEqual({
      reason: 'ErrImagePull',
      message: 'rpc error: code = NotFound desc = no such image',
    });
    await node.executor.advance(5000);
    expect(waiting(node, 'web')).toEqual({
      reason: 'ImagePullBackOff',
      message: 'Back-off pulling image "none:1": ErrImagePull: rpc error: code = NotFound desc = no such image',
    });
    expect(node.events).toEqual([
      'Normal Pulling Pulling image "none:1"',
      'Warning Failed Failed to pull image "none:1": rpc error: code = NotFound desc = no such image',
      'Warning Failed Error: ErrImagePull',
      'Normal BackOff Back-off pulling image "none:1"',
      'Warning Failed Error: ImagePullBackOff',
    ]);
    await node.executor.advance(5000);
    expect(waiting(node, 'web')?.reason).toBe('ErrImagePull');
    await node.kubelet.stop();
  });

  test.each([
    [
      'InvalidImageName',
      { image: 'Bad Name' },
      'Failed to apply default image tag "Bad Name": couldn\'t parse image name "Bad Name": invalid reference format',
    ],
    [
      'InvalidImageName',
      { image: 'Foo:1' },
      'Failed to apply default image tag "Foo:1": couldn\'t parse image name "Foo:1": invalid reference format: repository name (library/Foo) must be lowercase',
    ],
    [
      'CreateContainerConfigError',
      { securityContext: { runAsNonRoot: true } },
      'container has runAsNonRoot and image will run as root (pod: "web_default(uid-web)", container: main)',
    ],
  ])('%s', async (reason, more, message) => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web', { containers: [testContainer('main', more)] }));
    await node.executor.settle();
    expect(waiting(node, 'web')).toEqual({ reason, message });
    await node.kubelet.stop();
  });

  test('reports why the runtime would not create or start it', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('a', {}, annotate({ 'create-error': 'no room' })));
    await node.api.create(PODS, testPod('b', {}, annotate({ 'start-error': 'no such file' })));
    await node.executor.settle();
    expect(waiting(node, 'a')).toEqual({ reason: 'CreateContainerError', message: 'no room' });
    expect(waiting(node, 'b')).toEqual({ reason: 'RunContainerError', message: 'no such file' });
    await node.kubelet.stop();
  });
});

describe('probes', () => {
  const http = { httpGet: { path: '/', port: 80 }, periodSeconds: 5, timeoutSeconds: 1 };

  test('make a pod ready when they pass and not before', async () => {
    const node = await startTestNode();
    const containers = [testContainer('main', { readinessProbe: { ...http, initialDelaySeconds: 2 } })];
    await node.api.create(PODS, testPod('web', { containers }, annotate({ 'ready-after': '8' })));
    await node.executor.advance(7000);
    expect(node.pod('web')?.status?.containerStatuses?.[0]).toMatchObject({ started: true, ready: false });
    expect(node.pod('web')?.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    });
    expect(node.events).toContain('Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 503');
    await node.executor.advance(6000);
    expect(node.pod('web')?.status?.containerStatuses?.[0]?.ready).toBe(true);
    await node.kubelet.stop();
  });

  test('restart a container that is not alive, after the threshold', async () => {
    const node = await startTestNode();
    const containers = [testContainer('main', { livenessProbe: { ...http, failureThreshold: 2 } })];
    await node.api.create(PODS, testPod('web', { containers }, annotate({ ready: 'false' })));
    await node.executor.advance(4000);
    expect(node.pod('web')?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    await node.executor.advance(2000);
    expect(node.pod('web')?.status?.containerStatuses?.[0]?.restartCount).toBe(1);
    expect(node.events).toContain('Normal Killing Container main failed liveness probe, will be restarted');
    await node.kubelet.stop();
  });

  test('of liveness wait for startup', async () => {
    const node = await startTestNode();
    const startupProbe = { ...http, periodSeconds: 1, failureThreshold: 30 };
    const containers = [testContainer('main', { startupProbe, livenessProbe: { ...http, failureThreshold: 1 } })];
    await node.api.create(PODS, testPod('web', { containers }, annotate({ 'ready-after': '10' })));
    await node.executor.advance(9000);
    expect(node.pod('web')?.status?.containerStatuses?.[0]).toMatchObject({ started: false, ready: false });
    await node.executor.advance(3000);
    expect(node.pod('web')?.status?.containerStatuses?.[0]).toMatchObject({
      started: true,
      ready: true,
      restartCount: 0,
    });
    await node.kubelet.stop();
  });
});

describe('the end of a pod', () => {
  test('runs preStop within the grace period, and sidecars end last', async () => {
    const order: string[] = [];
    const node = await startTestNode({
      answers: {
        exec: (container, command) => {
          order.push(`${container.metadata.name}: ${command.join(' ')}`);
          return {};
        },
      },
    });
    const lifecycle = { preStop: { exec: { command: ['drain'] } } };
    const pod = testPod(
      'web',
      {
        initContainers: [testContainer('proxy', { restartPolicy: 'Always' })],
        containers: [testContainer('main', { lifecycle })],
      },
      annotate({ 'stop-delay': '3' }),
    );
    await node.api.create(PODS, pod);
    await node.executor.settle();
    await node.api.delete(PODS, { namespace: 'default', name: 'web' });
    await node.executor.advance(3000);
    expect(order).toEqual(['main: drain']);
    const states = (await node.runtime.listContainers()).map(({ metadata, state }) => `${metadata.name} ${state}`);
    expect(states).toEqual(['proxy RUNNING', 'main EXITED']);
    await node.executor.advance(3000);
    expect(node.pod('web')).toBeUndefined();
    await node.kubelet.stop();
  });

  test('comes when it was active for too long', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web', { activeDeadlineSeconds: 20 }));
    await node.executor.advance(21_000);
    expect(node.pod('web')?.status).toMatchObject({
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    expect((await node.runtime.listContainers()).every(({ state }) => state === 'EXITED')).toBe(true);
    await node.kubelet.stop();
  });

  test('is hastened by a shorter grace period', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web', {}, annotate({ 'stop-delay': '25' })));
    await node.executor.settle();
    const name = { namespace: 'default', name: 'web' };
    await node.api.delete(PODS, name);
    await node.executor.advance(1000);
    await node.api.delete(PODS, name, { gracePeriodSeconds: 1 });
    await node.executor.advance(1500);
    expect(node.pod('web')).toBeUndefined();
    await node.kubelet.stop();
  });

  test('leaves nothing behind when the object is removed by force', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web'));
    await node.executor.settle();
    await node.api.delete(PODS, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 0 });
    await node.executor.advance(2000);
    expect(await node.runtime.listPodSandboxes()).toEqual([]);
    expect(node.kubelet.workers).toEqual([]);
    await node.kubelet.stop();
  });

  test('does not wait for a pull or a slow start that is under way', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web', {}, annotate({ 'start-delay': '600' })));
    await node.executor.settle();
    await node.api.delete(PODS, { namespace: 'default', name: 'web' });
    await node.executor.advance(3000);
    expect(node.pod('web')).toBeUndefined();
    await node.kubelet.stop();
  });
});

describe('the sandbox', () => {
  test('is made anew when it dies, with a new address', async () => {
    const node = await startTestNode();
    await node.api.create(PODS, testPod('web'));
    await node.executor.settle();
    const [sandbox] = await node.runtime.listPodSandboxes();
    await node.runtime.stopPodSandbox(sandbox?.id ?? '');
    await node.executor.settle();
    expect(node.pod('web')?.status).toMatchObject({
      podIP: '10.244.1.3',
      containerStatuses: [{ restartCount: 1, ready: true }],
    });
    expect(node.events).toContain('Normal SandboxChanged Pod sandbox changed, it will be killed and re-created.');
    await node.kubelet.stop();
  });
});

test('two runs with one seed write the same, and another seed does not break it', async () => {
  const run = async (seed: string) => {
    const node = await startTestNode({ seed });
    for (let index = 0; index < 20; index += 1) {
      const behaviour = index % 3 === 0 ? { 'exit-after': String(index + 1), 'exit-code': '1' } : {};
      await node.api.create(PODS, testPod(`p${index}`, {}, annotate(behaviour)));
    }
    await node.executor.advance(60_000);
    for (let index = 0; index < 20; index += 2)
      await node.api.delete(PODS, { namespace: 'default', name: `p${index}` });
    await node.executor.advance(60_000);
    await node.kubelet.stop();
    return { writes: JSON.stringify(node.api.writes), left: node.kubelet.workers.length };
  };
  const first = await run('a');
  expect(await run('a')).toEqual(first);
  expect((await run('b')).left).toBe(10);
});
