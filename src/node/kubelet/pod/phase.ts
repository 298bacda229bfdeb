import type { ContainerStatus, Pod } from '#api/generated/types.ts';
import { isSidecar, type PodPhase } from './pod.ts';
import { restartsAfterExit } from './restart.ts';

export interface PhaseInput {
  readonly pod: Pod;
  /** Of regular and init containers. */
  readonly statuses: readonly ContainerStatus[];
  /** The kubelet has stopped the pod for good: what has ended does not run again. */
  readonly isTerminated: boolean;
  /** A regular container has run in the present sandbox. */
  readonly hasInitialized: boolean;
}

/** The one word that sums the pod up, by upstream's rules. */
export function podPhase({ pod, statuses, isTerminated, hasInitialized }: PhaseInput): PodPhase {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const init = countInit(pod, byName);
  const count = countRunnable(pod, byName);
  if (init.failed > 0) return 'Failed';
  if (init.pending > 0 || (count.pendingSidecars > 0 && !hasInitialized) || count.waiting > 0) return 'Pending';
  if (count.running > 0 && count.unknown === 0) return 'Running';
  if (count.running > 0 || count.stopped === 0 || count.unknown > 0) return 'Pending';
  if (!isTerminated && count.stopped !== count.stoppedForGood) return 'Running';
  return count.stopped === count.succeeded ? 'Succeeded' : 'Failed';
}

function countInit(pod: Pod, byName: Map<string, ContainerStatus>): { pending: number; failed: number } {
  let pending = 0;
  let failed = 0;
  for (const container of pod.spec.initContainers ?? []) {
    if (isSidecar(container)) continue;
    const status = byName.get(container.name);
    const ended =
      status?.state?.terminated ?? (status?.state?.waiting === undefined ? undefined : status.lastState?.terminated);
    if (ended === undefined) pending += 1;
    else if (ended.exitCode !== 0 && !restartsAfterExit(container, pod, ended.exitCode)) failed += 1;
  }
  return { pending, failed };
}

function countRunnable(pod: Pod, byName: Map<string, ContainerStatus>) {
  const count = { pendingSidecars: 0, unknown: 0, running: 0, waiting: 0, stopped: 0, stoppedForGood: 0, succeeded: 0 };
  for (const container of (pod.spec.initContainers ?? []).filter(isSidecar)) {
    const status = byName.get(container.name);
    if (status === undefined) {
      count.unknown += 1;
    } else if (status.state?.running !== undefined) {
      count.running += 1;
      if (status.started !== true) count.pendingSidecars += 1;
    } else if (status.state?.waiting !== undefined && status.lastState?.terminated === undefined) {
      count.pendingSidecars += 1;
      count.waiting += 1;
    }
  }
  for (const container of pod.spec.containers) {
    const status = byName.get(container.name);
    const ended = status?.state?.terminated;
    const endedBefore = status?.state?.waiting === undefined ? undefined : status.lastState?.terminated;
    if (status?.state?.running !== undefined) count.running += 1;
    else if (ended !== undefined || endedBefore !== undefined) {
      count.stopped += 1;
      const exitCode = (ended ?? endedBefore)?.exitCode ?? 0;
      if (!restartsAfterExit(container, pod, exitCode)) count.stoppedForGood += 1;
      if (ended?.exitCode === 0) count.succeeded += 1;
    } else if (status?.state?.waiting !== undefined) count.waiting += 1;
    else count.unknown += 1;
  }
  return count;
}
