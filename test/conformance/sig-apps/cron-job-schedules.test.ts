import { expect } from 'vitest';
import type { Api } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { eventually, pause } from '../support/eventually.ts';
import { type JsonObject, kindOf } from '../support/kinds.ts';
import { PAUSE_IMAGE } from '../support/workloads.ts';

const CRON_JOBS = kindOf<JsonObject>('batch/v1', 'CronJob', 'cronjobs');
const JOBS = kindOf<JsonObject>('batch/v1', 'Job', 'jobs');
/** They wait for whole minutes to pass. */
const SLOW = { isSlow: true };
const SCHEDULE_MS = 150_000;

interface Status {
  readonly active?: { name: string }[];
}

function cronJobOf(name: string, spec: object): JsonObject {
  const containers = [{ name: 'c', image: PAUSE_IMAGE, command: ['sleep', '300'] }];
  const template = { spec: { restartPolicy: 'OnFailure', terminationGracePeriodSeconds: 0, containers } };
  return { metadata: { name }, spec: { schedule: '*/1 * * * ?', jobTemplate: { spec: { template } }, ...spec } };
}

function waitForActive(api: Api, namespace: string, name: string, count: number): Promise<string[]> {
  return eventually(
    `${count} active jobs of ${name}`,
    async () => {
      const { status } = await api.of(CRON_JOBS, namespace).get(name);
      return ((status as Status | undefined)?.active ?? []).map((reference) => reference.name);
    },
    (active) => active.length >= count,
    SCHEDULE_MS,
  );
}

conformanceTest(
  '[sig-apps] CronJob should not schedule jobs when suspended [Conformance] [Slow]',
  async ({ api, namespace }) => {
    const cronJobs = api.of(CRON_JOBS, namespace);
    await cronJobs.create(cronJobOf('suspended', { suspend: true, concurrencyPolicy: 'Allow' }));
    // Past a whole minute a job would be there.
    await pause(65_000);
    expect((await api.of(JOBS, namespace).list()).items).toEqual([]);
    expect(((await cronJobs.get('suspended'))['status'] as Status | undefined)?.active).toBeUndefined();
    await cronJobs.delete('suspended');
    expect(await cronJobs.find('suspended')).toBeUndefined();
  },
  SLOW,
);

conformanceTest(
  '[sig-apps] CronJob should schedule multiple jobs concurrently [Conformance]',
  async ({ api, namespace }) => {
    await api.of(CRON_JOBS, namespace).create(cronJobOf('concurrent', { concurrencyPolicy: 'Allow' }));
    await waitForActive(api, namespace, 'concurrent', 2);
    const { items } = await api.of(JOBS, namespace).list();
    expect(items.filter(({ status }) => (status as { active?: number }).active === 1)).toHaveLength(items.length);
    expect(items.length).toBeGreaterThanOrEqual(2);
  },
  SLOW,
);

conformanceTest(
  '[sig-apps] CronJob should replace jobs when ReplaceConcurrent [Conformance]',
  async ({ api, namespace }) => {
    await api.of(CRON_JOBS, namespace).create(cronJobOf('replace', { concurrencyPolicy: 'Replace' }));
    const [first = ''] = await waitForActive(api, namespace, 'replace', 1);
    await eventually(
      'the job is replaced',
      () => api.of(CRON_JOBS, namespace).get('replace'),
      ({ status }) => {
        const active = (status as Status | undefined)?.active ?? [];
        return active.length === 1 && active[0]?.name !== first;
      },
      SCHEDULE_MS,
    );
    await eventually(
      'the replaced job is gone',
      () => api.of(JOBS, namespace).find(first),
      (found) => found === undefined,
    );
  },
  SLOW,
);

conformanceTest(
  '[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Conformance] [Slow]',
  async ({ api, namespace }) => {
    await api.of(CRON_JOBS, namespace).create(cronJobOf('forbid', { concurrencyPolicy: 'Forbid' }));
    const [first = ''] = await waitForActive(api, namespace, 'forbid', 1);
    await pause(65_000);
    const { items } = await api.of(JOBS, namespace).list();
    expect(items.map(({ metadata }) => metadata?.name)).toEqual([first]);
    expect(await waitForActive(api, namespace, 'forbid', 1)).toEqual([first]);
  },
  SLOW,
);
