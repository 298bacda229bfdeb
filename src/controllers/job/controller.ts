import { JOBS, PODS } from '#api/generated/resources.ts';
import type { Job, Pod } from '#api/generated/types.ts';
import type { Informer } from '#client/informer/informer.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { controllerOf, objectKey } from '#machinery/meta/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { claimObjects } from '../shared/claim.ts';
import { errorMessage, isNamespaceTerminating } from '../shared/namespace-terminating.ts';
import { OwnWrites } from '../shared/own-writes.ts';
import { controllerIndex, orphanIndexValue } from '../shared/ownership.ts';
import { namespaceIndex, Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { slowStart } from '../shared/slow-start.ts';
import { isTracked, newJobPod, TRACKING_FINALIZER } from './job-pods.ts';
import { isJobFinished, type JobPlan, planJob } from './plan.ts';
import type { PodCreation } from './pods-plan.ts';

export const jobController: ControllerDefinition = {
  name: 'job-controller',
  aliases: ['job'],
  serviceAccount: 'job-controller',
  eventSource: 'job-controller',
  run: (context) => new JobController(context).run(),
};

const MANAGED_BY = 'kubernetes.io/job-controller';

/** Runs pods to their end. Keys: those of jobs, and `pod:NAMESPACE/NAME` for pods that lost theirs. */
class JobController {
  readonly #context: ControllerContext;
  readonly #reconciler: Reconciler;
  readonly #jobs: Informer<Job>;
  readonly #pods: Informer<Pod>;
  readonly #ownJobs: OwnWrites<Job>;
  readonly #ownPods: OwnWrites<Pod>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#reconciler = new Reconciler(context);
    const enqueue = (job: Job) => this.#reconciler.add(objectKey(job));
    this.#jobs = this.#reconciler.watch(
      JOBS,
      { onAdd: enqueue, onUpdate: (_, job) => enqueue(job), onDelete: (job) => this.#jobDeleted(job) },
      { namespace: namespaceIndex },
    );
    this.#pods = this.#reconciler.watch(
      PODS,
      {
        onAdd: (pod) => this.#podChanged(pod),
        onUpdate: (before, pod) => {
          if (controllerOf(before)?.uid !== controllerOf(pod)?.uid) this.#podChanged(before);
          this.#podChanged(pod);
        },
        onDelete: (pod) => this.#podChanged(pod),
      },
      { controller: controllerIndex },
    );
    const { clock } = context.executor;
    this.#ownJobs = new OwnWrites({ clock, cached: (key) => this.#jobs.get(key) });
    this.#ownPods = new OwnWrites({ clock, cached: (key) => this.#pods.get(key) });
  }

  async run(): Promise<void> {
    await this.#reconciler.run({ workers: 5, reconcile: (key) => this.#reconcile(key) });
  }

  #jobDeleted(job: Job): void {
    this.#reconciler.add(objectKey(job));
    for (const pod of this.#pods.byIndex('controller', job.metadata.uid ?? '')) {
      if (isTracked(pod)) this.#reconciler.add(`pod:${objectKey(pod)}`);
    }
  }

  #podChanged(pod: Pod): void {
    const namespace = pod.metadata.namespace ?? '';
    const controller = controllerOf(pod);
    if (controller !== undefined) {
      if (controller.kind !== 'Job') return;
      const key = `${namespace}/${controller.name}`;
      this.#ownPods.observed(key, pod);
      this.#reconciler.add(key);
      if (isTracked(pod) && this.#jobs.get(key)?.metadata.uid !== controller.uid) {
        this.#reconciler.add(`pod:${objectKey(pod)}`);
      }
      return;
    }
    if (isTracked(pod)) this.#reconciler.add(`pod:${objectKey(pod)}`);
    for (const job of this.#jobs.byIndex('namespace', namespace)) {
      if (compileLabelSelector(job.spec.selector).matches(pod.metadata.labels)) this.#reconciler.add(objectKey(job));
    }
  }

  async #reconcile(key: string): Promise<RequeueInMs> {
    if (key.startsWith('pod:')) return this.#releaseOrphan(key.slice('pod:'.length));
    await this.#context.executor.pause('background');
    const cached = this.#jobs.get(key);
    if (cached === undefined) {
      this.#ownJobs.forget(key);
      this.#ownPods.forget(key);
      return undefined;
    }
    const [job = cached] = this.#ownJobs.apply(key, [cached]);
    if ((job.spec.managedBy ?? MANAGED_BY) !== MANAGED_BY) return undefined;
    const claimed = await this.#claimPods(job);
    const pods = this.#ownPods.apply(key, claimed);
    const nowMs = this.#context.executor.clock.now();
    const plan = planJob({ job, pods, nowMs });
    const error = await this.#carryOut({ key, job, plan });
    if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    return plan.recheckInMs ?? this.#ownPods.forgottenInMs(key);
  }

  #claimPods(job: Job): Promise<Pod[]> {
    const selector = compileLabelSelector(job.spec.selector);
    const orphans = this.#pods.byIndex('controller', orphanIndexValue(job.metadata.namespace ?? ''));
    return claimObjects({
      client: this.#context.client,
      ownerResource: JOBS,
      owner: job,
      resource: PODS,
      candidates: [...this.#pods.byIndex('controller', job.metadata.uid ?? ''), ...(isJobFinished(job) ? [] : orphans)],
      matches: (pod) => selector.matches(pod.metadata.labels),
    });
  }

  /** Pods first, then the status that tells of them, and only then the finalizers of pods that it counts. */
  async #carryOut({ key, job, plan }: { key: string; job: Job; plan: JobPlan }): Promise<unknown> {
    const status = { ...plan.status };
    for (const pod of plan.deleteUncounted) {
      await this.#release(key, pod);
      await this.#deletePod({ key, job, pod });
    }
    for (const pod of plan.delete) await this.#deletePod({ key, job, pod });
    const { succeeded, error } = await slowStart(plan.create.length, (index) =>
      this.#createPod({ key, job, creation: plan.create[index] ?? {} }),
    );
    const active = (status.active ?? 0) - (plan.create.length - succeeded);
    if (active > 0) status.active = active;
    else delete status.active;
    if (!deepEqual(job.status ?? {}, status)) {
      const updated = await this.#context.client.update(JOBS, { ...job, status }, { subresource: 'status' });
      this.#ownJobs.updated(key, job, updated);
      for (const event of plan.events) this.#context.events.event(job, event);
    }
    for (const pod of plan.release) await this.#release(key, pod);
    // What was released is counted with the next look; deleted or not, the pods' events lead there.
    if (plan.release.length > 0) this.#reconciler.add(key);
    return error;
  }

  async #createPod({ key, job, creation }: { key: string; job: Job; creation: PodCreation }): Promise<void> {
    const { client, events } = this.#context;
    try {
      const created = await client.create(PODS, newJobPod(job, creation));
      this.#ownPods.created(key, created);
      const message = `Created pod: ${created.metadata.name}`;
      events.event(job, { type: 'Normal', reason: 'SuccessfulCreate', message });
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        const message = `Error creating: ${errorMessage(error)}`;
        events.event(job, { type: 'Warning', reason: 'FailedCreate', message });
      }
      throw error;
    }
  }

  async #deletePod({ key, job, pod }: { key: string; job: Job; pod: Pod }): Promise<void> {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    try {
      await this.#context.client.delete(PODS, { name, namespace }, { preconditions: { uid } });
      const message = `Deleted pod: ${name}`;
      this.#context.events.event(job, { type: 'Normal', reason: 'SuccessfulDelete', message });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if (!isTracked(pod)) this.#ownPods.deleted(key, pod);
  }

  async #release(key: string, pod: Pod): Promise<void> {
    if (!isTracked(pod)) return;
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [TRACKING_FINALIZER] } };
    try {
      const updated = await this.#context.client.patch(PODS, { name, namespace }, { type: 'strategic', body });
      const isGone =
        updated.metadata.deletionTimestamp !== undefined && (updated.metadata.finalizers ?? []).length === 0;
      if (!isGone) this.#ownPods.updated(key, pod, updated);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** A pod whose job is gone, or that was released, must not wait for being counted. */
  async #releaseOrphan(podKey: string): Promise<undefined> {
    const pod = this.#pods.get(podKey);
    if (pod === undefined || !isTracked(pod)) return;
    const controller = controllerOf(pod);
    if (controller !== undefined) {
      const job = this.#jobs.get(`${pod.metadata.namespace}/${controller.name}`);
      if (controller.kind !== 'Job' || job?.metadata.uid === controller.uid) return;
      // The cache may be behind a job that was just created.
      if (await this.#exists(pod, controller)) return;
    } else if (this.#isWanted(pod)) {
      return;
    }
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [TRACKING_FINALIZER] } };
    try {
      await this.#context.client.patch(PODS, { name, namespace }, { type: 'strategic', body });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #isWanted(pod: Pod): boolean {
    return this.#jobs.byIndex('namespace', pod.metadata.namespace ?? '').some((job) => {
      const isOpen = job.metadata.deletionTimestamp === undefined && !isJobFinished(job);
      return isOpen && compileLabelSelector(job.spec.selector).matches(pod.metadata.labels);
    });
  }

  async #exists(pod: Pod, { name, uid }: { name: string; uid: string }): Promise<boolean> {
    try {
      const job = await this.#context.client.get(JOBS, { name, namespace: pod.metadata.namespace ?? '' });
      return job.metadata.uid === uid;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }
}
