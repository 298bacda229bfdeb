import { countIndexes, parseIndexes } from '#api/batch/v1/indexes.ts';
import type { Job, JobStatus, Pod, SuccessPolicyRule } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { allFailed, allSucceeded, type Tally } from './tally.ts';

/** How a job will end, as soon as that is known. */
interface Outcome {
  readonly target: 'SuccessCriteriaMet' | 'FailureTarget';
  readonly reason: string;
  readonly message: string;
}

interface OutcomeInput {
  readonly job: Job;
  readonly status: JobStatus;
  readonly counted: Tally;
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  readonly nowMs: number;
}

const failure = (reason: string, message: string): Outcome => ({ target: 'FailureTarget', reason, message });

/** The verdict over a job; undefined while it goes on. One that was given stands. */
export function decideOutcome(input: OutcomeInput): Outcome | undefined {
  return givenOutcome(input.status) ?? failureOf(input) ?? successOf(input);
}

function givenOutcome(status: JobStatus): Outcome | undefined {
  for (const target of ['SuccessCriteriaMet', 'FailureTarget'] as const) {
    const given = status.conditions?.find(({ type, status: value }) => type === target && value === 'True');
    if (given !== undefined) return { target, reason: given.reason ?? '', message: given.message ?? '' };
  }
  return undefined;
}

function failureOf({ job, status, counted, active, nowMs }: OutcomeInput): Outcome | undefined {
  const { spec } = job;
  if (counted.failJob !== undefined) return failure('PodFailurePolicy', counted.failJob);
  const backoffLimit = spec.backoffLimit ?? 6;
  const isPastLimit = allFailed(counted) > backoffLimit || restartsTooOften(job, active);
  if (isPastLimit) return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  const startMs = parseTime(status.startTime ?? '');
  const { activeDeadlineSeconds } = spec;
  const isLate = activeDeadlineSeconds !== undefined && startMs !== undefined && spec.suspend !== true;
  if (isLate && nowMs - startMs >= activeDeadlineSeconds * 1000) {
    return failure('DeadlineExceeded', 'Job was active longer than specified deadline');
  }
  const failedIndexes = counted.failedIndexes?.size ?? 0;
  if (spec.maxFailedIndexes !== undefined && failedIndexes > spec.maxFailedIndexes) {
    return failure('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  }
  if (failedIndexes > 0 && failedIndexes + allSucceeded(counted) >= (spec.completions ?? 0)) {
    return failure('FailedIndexes', 'Job has failed indexes');
  }
  return undefined;
}

/** Containers that the kubelet restarts count as failures, too. */
function restartsTooOften({ spec }: Job, active: readonly Pod[]): boolean {
  if (spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of active) {
    if (status?.phase !== 'Running' && status?.phase !== 'Pending') continue;
    const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
    for (const { restartCount } of statuses) restarts += restartCount;
  }
  const limit = spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function successOf({ job, counted, active }: OutcomeInput): Outcome | undefined {
  const { spec } = job;
  for (const [index, rule] of (spec.successPolicy?.rules ?? []).entries()) {
    if (meets(rule, counted.completedIndexes ?? new Set(), spec.completions ?? 0)) {
      return { target: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message: `Matched rules at index ${index}` };
    }
  }
  const succeeded = allSucceeded(counted);
  const isComplete =
    spec.completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= spec.completions;
  if (!isComplete || (spec.suspend === true && spec.completions !== 0 && active.length > 0)) return undefined;
  const message = 'Reached expected number of succeeded pods';
  return { target: 'SuccessCriteriaMet', reason: 'CompletionsReached', message };
}

function meets(rule: SuccessPolicyRule, completed: ReadonlySet<number>, completions: number): boolean {
  const { succeededCount, succeededIndexes } = rule;
  if (succeededIndexes === undefined) return succeededCount !== undefined && completed.size >= succeededCount;
  const intervals = parseIndexes(succeededIndexes, completions);
  if (typeof intervals === 'string') return false;
  let met = 0;
  for (const [first, last] of intervals) for (let i = first; i <= last; i++) if (completed.has(i)) met++;
  return met >= (succeededCount ?? countIndexes(intervals));
}
