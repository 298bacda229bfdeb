import { describe, expect, test } from 'vitest';
import { CRON_JOBS, JOBS, PODS } from '#api/generated/resources.ts';
import type { CronJob, Job, JobSpec } from '#api/generated/types.ts';
import { eventMessages, exists, inDefault, readyCluster } from './support.ts';

type Behaviour = Record<string, string>;
const SUCCEEDS: Behaviour = { 'simulation.tiphys.io/exit-after': '2' };
const FAILS: Behaviour = { 'simulation.tiphys.io/exit-after': '1', 'simulation.tiphys.io/exit-code': '3' };

function job(name: string, annotations: Behaviour, spec: Partial<JobSpec> = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default' },
    spec: {
      template: {
        metadata: { annotations },
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'image:1' }] },
      },
      ...spec,
    },
  };
}

function conditionsOf(status: Job['status']): string[] {
  return (status?.conditions ?? [])
    .filter((condition) => condition.status === 'True')
    .map(({ type, reason }) => `${type}: ${reason}`)
    .toSorted();
}

describe('Job', () => {
  test('runs its pods to the end, some at a time', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(JOBS, job('work', SUCCEEDS, { completions: 5, parallelism: 2 }));
    await cluster.advance(1_500);
    expect((await cluster.client.get(JOBS, inDefault('work'))).status).toMatchObject({ active: 2 });
    await cluster.advance(60_000);
    const { status } = await cluster.client.get(JOBS, inDefault('work'));
    expect(status).toMatchObject({ succeeded: 5, ready: 0, terminating: 0, uncountedTerminatedPods: {} });
    expect(status?.active).toBeUndefined();
    expect(status?.completionTime).toBeDefined();
    expect(conditionsOf(status)).toEqual(['Complete: CompletionsReached', 'SuccessCriteriaMet: CompletionsReached']);
    expect(await eventMessages(cluster, 'Completed')).toEqual(['Job completed']);
    const { items } = await cluster.client.list(PODS, { namespace: 'default' });
    expect(items).toHaveLength(5);
    expect(items.flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
  });

  test('replaces failed pods with growing waits and gives up at the limit', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(JOBS, job('broken', FAILS, { backoffLimit: 2 }));
    await cluster.advance(8_000);
    expect((await cluster.client.get(JOBS, inDefault('broken'))).status).toMatchObject({ failed: 1 });
    await cluster.advance(120_000);
    const { status } = await cluster.client.get(JOBS, inDefault('broken'));
    expect(status?.failed).toBe(3);
    expect(conditionsOf(status)).toEqual(['Failed: BackoffLimitExceeded', 'FailureTarget: BackoffLimitExceeded']);
    expect(await eventMessages(cluster, 'BackoffLimitExceeded')).toEqual([
      'Job has reached the specified backoff limit',
    ]);
  });

  test('counts an indexed job by index, and fails the indexes that fail', async () => {
    const cluster = await readyCluster();
    const indexed = { completionMode: 'Indexed', completions: 4, parallelism: 4 };
    await cluster.client.create(JOBS, job('fine', SUCCEEDS, indexed));
    await cluster.client.create(JOBS, job('bad', FAILS, { ...indexed, completions: 2, backoffLimitPerIndex: 0 }));
    await cluster.advance(60_000);
    const fine = await cluster.client.get(JOBS, inDefault('fine'));
    expect(fine.status).toMatchObject({ completedIndexes: '0-3', succeeded: 4 });
    const bad = await cluster.client.get(JOBS, inDefault('bad'));
    expect(bad.status).toMatchObject({ failedIndexes: '0,1', failed: 2 });
    expect(conditionsOf(bad.status)).toContain('Failed: FailedIndexes');
  });

  test('a failure policy ends a job at once', async () => {
    const cluster = await readyCluster();
    const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [3] } }];
    await cluster.client.create(JOBS, job('strict', FAILS, { podFailurePolicy: { rules } }));
    await cluster.advance(30_000);
    const { status } = await cluster.client.get(JOBS, inDefault('strict'));
    expect(conditionsOf(status)).toContain('Failed: PodFailurePolicy');
    expect(status?.conditions?.find(({ type }) => type === 'Failed')?.message).toMatch(
      /^Container main for pod default\/strict-\w+ failed with exit code 3 matching FailJob rule at index 0$/,
    );
  });

  test('is suspended and resumed, misses its deadline, and goes after its time', async () => {
    const cluster = await readyCluster();
    const { client } = cluster;
    await client.create(JOBS, job('long', {}, { activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 30 }));
    await cluster.advance(5_000);
    await client.patch(JOBS, inDefault('long'), { type: 'merge', body: { spec: { suspend: true } } });
    await cluster.advance(40_000);
    const suspended = await client.get(JOBS, inDefault('long'));
    expect(conditionsOf(suspended.status)).toEqual(['Suspended: JobSuspended']);
    expect(suspended.status?.startTime).toBeUndefined();
    expect((await client.list(PODS, { namespace: 'default' })).items).toEqual([]);
    await client.patch(JOBS, inDefault('long'), { type: 'merge', body: { spec: { suspend: false } } });
    await cluster.advance(50_000);
    expect((await client.get(JOBS, inDefault('long'))).status).toMatchObject({ active: 1, ready: 1 });
    await cluster.advance(15_000);
    const late = await client.get(JOBS, inDefault('long'));
    expect(conditionsOf(late.status)).toContain('Failed: DeadlineExceeded');
    await cluster.advance(60_000);
    expect(await exists(cluster, JOBS, inDefault('long'))).toBe(false);
  });

  test('takes its pods with it', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(JOBS, job('gone', {}));
    await cluster.advance(5_000);
    await cluster.client.delete(JOBS, inDefault('gone'), { propagationPolicy: 'Background' });
    await cluster.advance(60_000);
    expect((await cluster.client.list(PODS, { namespace: 'default' })).items).toEqual([]);
  });
});

