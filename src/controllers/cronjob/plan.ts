import { isJobConditionTrue } from '#api/batch/v1/job-status.ts';
import type { CronJob, CronJobStatus, Job, ObjectReference } from '#api/generated/types.ts';
import type { EventDetails } from '#client/events/event-recorder.ts';
import { formatTime, parseTime } from '#machinery/clock/clock.ts';
import { controllerReference } from '../shared/ownership.ts';
import { missedTimes, scheduleOf, type ScheduleError } from './schedule.ts';

export interface CronInput {
  readonly cronJob: CronJob;
  /** Jobs it controls. */
  readonly jobs: readonly Job[];
  readonly nowMs: number;
}

/** What to do, in this order: forget and delete old jobs, delete the one to be replaced, create, write the status. */
export interface CronPlan {
  readonly deleteOld: readonly Job[];
  readonly replace: readonly ObjectReference[];
  readonly create: { readonly job: Job; readonly scheduledMs: number } | undefined;
  readonly status: CronJobStatus;
  readonly events: readonly EventDetails[];
  readonly recheckInMs: number | undefined;
}

/** A moment late, so that the next look never comes before its time. */
const LATE_MS = 100;

type Finish = 'Complete' | 'Failed' | undefined;

function finishOf({ status }: Job): Finish {
  if (isJobConditionTrue(status, 'Complete')) return 'Complete';
  return isJobConditionTrue(status, 'Failed') ? 'Failed' : undefined;
}

