import { expect } from 'vitest';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually } from '../support/eventually.ts';
import { type JsonObject, kindOf, type Pod, PODS } from '../support/kinds.ts';
import { isOwnedBy, isReady, PAUSE_IMAGE } from '../support/workloads.ts';

const JOBS = kindOf<JsonObject>('batch/v1', 'Job', 'jobs');

interface JobStatus {
  readonly active?: number;
  readonly startTime?: string;
  readonly conditions?: { type: string; status: string; reason?: string }[];
}

function jobOf(name: string, spec: object = {}): JsonObject {
  const containers = [{ name: 'c', image: PAUSE_IMAGE, command: ['sleep', '1000000'] }];
  const template = {
    metadata: { labels: { job: name } },
    spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 0, containers },
  };
  return {
    metadata: { name, labels: { job: name } },
    spec: { parallelism: 2, completions: 4, backoffLimit: 6, template, ...spec },
  };
}

async function waitForJobPods(api: Api, namespace: string, name: string, count: number): Promise<Pod[]> {
  const { items } = await eventually(
    `${count} pods of job ${name}`,
    () => api.of(PODS, namespace).list({ labelSelector: `job=${name}` }),
    ({ items: pods }) => pods.length === count && pods.every(isReady),
  );
  return items;
}

conformanceTest('[sig-apps] Job should delete a job [Conformance]', async ({ api, namespace }) => {
  await api.of(JOBS, namespace).create(jobOf('foo'));
  await waitForJobPods(api, namespace, 'foo', 2);
  await api.of(JOBS, namespace).delete('foo', { propagationPolicy: 'Background' });
  expect(await api.of(JOBS, namespace).find('foo')).toBeUndefined();
  await eventually(
    'its pods are gone',
    () => api.of(PODS, namespace).list({ labelSelector: 'job=foo' }),
    ({ items }) => items.length === 0,
  );
});

conformanceTest(
  '[sig-apps] Job should adopt matching orphans and release non-matching pods [Conformance]',
  async ({ api, namespace }) => {
    const job = await api.of(JOBS, namespace).create(jobOf('adopt-release'));
    const [pod] = await waitForJobPods(api, namespace, 'adopt-release', 2);
    const name = pod?.metadata?.name ?? '';
    const pods = api.of(PODS, namespace);
    const { uid } = job.metadata ?? {};
    await pods.change(name, (orphan) => {
      delete orphan.metadata!.ownerReferences;
    });
    await eventually(
      'the orphan is adopted',
      () => pods.get(name),
      (found) => isOwnedBy(found, uid),
    );
    await pods.change(name, (stranger) => {
      delete stranger.metadata!.labels;
    });
    const released = await eventually(
      'the stranger is released',
      () => pods.get(name),
      (found) => !isOwnedBy(found, uid),
    );
    expect(released.metadata?.ownerReferences ?? []).toEqual([]);
  },
);

conformanceTest(
  '[sig-apps] Job should apply changes to a job status [Conformance]',
  async ({ api, namespace, unique }) => {
    const jobs = api.of(JOBS, namespace);
    const name = unique('e2e');
    await jobs.create(jobOf(name, { backoffLimit: 2 }));
    await waitForJobPods(api, namespace, name, 2);
    const now = new Date();
    now.setMilliseconds(0);
    const condition = {
      type: 'CustomConditionType',
      status: 'True',
      lastTransitionTime: now.toISOString().replace('.000', ''),
    };
    const patched = await jobs.patch(
      name,
      { metadata: { annotations: { patchedstatus: 'true' } }, status: { conditions: [condition] } },
      { subresource: 'status' },
    );
    expect((patched['status'] as JobStatus).conditions).toEqual([expect.objectContaining(condition)]);
    expect(patched.metadata?.annotations?.['patchedstatus']).toBe('true');
    const second = { ...condition, type: 'AnotherConditionType' };
    const updated = await jobs.change(
      name,
      (job) => {
        const status = job['status'] as { conditions?: object[] };
        job['status'] = { ...status, conditions: [...(status.conditions ?? []), second] };
      },
      'status',
    );
    expect((updated['status'] as JobStatus).conditions?.map(({ type }) => type)).toContain('AnotherConditionType');
    expect((await jobs.get(name, 'status')).metadata?.uid).toBe(patched.metadata?.uid);
  },
);

conformanceTest(
  '[sig-apps] Job should manage the lifecycle of a job [Conformance]',
  async ({ api, namespace, unique }) => {
    const jobs = api.of(JOBS, namespace);
    const name = unique('e2e');
    const labels = { 'e2e-job-label': name };
    const job = jobOf(name, { suspend: true, parallelism: 1, completions: 1 });
    await jobs.create({ ...job, metadata: { name, labels } });
    const suspended = await eventually(
      'the job is suspended',
      () => jobs.get(name),
      ({ status }) =>
        (status as JobStatus | undefined)?.conditions?.some(
          ({ type, status: value }) => type === 'Suspended' && value === 'True',
        ) ?? false,
    );
    expect((suspended['status'] as JobStatus).startTime).toBeUndefined();
    const patched = await jobs.patch(name, { metadata: { labels: { [name]: 'patched' } } }, { type: 'strategic' });
    expect(patched.metadata?.labels?.[name]).toBe('patched');
    await jobs.change(name, (changed) => {
      changed['spec'] = { ...(changed['spec'] as object), suspend: false };
      changed.metadata = { ...changed.metadata, annotations: { ...changed.metadata?.annotations, updated: 'true' } };
    });
    await waitForJobPods(api, namespace, name, 1);
    const running = await jobs.get(name);
    expect((running['status'] as JobStatus).startTime).toBeDefined();
    const listed = await api.of(JOBS).list({ labelSelector: `e2e-job-label=${name}` });
    expect(listed.items.map(({ metadata }) => metadata?.name)).toEqual([name]);
    await jobs.deleteAll({ labelSelector: `e2e-job-label=${name}` }, { propagationPolicy: 'Background' });
    await eventually(
      'the job is gone',
      () => jobs.list({ labelSelector: `e2e-job-label=${name}` }),
      ({ items }) => items.length === 0,
    );
  },
);
