import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import type { Pod } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { readySince } from '../shared/pods.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** All that decides, computed once a pod. Lower tuples go first, compared from left to right. */
interface Candidate {
  readonly pod: Pod;
  readonly order: readonly number[];
  readonly readyAgeRank: number | undefined;
  readonly restarts: readonly [regular: number, sidecar: number];
  readonly createdAgeRank: number | undefined;
}

/**
 * The pods in the order in which a shrinking set gives them up: unassigned, pending, not ready, cheap to delete,
 * doubled up on a node, ready for a shorter time, restarted more often, younger. Ages count by powers of two, so that
 * chance decides between pods of about one age.
 */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[], nowMs: number): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName ?? '';
    if (node !== '') perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  return pods
    .map((pod) => candidateOf(pod, perNode, nowMs))
    .toSorted(compare)
    .map((candidate) => candidate.pod);
}

function candidateOf(pod: Pod, perNode: ReadonlyMap<string, number>, nowMs: number): Candidate {
  const node = pod.spec.nodeName ?? '';
  const isReady = isPodReady(pod);
  return {
    pod,
    order: [
      node === '' ? 0 : 1,
      phaseOrder(pod.status?.phase),
      isReady ? 1 : 0,
      deletionCost(pod),
      -(perNode.get(node) ?? 0),
    ],
    readyAgeRank: isReady ? ageRank(readySince(pod), nowMs) : undefined,
    restarts: [maxRestarts(pod.status?.containerStatuses), maxRestarts(pod.status?.initContainerStatuses)],
    createdAgeRank: ageRank(parseTime(pod.metadata.creationTimestamp ?? ''), nowMs),
  };
}

function compare(a: Candidate, b: Candidate): number {
  for (let index = 0; index < a.order.length; index++) {
    const difference = (a.order[index] ?? 0) - (b.order[index] ?? 0);
    if (difference !== 0) return difference;
  }
  const byReadyAge = compareRanks(a.readyAgeRank, b.readyAgeRank);
  if (byReadyAge !== 0) return byReadyAge;
  const byRestarts = b.restarts[0] - a.restarts[0] || b.restarts[1] - a.restarts[1];
  if (byRestarts !== 0) return byRestarts;
  return compareRanks(a.createdAgeRank, b.createdAgeRank) || compareUids(a.pod, b.pod);
}

// An unknown age counts as the youngest.
function compareRanks(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  return b === undefined ? 1 : a - b;
}

// Uids are random: they decide by chance, and the same way each time.
function compareUids(a: Pod, b: Pod): number {
  const left = a.metadata.uid ?? '';
  const right = b.metadata.uid ?? '';
  return left < right ? -1 : Number(left > right);
}

function ageRank(sinceMs: number | undefined, nowMs: number): number | undefined {
  if (sinceMs === undefined) return undefined;
  const ageMs = nowMs - sinceMs;
  return ageMs > 0 ? Math.floor(Math.log2(ageMs * 1e6)) : -1;
}

function phaseOrder(phase: string | undefined): number {
  if (phase === 'Running') return 2;
  return phase === 'Unknown' ? 1 : 0;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[DELETION_COST] ?? '';
  if (!/^(0|-?[1-9]\d*)$/.test(text)) return 0;
  const cost = Number(text);
  return Math.abs(cost) <= 2_147_483_647 ? cost : 0;
}

function maxRestarts(statuses: readonly { restartCount: number }[] | undefined): number {
  return (statuses ?? []).reduce((highest, status) => Math.max(highest, status.restartCount), 0);
}
