import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import type { Job, Pod } from '#api/generated/types.ts';
import { backoffLeftMs, soonest } from './backoff.ts';
import { judgeFailure } from './failure-policy.ts';
import { failureCountOf, IGNORED_COUNT, indexOfPod, isFailedPod } from './job-pods.ts';
import { allSucceeded, type Tally } from './tally.ts';

/** Most pods that one pass creates. */
const CREATE_MAX = 500;

/** A pod to make: of an indexed job with its index and how often that failed. */
export interface PodCreation {
  readonly index?: number;
  readonly failures?: number;
  readonly ignored?: number;
}

interface PodsInput {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly counted: Tally;
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
  readonly nowMs: number;
}

interface PodsPlan {
  readonly create: readonly PodCreation[];
  readonly deleteUncounted: readonly Pod[];
  /** Until a failed pod may be replaced. */
  readonly backoffMs: number | undefined;
}

/** Brings the number of active pods to the wanted one. */
export function planPods(input: PodsInput): PodsPlan {
  const { job, active, terminating } = input;
  if (job.spec.suspend === true) return { create: [], deleteUncounted: active, backoffMs: undefined };
  const surplus = surplusPods(input);
  if (surplus.length > 0) return { create: [], deleteUncounted: surplus, backoffMs: undefined };
  const replacesOnlyFailed = job.spec.podReplacementPolicy === 'Failed';
  const missing = wantedActive(input) - active.length - (replacesOnlyFailed ? terminating.length : 0);
  if (missing <= 0) return { create: [], deleteUncounted: [], backoffMs: undefined };
  if (job.spec.completionMode === 'Indexed') return planIndexed(input, missing);
  const waitMs = backoffLeftMs(job, input.pods, input.nowMs);
  if (waitMs > 0) return { create: [], deleteUncounted: [], backoffMs: waitMs };
  return {
    create: Array.from({ length: Math.min(missing, CREATE_MAX) }, () => ({})),
    deleteUncounted: [],
    backoffMs: undefined,
  };
}

function wantedActive({ job, counted, active }: PodsInput): number {
  const { parallelism = 1, completions } = job.spec;
  const succeeded = allSucceeded(counted);
  // One success ends a job without completions: its other pods may go on, none is added.
  if (completions === undefined) return succeeded > 0 ? Math.min(active.length, parallelism) : parallelism;
  const failedIndexes = counted.failedIndexes?.size ?? 0;
  return Math.max(0, Math.min(completions - succeeded - failedIndexes, parallelism));
}

/** Active pods to delete without counting: beyond the parallelism, or with an index that is done, twice or wrong. */
function surplusPods(input: PodsInput): Pod[] {
  const { job, counted, active } = input;
  const surplus: Pod[] = [];
  const kept: Pod[] = [];
  const seen = new Set<number>();
  for (const pod of active) {
    const index = indexOfPod(pod);
    const isIndexed = job.spec.completionMode === 'Indexed';
    const isWrong =
      isIndexed &&
      (index === undefined ||
        index >= (job.spec.completions ?? 0) ||
        seen.has(index) ||
        counted.completedIndexes?.has(index) === true ||
        counted.failedIndexes?.has(index) === true);
    if (isWrong) surplus.push(pod);
    else kept.push(pod);
    if (index !== undefined) seen.add(index);
  }
  const excess = kept.length - wantedActive(input);
  if (excess <= 0) return surplus;
  const rank = (pod: Pod) => (isPodReady(pod) ? 2 : (pod.spec.nodeName ?? '') === '' ? 0 : 1);
  const order = (pod: Pod) => -(indexOfPod(pod) ?? 0);
  return [...surplus, ...kept.toSorted((a, b) => rank(a) - rank(b) || order(a) - order(b)).slice(0, excess)];
}

function planIndexed(input: PodsInput, missing: number): PodsPlan {
  const { job, pods, counted, active, terminating, nowMs } = input;
  const { completions = 0, backoffLimitPerIndex } = job.spec;
  const byIndex = Map.groupBy(pods, (pod) => indexOfPod(pod) ?? -1);
  const taken = new Set(active.map((pod) => indexOfPod(pod)));
  if (job.spec.podReplacementPolicy === 'Failed') for (const pod of terminating) taken.add(indexOfPod(pod));
  const sharedWaitMs = backoffLimitPerIndex === undefined ? backoffLeftMs(job, pods, nowMs) : 0;
  if (sharedWaitMs > 0) return { create: [], deleteUncounted: [], backoffMs: sharedWaitMs };
  const create: PodCreation[] = [];
  const waits: number[] = [];
  for (let index = 0; index < completions && create.length + waits.length < Math.min(missing, CREATE_MAX); index++) {
    if (taken.has(index) || counted.completedIndexes?.has(index) === true) continue;
    if (counted.failedIndexes?.has(index) === true) continue;
    if (backoffLimitPerIndex === undefined) {
      create.push({ index });
      continue;
    }
    const earlier = byIndex.get(index) ?? [];
    const waitMs = backoffLeftMs(job, earlier, nowMs);
    if (waitMs > 0) waits.push(waitMs);
    else create.push({ index, ...failuresOfIndex(job, earlier) });
  }
  return { create, deleteUncounted: [], backoffMs: soonest(waits) };
}

/** The counts that the next pod of an index carries. */
function failuresOfIndex(job: Job, earlier: readonly Pod[]): { failures: number; ignored: number } {
  let failures = 0;
  let ignored = 0;
  for (const pod of earlier.filter((one) => isFailedPod(job, one))) {
    const isIgnored = pod.status?.phase === 'Failed' && judgeFailure(job, pod).action === 'Ignore';
    const ignoredBefore = Number(pod.metadata.annotations?.[IGNORED_COUNT] ?? '0') || 0;
    failures = Math.max(failures, failureCountOf(pod) + (isIgnored ? 0 : 1));
    ignored = Math.max(ignored, ignoredBefore + (isIgnored ? 1 : 0));
  }
  return { failures, ignored };
}
