import { isPodActive, isPodReady, isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import { isJobConditionTrue } from '#api/batch/v1/job-status.ts';
import type { Job, JobStatus, Pod } from '#api/generated/types.ts';
import type { EventDetails } from '#client/events/event-recorder.ts';
import { formatTime, parseTime } from '#machinery/clock/clock.ts';
import { soonest } from './backoff.ts';
import { withJobCondition } from './conditions.ts';
import { formatIndexes } from './index-set.ts';
import { isTracked } from './job-pods.ts';
import { planPods, type PodCreation } from './pods-plan.ts';
import { decideOutcome } from './outcome.ts';
import { tally, type Tally } from './tally.ts';

export interface JobInput {
  readonly job: Job;
  /** Pods it controls, own writes included. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
}

export interface JobPlan {
  /** To be written before finalizers are taken away; `active` assumes that creations and deletions succeed. */
  readonly status: JobStatus;
  readonly create: readonly PodCreation[];
  /** Pods that are not counted: their finalizer goes first. */
  readonly deleteUncounted: readonly Pod[];
  /** Pods of a job that is at its end: they count as failed once they end. */
  readonly delete: readonly Pod[];
  /** Pods whose end the status tells. */
  readonly release: readonly Pod[];
  readonly events: readonly EventDetails[];
  readonly recheckInMs: number | undefined;
}

export function isJobFinished(job: Job): boolean {
  return isJobConditionTrue(job.status, 'Complete') || isJobConditionTrue(job.status, 'Failed');
}

/** What to do for a job now. Undefined fields of its status count as zero. */
export function planJob(input: JobInput): JobPlan {
  const { job, pods, nowMs } = input;
  if (isJobFinished(job) || job.metadata.deletionTimestamp !== undefined) return planFinished(input);
  const counted = tally(input);
  const status: JobStatus = { ...job.status };
  const events: EventDetails[] = [];
  const isSuspended = job.spec.suspend === true;
  if (!isSuspended) status.startTime ??= formatTime(nowMs);
  const active = pods.filter((pod) => isPodActive(pod));
  const terminating = pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !isPodTerminal(pod));
  const outcome = decideOutcome({ ...input, status, counted, active });
  let create: readonly PodCreation[] = [];
  let deleteUncounted: readonly Pod[] = [];
  let remaining = active;
  let backoffMs: number | undefined;
  if (outcome !== undefined) {
    if (!isJobConditionTrue(status, outcome.target)) {
      status.conditions = withJobCondition(
        status.conditions,
        { ...outcome, type: outcome.target, status: 'True' },
        nowMs,
      );
    }
    remaining = [];
  } else {
    if (isSuspended) suspend(status, events, nowMs);
    else resume(status, events, nowMs);
    const plan = planPods({ ...input, counted, active, terminating });
    ({ create, deleteUncounted, backoffMs } = plan);
    remaining = active.filter((pod) => !deleteUncounted.includes(pod));
  }
  writeCounts(status, { counted, active: remaining.length + create.length, ready: remaining, terminating });
  const doomed = outcome === undefined ? [] : active;
  if (outcome !== undefined) {
    // The verdict is final when the last pod is gone and counted.
    const isSettled = active.length === 0 && terminating.length === 0 && counted.isSettled;
    status.terminating = terminating.length + doomed.length;
    if (isSettled) finish(status, { outcome, events, nowMs });
  }
  return {
    status,
    create,
    deleteUncounted,
    delete: doomed,
    release: counted.release,
    events,
    recheckInMs: soonest([backoffMs, isSuspended ? undefined : deadlineLeftMs(job, status, nowMs)]),
  };
}

type Outcome = NonNullable<ReturnType<typeof decideOutcome>>;

function finish(
  status: JobStatus,
  { outcome, events, nowMs }: { outcome: Outcome; events: EventDetails[]; nowMs: number },
): void {
  const { reason, message } = outcome;
  const isSuccess = outcome.target === 'SuccessCriteriaMet';
  const type = isSuccess ? 'Complete' : 'Failed';
  status.conditions = withJobCondition(status.conditions, { type, status: 'True', reason, message }, nowMs);
  if (isSuccess) {
    status.completionTime = formatTime(nowMs);
    events.push({ type: 'Normal', reason: 'Completed', message: 'Job completed' });
  } else {
    events.push({ type: 'Warning', reason, message });
  }
}

/** Nothing is left to decide: pods that are still tracked are let go. */
function planFinished({ job, pods }: JobInput): JobPlan {
  const isFinished = isJobFinished(job);
  const active = isFinished ? pods.filter((pod) => isPodActive(pod)) : [];
  return {
    status: job.status ?? {},
    create: [],
    deleteUncounted: [],
    delete: active,
    release: pods.filter((pod) => isTracked(pod)),
    events: [],
    recheckInMs: undefined,
  };
}

function suspend(status: JobStatus, events: EventDetails[], nowMs: number): void {
  delete status.startTime;
  if (isJobConditionTrue(status, 'Suspended')) return;
  const condition = { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' };
  status.conditions = withJobCondition(status.conditions, condition, nowMs);
  events.push({ type: 'Normal', reason: 'Suspended', message: 'Job suspended' });
}

function resume(status: JobStatus, events: EventDetails[], nowMs: number): void {
  if (!isJobConditionTrue(status, 'Suspended')) return;
  const condition = { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' };
  status.conditions = withJobCondition(status.conditions, condition, nowMs);
  status.startTime = formatTime(nowMs);
  events.push({ type: 'Normal', reason: 'Resumed', message: 'Job resumed' });
}

function writeCounts(
  status: JobStatus,
  counts: { counted: Tally; active: number; ready: readonly Pod[]; terminating: readonly Pod[] },
): void {
  const { counted } = counts;
  const set = (field: 'active' | 'succeeded' | 'failed', value: number) => {
    if (value === 0) delete status[field];
    else status[field] = value;
  };
  set('active', counts.active);
  set('succeeded', counted.succeeded);
  set('failed', counted.failed);
  status.ready = counts.ready.filter((pod) => isPodReady(pod)).length;
  status.terminating = counts.terminating.length;
  const { succeeded, failed } = counted.uncounted;
  status.uncountedTerminatedPods = {
    ...(succeeded.length === 0 ? {} : { succeeded }),
    ...(failed.length === 0 ? {} : { failed }),
  };
  if (counted.completedIndexes !== undefined) {
    const completed = formatIndexes(counted.completedIndexes);
    if (completed === '') delete status.completedIndexes;
    else status.completedIndexes = completed;
  }
  if (counted.failedIndexes !== undefined) status.failedIndexes = formatIndexes(counted.failedIndexes);
}

function deadlineLeftMs(job: Job, status: JobStatus, nowMs: number): number | undefined {
  const { activeDeadlineSeconds } = job.spec;
  const startMs = parseTime(status.startTime ?? '');
  if (activeDeadlineSeconds === undefined || startMs === undefined) return undefined;
  const leftMs = startMs + activeDeadlineSeconds * 1000 - nowMs;
  return leftMs > 0 ? leftMs : undefined;
}
