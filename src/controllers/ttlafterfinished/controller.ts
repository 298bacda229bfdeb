import { isJobConditionTrue } from '#api/batch/v1/job-status.ts';
import { JOBS } from '#api/generated/resources.ts';
import type { Job } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';

export const ttlAfterFinishedController: ControllerDefinition = {
  name: 'ttl-after-finished-controller',
  aliases: ['ttl-after-finished'],
  serviceAccount: 'ttl-after-finished-controller',
  eventSource: 'ttl-after-finished-controller',
  run,
};

/** Deletes finished jobs after their `ttlSecondsAfterFinished` (KEP-592). Keys are those of jobs. */
async function run(context: ControllerContext): Promise<void> {
  const { client, executor } = context;
  const reconciler = new Reconciler(context);
  const changed = (job: Job) => {
    if (expiresAtMs(job) !== undefined) reconciler.add(objectKey(job));
  };
  const jobs = reconciler.watch(JOBS, { onAdd: changed, onUpdate: (_, job) => changed(job) });

  async function reconcile(key: string): Promise<RequeueInMs> {
    const cached = jobs.get(key);
    const atMs = cached === undefined ? undefined : expiresAtMs(cached);
    if (cached === undefined || atMs === undefined) return undefined;
    const nowMs = executor.clock.now();
    if (atMs > nowMs) return atMs - nowMs;
    const { name = '', namespace = '' } = cached.metadata;
    // The time may just have been prolonged.
    const job = await client.get(JOBS, { name, namespace });
    const stillMs = expiresAtMs(job);
    if (stillMs === undefined) return undefined;
    if (stillMs > nowMs) return stillMs - nowMs;
    const { uid = '', resourceVersion = '' } = job.metadata;
    const preconditions = { uid, resourceVersion };
    await client.delete(JOBS, { name, namespace }, { propagationPolicy: 'Foreground', preconditions });
    return undefined;
  }

  await reconciler.run({ workers: 5, reconcile });
}

/** When a finished job may go; undefined where it never does by itself, or not yet known. */
export function expiresAtMs({ metadata, spec, status }: Job): number | undefined {
  const { ttlSecondsAfterFinished } = spec;
  if (metadata.deletionTimestamp !== undefined || ttlSecondsAfterFinished === undefined) return undefined;
  const isFinished = isJobConditionTrue(status, 'Complete') || isJobConditionTrue(status, 'Failed');
  const verdict = status?.conditions?.find(
    ({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True',
  );
  const finishedMs = parseTime(verdict?.lastTransitionTime ?? '');
  return isFinished && finishedMs !== undefined ? finishedMs + ttlSecondsAfterFinished * 1000 : undefined;
}
