import type { Job, Pod } from '#api/generated/types.ts';
import { endedAtMs, isFailedPod } from './job-pods.ts';

/** Upstream's: a failed pod is replaced after 10 s, the next after 20 s, up to ten minutes. */
const FIRST_MS = 10_000;
const LONGEST_MS = 10 * 60_000;

/** Milliseconds until a pod may follow these ended ones: failures since the last success double the wait. */
export function backoffLeftMs(job: Job, pods: readonly Pod[], nowMs: number): number {
  const succeeded = pods.filter((pod) => pod.status?.phase === 'Succeeded').map((pod) => endedAtMs(pod, nowMs));
  const lastSuccessMs = Math.max(Number.NEGATIVE_INFINITY, ...succeeded);
  const failures = pods
    .filter((pod) => isFailedPod(job, pod))
    .map((pod) => endedAtMs(pod, nowMs))
    .filter((endMs) => endMs > lastSuccessMs);
  if (failures.length === 0) return 0;
  const waitMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures.length - 1));
  return Math.max(0, Math.max(...failures) + waitMs - nowMs);
}

export function soonest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time): time is number => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
