import { expect } from 'vitest';
import type { StatusBody } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { PODS } from '../support/kinds.ts';
import { PAUSE_IMAGE, podOf, waitForRunning } from '../support/workloads.ts';

conformanceTest('[sig-node] Pods should get a host IP [Conformance] [NodeConformance]', async ({ api, namespace }) => {
  await api.of(PODS, namespace).create(podOf('pod-hostip'));
  const pod = await waitForRunning(api, namespace, 'pod-hostip');
  expect(pod.status?.hostIP).toMatch(/^[0-9a-f.:]+$/);
});

conformanceTest(
  '[sig-node] Pods should be submitted and removed [Conformance] [NodeConformance]',
  async ({ api, namespace, unique }) => {
    const pods = api.of(PODS, namespace);
    const value = unique('time');
    const labelSelector = `time=${value}`;
    const list = await pods.list({ labelSelector });
    expect(list.items).toEqual([]);
    const watch = await pods.watch({ labelSelector, resourceVersion: list.metadata.resourceVersion ?? '' });
    await pods.create(
      podOf('pod-submit-remove', { labels: { name: 'foo', time: value }, spec: { terminationGracePeriodSeconds: 1 } }),
    );
    expect((await pods.list({ labelSelector })).items).toHaveLength(1);
    await watch.until(({ type }) => type === 'ADDED');
    await waitForRunning(api, namespace, 'pod-submit-remove');
    await pods.delete('pod-submit-remove', { gracePeriodSeconds: 1 });
    const last = await watch.until(({ type }) => type === 'DELETED');
    expect(last.object.metadata?.deletionTimestamp).toBeDefined();
    expect((await pods.list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-node] Pods should be updated [Conformance] [NodeConformance]',
  async ({ api, namespace, unique }) => {
    const pods = api.of(PODS, namespace);
    const value = unique('time');
    await pods.create(podOf('pod-update', { labels: { name: 'foo', time: value } }));
    await waitForRunning(api, namespace, 'pod-update');
    expect((await pods.list({ labelSelector: `time=${value}` })).items).toHaveLength(1);
    const updated = unique('time');
    await pods.change('pod-update', (pod) => {
      pod.metadata!.labels!['time'] = updated;
    });
    await waitForRunning(api, namespace, 'pod-update');
    expect((await pods.list({ labelSelector: `time=${updated}` })).items).toHaveLength(1);
  },
);

conformanceTest('[sig-node] Pods should delete a collection of pods [Conformance]', async ({ api, namespace }) => {
  const pods = api.of(PODS, namespace);
  for (const name of ['test-pod-1', 'test-pod-2', 'test-pod-3']) {
    await pods.create(podOf(name, { labels: { type: 'Testing' } }));
  }
  await pods.deleteAll({ labelSelector: 'type=Testing' });
  await eventually(
    'no pods',
    () => pods.list({ labelSelector: 'type=Testing' }),
    ({ items }) => items.length === 0,
  );
  expect(await pods.find('test-pod-1')).toBeUndefined();
});

conformanceTest('[sig-node] Pods should patch a pod status [Conformance]', async ({ api, namespace }) => {
  const pods = api.of(PODS, namespace);
  await pods.create(podOf('pod-status'));
  await waitForRunning(api, namespace, 'pod-status');
  const message = 'Patched by e2e test';
  const patch = { metadata: { annotations: { patchedstatus: 'true' } }, status: { message } };
  const patched = await pods.patch('pod-status', patch, { type: 'strategic', subresource: 'status' });
  expect(patched.status?.message).toBe(message);
  expect(patched.metadata?.annotations?.['patchedstatus']).toBe('true');
});

conformanceTest(
  '[sig-node] Pods should run through the lifecycle of Pods and PodStatus [Conformance]',
  async ({ api, namespace, unique }) => {
    const pods = api.of(PODS, namespace);
    const value = unique('static');
    const labelSelector = `test-pod-static=${value}`;
    const watch = await pods.watch({ labelSelector });
    await pods.create(
      podOf('pod-test', { labels: { 'test-pod-static': value }, spec: { terminationGracePeriodSeconds: 1 } }),
    );
    await watch.until(
      ({ object }) => object.status?.phase === 'Running' && (object.status.conditions ?? []).length > 0,
    );
    const patch = {
      metadata: { labels: { patched: 'true' } },
      spec: { containers: [{ name: 'pause', image: 'patched:1' }] },
    };
    await pods.patch('pod-test', patch, { type: 'strategic' });
    const patched = await watch.until(({ object }) => object.metadata?.labels?.['patched'] === 'true');
    expect(patched.object.spec?.containers[0]?.image).toBe('patched:1');

    const written = await pods.change(
      'pod-test',
      (pod) => {
        const ready = pod.status!.conditions!.find(({ type }) => type === 'Ready')!;
        ready.status = 'False';
      },
      'status',
    );
    expect(written.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('False');
    await watch.until(
      ({ object }) =>
        object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'False') ?? false,
    );
    await pods.deleteAll({ labelSelector }, { gracePeriodSeconds: 1 });
    await watch.until(({ type }) => type === 'DELETED');
    expect((await pods.list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu [Conformance]',
  async ({ api, namespace }) => {
    const resources = { cpu: '100m', memory: '100Mi' };
    const pod = await api.of(PODS, namespace).create(
      podOf('pod-qos-class', {
        spec: {
          containers: [{ name: 'pause', image: PAUSE_IMAGE, resources: { requests: resources, limits: resources } }],
        },
      }),
    );
    expect(pod.status?.qosClass).toBe('Guaranteed');
    expect((await api.of(PODS, namespace).get('pod-qos-class')).status?.qosClass).toBe('Guaranteed');
  },
);

conformanceTest(
  '[sig-node] Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update [MinimumKubeletVersion:1.34] [Conformance]',
  async ({ api, namespace }) => {
    const pods = api.of(PODS, namespace);
    const created = await pods.create(podOf('pod-generation'));
    expect(created.metadata?.generation).toBe(1);
    await waitForRunning(api, namespace, 'pod-generation');
    const steps: [object, number][] = [
      [{ spec: { containers: [{ name: 'pause', image: 'other:1' }] } }, 2],
      [{ spec: { activeDeadlineSeconds: 300 } }, 3],
      [{ spec: { tolerations: [{ key: 'a', operator: 'Exists' }] } }, 4],
      [{ metadata: { labels: { not: 'counted' } } }, 4],
    ];
    for (const [patch, generation] of steps) {
      const patched = await pods.patch('pod-generation', patch, { type: 'strategic' });
      expect(patched.metadata?.generation, JSON.stringify(patch)).toBe(generation);
      await eventually(
        `generation ${generation} is observed`,
        () => pods.get('pod-generation'),
        ({ status }) => status?.observedGeneration === generation,
      );
    }
  },
);

conformanceTest(
  '[sig-node] Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete [Conformance]',
  async ({ api, namespace }) => {
    const pods = api.of(PODS, namespace);
    const pod = podOf('pod-generation', { spec: { terminationGracePeriodSeconds: 5 } });
    const held = { ...pod, metadata: { ...pod.metadata, generation: 100, finalizers: ['e2e.example.com/held'] } };
    const created = await pods.create(held);
    expect(created.metadata?.generation).toBe(1);
    await waitForRunning(api, namespace, 'pod-generation');
    await pods.delete('pod-generation');
    const deleting = await pods.get('pod-generation');
    expect(deleting.metadata?.deletionTimestamp).toBeDefined();
    expect(deleting.metadata?.generation).toBe(2);
    await pods.patch('pod-generation', { metadata: { finalizers: null } });
  },
);

conformanceTest(
  '[sig-node] Pods Extended (pod generation) Pod Generation issue 500 podspec updates and verify generation and observedGeneration eventually converge [MinimumKubeletVersion:1.34] [Conformance]',
  async ({ api, namespace }) => {
    const pods = api.of(PODS, namespace);
    await pods.create(podOf('pod-generation'));
    await waitForRunning(api, namespace, 'pod-generation');
    for (let index = 0; index < 500; index += 1) {
      const image = index % 2 === 0 ? 'even:1' : 'odd:1';
      await pods.patch('pod-generation', { spec: { containers: [{ name: 'pause', image }] } }, { type: 'strategic' });
    }
    const last = await eventually(
      'generation 501 is observed',
      () => pods.get('pod-generation'),
      ({ status }) => status?.observedGeneration === 501,
    );
    expect(last.metadata?.generation).toBe(501);
  },
);

conformanceTest(
  '[sig-node] Sysctls [LinuxOnly] should reject invalid sysctls [Conformance] [NodeConformance]',
  async ({ api, namespace }) => {
    const pods = api.of(PODS, namespace);
    const names = ['foo-', 'kernel.shmmax', 'safe-and-unsafe', 'bar..'];
    const pod = podOf('sysctl', {
      spec: { securityContext: { sysctls: names.map((name) => ({ name, value: '1' })) } },
    });
    const answer = await api.raw<StatusBody>('POST', pods.path(), { body: { apiVersion: 'v1', kind: 'Pod', ...pod } });
    expect(answer.code).toBe(422);
    expect(answer.body.message).toContain('Invalid value: "foo-"');
    expect(answer.body.message).toContain('Invalid value: "bar.."');
    expect(answer.body.message).not.toContain('safe-and-unsafe');
    expect(answer.body.message).not.toContain('kernel.shmmax');
  },
);
