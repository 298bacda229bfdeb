import type { Job, Pod } from '#api/generated/types.ts';
import { judgeFailure } from './failure-policy.ts';
import { indexesOf } from './index-set.ts';
import { failureCountOf, indexOfPod, isFailedPod, isTracked } from './job-pods.ts';

/** How a job's pods ended, each counted once (KEP-2307). */
export interface Tally {
  /** What the status says, the pods that are counted with this write included. */
  readonly succeeded: number;
  readonly failed: number;
  /** Pods whose finalizer is still there: they move into the counts when it is gone. */
  readonly uncounted: { readonly succeeded: string[]; readonly failed: string[] };
  /** Pods that the status tells of once it is written. */
  readonly release: readonly Pod[];
  readonly completedIndexes: ReadonlySet<number> | undefined;
  readonly failedIndexes: ReadonlySet<number> | undefined;
  /** Why the whole job fails, where a pod's failure says so. */
  readonly failJob: string | undefined;
  /** Nothing waits to be counted. */
  readonly isSettled: boolean;
}

export function tally({ job, pods }: { job: Job; pods: readonly Pod[] }): Tally {
  const { spec, status = {} } = job;
  const completions = spec.completions ?? 0;
  const isIndexed = spec.completionMode === 'Indexed';
  const completed = isIndexed ? indexesOf(status.completedIndexes, completions) : undefined;
  const failedIndexes =
    spec.backoffLimitPerIndex === undefined ? undefined : indexesOf(status.failedIndexes, completions);
  const tracked = new Set(pods.filter((pod) => isTracked(pod)).map((pod) => pod.metadata.uid ?? ''));
  const before = status.uncountedTerminatedPods ?? {};
  const uncounted = { succeeded: [] as string[], failed: [] as string[] };
  let succeeded = isIndexed ? 0 : (status.succeeded ?? 0);
  let failed = status.failed ?? 0;
  for (const uid of before.succeeded ?? []) {
    if (tracked.has(uid)) uncounted.succeeded.push(uid);
    else if (!isIndexed) succeeded++;
  }
  for (const uid of before.failed ?? []) {
    if (tracked.has(uid)) uncounted.failed.push(uid);
    else failed++;
  }
  const known = new Set([...uncounted.succeeded, ...uncounted.failed]);
  const release: Pod[] = [];
  let failJob: string | undefined;
  for (const pod of pods) {
    if (!isTracked(pod)) continue;
    const uid = pod.metadata.uid ?? '';
    if (pod.status?.phase === 'Succeeded') {
      release.push(pod);
      const index = indexOfPod(pod);
      if (completed === undefined) {
        if (!known.has(uid)) uncounted.succeeded.push(uid);
      } else if (index !== undefined && index < completions && failedIndexes?.has(index) !== true) {
        completed.add(index);
      }
    } else if (isFailedPod(job, pod)) {
      release.push(pod);
      if (known.has(uid)) continue;
      const verdict = pod.status?.phase === 'Failed' ? judgeFailure(job, pod) : ({ action: 'Count' } as const);
      if (verdict.action === 'FailJob') failJob ??= verdict.message;
      if (verdict.action !== 'Ignore') uncounted.failed.push(uid);
      const index = indexOfPod(pod);
      if (failedIndexes === undefined || index === undefined || completed?.has(index) === true) continue;
      const isExhausted = failureCountOf(pod) >= (spec.backoffLimitPerIndex ?? 0) && verdict.action !== 'Ignore';
      if (verdict.action === 'FailIndex' || isExhausted) failedIndexes.add(index);
    }
  }
  return {
    succeeded: completed?.size ?? succeeded,
    failed,
    uncounted,
    release,
    completedIndexes: completed,
    failedIndexes,
    failJob,
    isSettled: tracked.size === 0,
  };
}

/** Successes, counted or about to be. */
export function allSucceeded(counted: Tally): number {
  return counted.succeeded + counted.uncounted.succeeded.length;
}

export function allFailed(counted: Tally): number {
  return counted.failed + counted.uncounted.failed.length;
}
