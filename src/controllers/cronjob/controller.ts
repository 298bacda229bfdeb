import { CRON_JOBS, JOBS } from '#api/generated/resources.ts';
import type { CronJob, Job } from '#api/generated/types.ts';
import type { Informer } from '#client/informer/informer.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isAlreadyExists, isNotFound } from '#machinery/errors/status-error.ts';
import { controllerOf, objectKey } from '#machinery/meta/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { controllerIndex } from '../shared/ownership.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { type CronPlan, planCronJob, referenceTo } from './plan.ts';

export const cronJobController: ControllerDefinition = {
  name: 'cronjob-controller',
  aliases: ['cronjob'],
  serviceAccount: 'cronjob-controller',
  eventSource: 'cronjob-controller',
  run: (context) => new CronJobController(context).run(),
};

/** Starts jobs by the clock. Keys are those of cron jobs. */
class CronJobController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #cronJobs: Informer<CronJob>;
  readonly #jobs: Informer<Job>;
  readonly #ownCronJobs: OwnWrites<CronJob>;
  readonly #ownJobs: OwnWrites<Job>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const enqueue = (cronJob: CronJob) => this.#reconciler.add(objectKey(cronJob));
    this.#cronJobs = this.#reconciler.watch(CRON_JOBS, {
      onAdd: enqueue,
      onUpdate: (_, cronJob) => enqueue(cronJob),
      onDelete: enqueue,
    });
    const jobChanged = (job: Job) => this.#jobChanged(job);
    this.#jobs = this.#reconciler.watch(
      JOBS,
      { onAdd: jobChanged, onUpdate: (_, job) => jobChanged(job), onDelete: jobChanged },
      { controller: controllerIndex },
    );
    const { clock } = context.executor;
    this.#ownCronJobs = new OwnWrites({ clock, cached: (key) => this.#cronJobs.get(key) });
    this.#ownJobs = new OwnWrites({ clock, cached: (key) => this.#jobs.get(key) });
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 5, reconcile: (key) => this.#reconcile(key) });
  }

  #jobChanged(job: Job): void {
    const controller = controllerOf(job);
    if (controller?.kind !== 'CronJob') return;
    const key = `${job.metadata.namespace}/${controller.name}`;
    this.#ownJobs.observed(key, job);
    this.#reconciler.add(key);
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    const cached = this.#cronJobs.get(key);
    if (cached === undefined) {
      this.#ownCronJobs.forget(key);
      this.#ownJobs.forget(key);
      return undefined;
    }
    const [cronJob = cached] = this.#ownCronJobs.apply(key, [cached]);
    const jobs = this.#ownJobs.apply(key, this.#jobs.byIndex('controller', cronJob.metadata.uid ?? ''));
    const plan = planCronJob({ cronJob, jobs, nowMs: this.#context.executor.clock.now() });
    for (const event of plan.events) this.#context.events.event(cronJob, event);
    for (const job of plan.deleteOld) await this.#deleteJob(key, { cronJob, name: job.metadata.name ?? '', job });
    for (const { name = '' } of plan.replace) {
      const job = jobs.find((one) => one.metadata.name === name);
      await this.#deleteJob(key, { cronJob, name, ...(job === undefined ? {} : { job }) });
    }
    await this.#start(key, cronJob, plan);
    return plan.recheckInMs;
  }

  async #start(key: string, cronJob: CronJob, plan: CronPlan): Promise<void> {
    let status = plan.status;
    if (plan.replace.length > 0) {
      const replaced = new Set(plan.replace.map(({ uid }) => uid));
      const active = (status.active ?? []).filter(({ uid }) => !replaced.has(uid));
      const { active: _, ...rest } = status;
      status = active.length === 0 ? rest : { ...rest, active };
    }
    if (plan.create !== undefined) {
      const { job, scheduledMs } = plan.create;
      const created = await this.#createJob(key, cronJob, job);
      if (created === 'refused') return;
      status = {
        ...status,
        ...(created === undefined ? {} : { active: [...(status.active ?? []), referenceTo(created)] }),
        lastScheduleTime: formatTime(scheduledMs),
      };
    }
    if (deepEqual(cronJob.status ?? {}, status)) return;
    const { client } = this.#context;
    const updated = await client.update(CRON_JOBS, { ...cronJob, status }, { subresource: 'status' });
    this.#ownCronJobs.updated(key, cronJob, updated);
  }

  /** The job; undefined where there is one of that name already. */
  async #createJob(key: string, cronJob: CronJob, job: Job): Promise<Job | 'refused' | undefined> {
    const { client, events } = this.#context;
    try {
      const created = await client.create(JOBS, job);
      this.#ownJobs.created(key, created);
      const message = `Created job ${created.metadata.name}`;
      events.event(cronJob, { type: 'Normal', reason: 'SuccessfulCreate', message });
      return created;
    } catch (error) {
      if (isNamespaceTerminating(error)) return 'refused';
      if (isAlreadyExists(error)) return undefined;
      const message = `Error creating job: ${errorMessage(error)}`;
      events.event(cronJob, { type: 'Warning', reason: 'FailedCreate', message });
      throw error;
    }
  }

  async #deleteJob(key: string, { cronJob, name, job }: { cronJob: CronJob; name: string; job?: Job }): Promise<void> {
    const { client, events } = this.#context;
    const namespace = cronJob.metadata.namespace ?? '';
    try {
      await client.delete(JOBS, { name, namespace }, { propagationPolicy: 'Background' });
      events.event(cronJob, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted job ${name}` });
    } catch (error) {
      if (!isNotFound(error)) {
        const message = `Deleted job: ${errorMessage(error)}`;
        events.event(cronJob, { type: 'Warning', reason: 'FailedDelete', message });
        throw error;
      }
    }
    if (job !== undefined) this.#ownJobs.deleted(key, job);
  }
}
