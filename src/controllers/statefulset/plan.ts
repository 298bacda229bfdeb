import { isPodAvailable, isPodReady } from '#api/core/v1/pod/conditions.ts';
import type { Pod, StatefulSet, StatefulSetStatus } from '#api/generated/types.ts';
import { resolveIntOrPercent } from '../shared/int-or-percent.ts';
import { availableInMs } from '../shared/pods.ts';
import { firstOrdinal, ordinalOf, revisionOf } from './identity.ts';

export interface StatefulInput {
  readonly set: StatefulSet;
  /** Pods it controls, own writes included. */
  readonly pods: readonly Pod[];
  /** Names of the revisions: of the pods before the update under way, and of the template. */
  readonly currentRevision: string;
  readonly updateRevision: string;
  readonly nowMs: number;
}

type DeletionCause = 'failed' | 'succeeded' | 'condemned' | 'update';

export type StatefulAction =
  | { readonly type: 'create'; readonly ordinal: number; readonly revision: string }
  | { readonly type: 'delete'; readonly pod: Pod; readonly cause: DeletionCause };

/** What may be done now; in order, one pod at a time, unless pods are managed in parallel. */
export function planStatefulSet(input: StatefulInput): StatefulAction[] {
  const { set, pods } = input;
  if (set.metadata.deletionTimestamp !== undefined) return [];
  const first = firstOrdinal(set);
  const replicas = set.spec.replicas ?? 1;
  const isOrdered = set.spec.podManagementPolicy !== 'Parallel';
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod) ?? -1, pod]));
  const actions: StatefulAction[] = [];
  for (let ordinal = first; ordinal < first + replicas; ordinal++) {
    const step = planOrdinal(input, { ordinal, pod: byOrdinal.get(ordinal) });
    if (step.action !== undefined) actions.push(step.action);
    if (isOrdered && !step.isSettled) return actions;
  }
  const condemned = pods
    .filter((pod) => isCondemned(set, pod))
    .toSorted((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
  for (const pod of condemned) {
    if (pod.metadata.deletionTimestamp === undefined) actions.push({ type: 'delete', pod, cause: 'condemned' });
    if (isOrdered) return actions;
  }
  if (actions.length > 0 || set.spec.updateStrategy?.type === 'OnDelete') return actions;
  return planUpdate(input, byOrdinal);
}

export function isCondemned(set: StatefulSet, pod: Pod): boolean {
  const ordinal = ordinalOf(set, pod);
  const first = firstOrdinal(set);
  return ordinal !== undefined && (ordinal < first || ordinal >= first + (set.spec.replicas ?? 1));
}

function planOrdinal(
  input: StatefulInput,
  { ordinal, pod }: { ordinal: number; pod: Pod | undefined },
): { action?: StatefulAction; isSettled: boolean } {
  const { set } = input;
  if (pod === undefined) {
    return { action: { type: 'create', ordinal, revision: revisionFor(input, ordinal) }, isSettled: false };
  }
  if (pod.metadata.deletionTimestamp !== undefined) return { isSettled: false };
  const phase = pod.status?.phase;
  if (phase === 'Failed') return { action: { type: 'delete', pod, cause: 'failed' }, isSettled: false };
  if (phase === 'Succeeded') return { action: { type: 'delete', pod, cause: 'succeeded' }, isSettled: false };
  return { isSettled: isHealthy(pod) && isAvailable(set, pod, input.nowMs) };
}

/** Ordinals below the partition keep the revision from before. */
function revisionFor({ set, currentRevision, updateRevision }: StatefulInput, ordinal: number): string {
  const strategy = set.spec.updateStrategy;
  if (strategy?.type === 'OnDelete') return updateRevision;
  const partition = strategy?.rollingUpdate?.partition ?? 0;
  return ordinal < firstOrdinal(set) + partition ? currentRevision : updateRevision;
}

function isHealthy(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isPodReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

function isAvailable({ spec }: StatefulSet, pod: Pod, nowMs: number): boolean {
  return isPodAvailable(pod, { minReadySeconds: spec.minReadySeconds ?? 0, nowMs });
}

/** Replaces pods of older revisions from the highest ordinal down, as long as few enough are unavailable. */
function planUpdate(input: StatefulInput, byOrdinal: ReadonlyMap<number, Pod>): StatefulAction[] {
  const { set, updateRevision, nowMs } = input;
  const first = firstOrdinal(set);
  const replicas = set.spec.replicas ?? 1;
  const { partition = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const limit = Math.max(1, resolveIntOrPercent(maxUnavailable, replicas, 'up'));
  let unavailable = 0;
  for (let ordinal = first; ordinal < first + replicas; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || !isHealthy(pod) || !isAvailable(set, pod, nowMs)) unavailable++;
  }
  const actions: StatefulAction[] = [];
  for (let ordinal = first + replicas - 1; ordinal >= first + partition; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) continue;
    const isOld = revisionOf(pod) !== updateRevision;
    const isUp = isHealthy(pod) && isAvailable(set, pod, nowMs);
    if (isOld && pod.metadata.deletionTimestamp === undefined) {
      if (isUp && unavailable >= limit) return actions;
      if (isUp) unavailable++;
      actions.push({ type: 'delete', pod, cause: 'update' });
      if (unavailable >= limit) return actions;
    } else if (!isUp && unavailable >= limit) {
      return actions;
    }
  }
  return actions;
}

/** The status, from what is there now. */
export function statefulStatus(input: StatefulInput & { readonly collisionCount: number }): StatefulSetStatus {
  const { set, pods, currentRevision, updateRevision, nowMs } = input;
  const counts = { replicas: 0, ready: 0, available: 0, current: 0, updated: 0 };
  for (const pod of pods) {
    if ((pod.status?.phase ?? '') === '') continue;
    counts.replicas++;
    if (pod.status?.phase === 'Running' && isPodReady(pod)) {
      counts.ready++;
      if (isAvailable(set, pod, nowMs)) counts.available++;
    }
    if (pod.metadata.deletionTimestamp !== undefined) continue;
    if (revisionOf(pod) === currentRevision) counts.current++;
    if (revisionOf(pod) === updateRevision) counts.updated++;
  }
  const wanted = set.spec.replicas ?? 1;
  const isRolling = set.spec.updateStrategy?.type !== 'OnDelete';
  const isDone = isRolling && counts.updated === wanted && counts.replicas === wanted && counts.ready === wanted;
  const optional = (field: string, value: number) => (value === 0 ? {} : { [field]: value });
  const { conditions } = set.status ?? {};
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: counts.replicas,
    ...optional('readyReplicas', counts.ready),
    availableReplicas: counts.available,
    ...optional('currentReplicas', isDone ? counts.updated : counts.current),
    ...optional('updatedReplicas', counts.updated),
    currentRevision: isDone ? updateRevision : currentRevision,
    updateRevision,
    collisionCount: input.collisionCount,
    ...(conditions === undefined ? {} : { conditions }),
  };
}

/** When the next ready pod becomes available. */
export function nextAvailableMs({ set, pods, nowMs }: StatefulInput): number | undefined {
  const seconds = set.spec.minReadySeconds ?? 0;
  const waits = pods.map((pod) => availableInMs(pod, seconds, nowMs)).filter((ms) => ms !== undefined && ms > 0);
  return waits.length === 0 ? undefined : Math.min(...waits.map((ms) => ms ?? 0));
}