function cronJob(spec: Partial<CronJob['spec']>, annotations: Behaviour = SUCCEEDS): CronJob {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly', namespace: 'default' },
    spec: { schedule: '* * * * *', jobTemplate: { spec: job('x', annotations).spec }, ...spec },
  };
}

describe('CronJob', () => {
  test('starts every night of a week in its own zone', async () => {
    const cluster = await readyCluster({ nodes: 0 });
    const nightly = { schedule: '30 2 * * *', timeZone: 'Europe/Berlin', concurrencyPolicy: 'Replace' };
    await cluster.client.create(CRON_JOBS, cronJob(nightly));
    await cluster.advance(7 * 86_400_000);
    const { items } = await cluster.client.list(JOBS, { namespace: 'default' });
    expect(items).toHaveLength(1);
    const stored = await cluster.client.get(CRON_JOBS, inDefault('nightly'));
    expect(stored.status?.active).toHaveLength(1);
    expect(stored.status?.lastScheduleTime).toMatch(/T01:30:00Z$/);
    expect(items[0]?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']).toMatch(
      /T02:30:00\+01:00$/,
    );
  });

  test('keeps as many finished jobs as it is told', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(CRON_JOBS, cronJob({ successfulJobsHistoryLimit: 2 }));
    await cluster.advance(5 * 60_000 + 30_000);
    const { items } = await cluster.client.list(JOBS, { namespace: 'default' });
    expect(items).toHaveLength(2);
    const { status } = await cluster.client.get(CRON_JOBS, inDefault('nightly'));
    expect(status?.active).toBeUndefined();
    expect(status?.lastSuccessfulTime).toBeDefined();
  });

  test.each([
    { concurrencyPolicy: 'Forbid', running: 1 },
    { concurrencyPolicy: 'Replace', running: 1 },
    { concurrencyPolicy: 'Allow', running: 3 },
  ])('$concurrencyPolicy: $running under way after three minutes', async ({ concurrencyPolicy, running }) => {
    const cluster = await readyCluster();
    await cluster.client.create(CRON_JOBS, cronJob({ concurrencyPolicy }, {}));
    await cluster.advance(3 * 60_000 + 1_000);
    const { status } = await cluster.client.get(CRON_JOBS, inDefault('nightly'));
    expect(status?.active).toHaveLength(running);
    const { items } = await cluster.client.list(JOBS, { namespace: 'default' });
    expect(items).toHaveLength(running);
  });

  test('does nothing while suspended', async () => {
    const cluster = await readyCluster();
    await cluster.client.create(CRON_JOBS, cronJob({ suspend: true }));
    await cluster.advance(3_600_000);
    expect((await cluster.client.list(JOBS, { namespace: 'default' })).items).toEqual([]);
  });
});
