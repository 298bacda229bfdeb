import { isPodActive, isPodAvailable, isPodReady, isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import type { Pod, ReplicaSetCondition, ReplicaSetStatus } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { availableInMs } from '../shared/pods.ts';
import { rankForDeletion } from './rank.ts';
import type { ReplicaWorkload } from './workload.ts';

/** Most pods that one pass creates or deletes; a larger difference takes several passes. */
const BURST_REPLICAS = 500;

/** What was observed. */
export interface ReplicaInput {
  readonly workload: ReplicaWorkload;
  /** Pods it controls, own writes included, terminating and ended ones too. */
  readonly pods: readonly Pod[];
  /** Pods of its siblings (sets with the same controller) and its own: a node with many of them gives one first. */
  readonly relatedPods: () => readonly Pod[];
  readonly nowMs: number;
}

/** How many pods to create, or which to delete. */
export interface ReplicaPlan {
  readonly create: number;
  readonly delete: readonly Pod[];
}

/** Brings the number of active pods to the wanted one. */
export function planReplicas(input: ReplicaInput): ReplicaPlan {
  const { workload, pods, nowMs } = input;
  if (workload.object.metadata.deletionTimestamp !== undefined) return { create: 0, delete: [] };
  const active = pods.filter((pod) => isPodActive(pod));
  const missing = workload.replicas - active.length;
  if (missing >= 0) return { create: Math.min(missing, BURST_REPLICAS), delete: [] };
  const surplus = Math.min(-missing, BURST_REPLICAS);
  if (surplus >= active.length) return { create: 0, delete: active };
  const ranked = rankForDeletion(
    active,
    input.relatedPods().filter((pod) => isPodActive(pod)),
    nowMs,
  );
  return { create: 0, delete: ranked.slice(0, surplus) };
}

/** What went wrong while a plan was carried out. */
export interface ReplicaFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly message: string;
}

/** The status after a pass, from what the cache shows. */
export function replicaStatus(
  input: Omit<ReplicaInput, 'relatedPods'>,
  failure: ReplicaFailure | undefined,
  options: { countsTerminating: boolean },
): ReplicaSetStatus {
  const { workload, pods, nowMs } = input;
  const templateLabels = Object.entries(workload.template.metadata?.labels ?? {});
  const counts = { replicas: 0, fullyLabeledReplicas: 0, readyReplicas: 0, availableReplicas: 0 };
  let terminating = 0;
  for (const pod of pods) {
    if (!isPodActive(pod)) {
      if (pod.metadata.deletionTimestamp !== undefined && !isPodTerminal(pod)) terminating++;
      continue;
    }
    counts.replicas++;
    const labels = pod.metadata.labels ?? {};
    if (templateLabels.every(([key, value]) => labels[key] === value)) counts.fullyLabeledReplicas++;
    if (isPodReady(pod)) counts.readyReplicas++;
    if (isPodAvailable(pod, { minReadySeconds: workload.minReadySeconds, nowMs })) counts.availableReplicas++;
  }
  const conditions = failureConditions(workload.status.conditions ?? [], failure, nowMs);
  return {
    replicas: counts.replicas,
    ...(counts.fullyLabeledReplicas === 0 ? {} : { fullyLabeledReplicas: counts.fullyLabeledReplicas }),
    ...(counts.readyReplicas === 0 ? {} : { readyReplicas: counts.readyReplicas }),
    ...(counts.availableReplicas === 0 ? {} : { availableReplicas: counts.availableReplicas }),
    ...(options.countsTerminating ? { terminatingReplicas: terminating } : {}),
    observedGeneration: workload.object.metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

function failureConditions(
  before: readonly ReplicaSetCondition[],
  failure: ReplicaFailure | undefined,
  nowMs: number,
): ReplicaSetCondition[] {
  const current = before.find((condition) => condition.type === 'ReplicaFailure');
  if (failure === undefined) return before.filter((condition) => condition !== current);
  if (current !== undefined) return [...before];
  const condition = { type: 'ReplicaFailure', status: 'True', lastTransitionTime: formatTime(nowMs) };
  return [...before, { ...condition, reason: failure.reason, message: failure.message }];
}

/** When the next ready pod becomes available by `minReadySeconds`; undefined where none is waiting. */
export function nextAvailableInMs(input: Omit<ReplicaInput, 'relatedPods'>): number | undefined {
  const { workload, pods, nowMs } = input;
  if (workload.minReadySeconds === 0) return undefined;
  let next: number | undefined;
  for (const pod of pods) {
    const waitMs = isPodActive(pod) ? availableInMs(pod, workload.minReadySeconds, nowMs) : undefined;
    if (waitMs !== undefined && waitMs > 0) next = Math.min(next ?? waitMs, waitMs);
  }
  return next;
}