export function planCronJob(input: CronInput): CronPlan {
  const { cronJob, nowMs } = input;
  const events: EventDetails[] = [];
  const deleteOld = planHistory(input);
  const status = observedStatus(input, events);
  const base = { deleteOld, replace: [], create: undefined, status, events };
  const idle = { ...base, recheckInMs: undefined };
  if (cronJob.metadata.deletionTimestamp !== undefined) return idle;
  const found = scheduleOf(cronJob);
  if ('reason' in found) {
    events.push(unusable(cronJob, found));
    return idle;
  }
  if (cronJob.spec.suspend === true) return idle;
  const { missed, nextMs } = missedTimes(cronJob, found, nowMs);
  const recheckInMs = nextMs === undefined ? undefined : nextMs - nowMs + LATE_MS;
  if (missed.isTooMany) {
    events.push({
      type: 'Warning',
      reason: 'TooManyMissedTimes',
      message: 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
    });
  }
  const { lastMs } = missed;
  if (lastMs === undefined) return { ...base, recheckInMs };
  const deadlineMs = (cronJob.spec.startingDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  if (lastMs + deadlineMs < nowMs) {
    const message = `Missed scheduled time to start a job: ${formatRfc1123z(lastMs)}`;
    events.push({ type: 'Warning', reason: 'MissSchedule', message });
    return { ...base, recheckInMs };
  }
  const name = jobName(cronJob, lastMs);
  const isRunning = input.jobs.some((job) => job.metadata.name === name);
  if (isRunning || parseTime(status.lastScheduleTime ?? '') === lastMs) return { ...base, recheckInMs };
  const active = status.active ?? [];
  if (cronJob.spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    events.push({ type: 'Normal', reason: 'JobAlreadyActive', message });
    return { ...base, recheckInMs };
  }
  const replace = cronJob.spec.concurrencyPolicy === 'Replace' ? active : [];
  const job = jobFor(cronJob, { name, scheduledMs: lastMs });
  return { ...base, replace, create: { job, scheduledMs: lastMs }, recheckInMs };
}

function unusable({ spec }: CronJob, { reason, error }: ScheduleError): EventDetails {
  const message =
    reason === 'UnknownTimeZone'
      ? `invalid timeZone: "${spec.timeZone ?? ''}": ${error}`
      : `unparseable schedule: "${spec.schedule}" : ${error}`;
  return { type: 'Warning', reason, message };
}

/** Which jobs are under way, and when the last one succeeded. */
function observedStatus({ cronJob, jobs }: CronInput, events: EventDetails[]): CronJobStatus {
  const before = cronJob.status ?? {};
  const byUid = new Map(jobs.map((job) => [job.metadata.uid ?? '', job]));
  let lastSuccessful = parseTime(before.lastSuccessfulTime ?? '');
  const active: ObjectReference[] = [];
  for (const reference of before.active ?? []) {
    const job = byUid.get(reference.uid ?? '');
    if (job === undefined) {
      const message = `Active job went missing: ${reference.name ?? ''}`;
      events.push({ type: 'Normal', reason: 'MissingJob', message });
      continue;
    }
    const finish = finishOf(job);
    if (finish === undefined) {
      active.push(reference);
      continue;
    }
    const message = `Saw completed job: ${job.metadata.name}, condition: ${finish}`;
    events.push({ type: 'Normal', reason: 'SawCompletedJob', message });
  }
  const known = new Set(active.map(({ uid }) => uid));
  for (const job of jobs) {
    const finish = finishOf(job);
    if (finish === undefined && !known.has(job.metadata.uid ?? '')) active.push(referenceTo(job));
    const completed = parseTime(job.status?.completionTime ?? '');
    if (finish === 'Complete' && completed !== undefined && completed > (lastSuccessful ?? 0))
      lastSuccessful = completed;
  }
  const { active: _, ...rest } = before;
  return {
    ...rest,
    ...(active.length === 0 ? {} : { active }),
    ...(lastSuccessful === undefined ? {} : { lastSuccessfulTime: formatTime(lastSuccessful) }),
  };
}

export function referenceTo(job: Job): ObjectReference {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = job.metadata;
  return { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid, resourceVersion };
}

/** Finished jobs beyond the history limits, oldest first. */
function planHistory({ cronJob, jobs }: CronInput): Job[] {
  const { successfulJobsHistoryLimit: successes, failedJobsHistoryLimit: failures } = cronJob.spec;
  const beyond = (finish: Finish, limit: number | undefined): Job[] => {
    if (limit === undefined) return [];
    const finished = jobs.filter((job) => finishOf(job) === finish && job.metadata.deletionTimestamp === undefined);
    if (finished.length <= limit) return [];
    return finished.toSorted(byStart).slice(0, finished.length - limit);
  };
  return [...beyond('Complete', successes), ...beyond('Failed', failures)];
}

function byStart(a: Job, b: Job): number {
  const start = (job: Job) => parseTime(job.status?.startTime ?? '') ?? Number.POSITIVE_INFINITY;
  const [left, right] = [start(a), start(b)];
  if (left !== right) return left < right ? -1 : 1;
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}

/** One name for one scheduled time, so that a time is never served twice. */
function jobName({ metadata }: CronJob, scheduledMs: number): string {
  return `${metadata.name}-${Math.floor(scheduledMs / 60_000)}`;
}

function jobFor(cronJob: CronJob, { name, scheduledMs }: { name: string; scheduledMs: number }): Job {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace: cronJob.metadata.namespace ?? '',
      ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: {
        ...metadata?.annotations,
        'batch.kubernetes.io/cronjob-scheduled-timestamp': zonedTime(scheduledMs, cronJob.spec.timeZone),
      },
      ownerReferences: [controllerReference(cronJob)],
    },
    spec: spec ?? { template: {} },
  };
}

/** RFC 3339 in the CronJob's zone: what its clocks showed. */
function zonedTime(timeMs: number, timeZone: string | undefined): string {
  if (timeZone === undefined || timeZone === 'UTC' || timeZone === 'Etc/UTC') return formatTime(timeMs);
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(timeMs).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const match = /^GMT([+-])(\d\d):(\d\d)$/.exec(name);
  if (match === null) return formatTime(timeMs);
  const [, sign = '+', hours = '00', minutes = '00'] = match;
  const offsetMs = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  return `${formatTime(timeMs + offsetMs).replace('Z', '')}${sign}${hours}:${minutes}`;
}

const DAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** `Thu, 01 Jan 2026 00:00:00 +0000`, as events write times. */
function formatRfc1123z(timeMs: number): string {
  const [date = '', time = ''] = formatTime(timeMs).replace('Z', '').split('T');
  const [year, month, day] = date.split('-');
  const weekday = DAYS[Math.floor(timeMs / 86_400_000) % 7];
  return `${weekday}, ${day} ${MONTHS[Number(month) - 1]} ${year} ${time} +0000`;
}
