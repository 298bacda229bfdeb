import type { Deployment, DeploymentStatus } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { findCondition, withCondition, withoutCondition } from './conditions.ts';
import { desiredReplicas, type ReplicaSetDraft, sumAvailable, sumReplicas } from './draft.ts';
import { rollingBounds } from './rolling-bounds.ts';
import { allSets, type Generations } from './scaling.ts';

/** Upstream's way to say "no deadline" and "keep all revisions". */
export const INT32_MAX = 2_147_483_647;

export function hasProgressDeadline(deployment: Deployment): boolean {
  const seconds = deployment.spec.progressDeadlineSeconds;
  return seconds !== undefined && seconds !== INT32_MAX;
}

/** The counts and the Available condition; other conditions are carried over. */
export function countStatus(sets: Generations, nowMs: number): DeploymentStatus {
  const { deployment, newSet } = sets;
  const all = allSets(sets);
  const available = sumAvailable(all);
  const collisionCount = deployment.status?.collisionCount;
  const isAvailable = available >= desiredReplicas(deployment) - rollingBounds(deployment).maxUnavailable;
  const condition = isAvailable
    ? {
        status: 'True' as const,
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        status: 'False' as const,
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...countFields({
      replicas: sumStatus(all, 'replicas'),
      updatedReplicas: newSet === undefined ? 0 : sumStatus([newSet], 'replicas'),
      readyReplicas: sumStatus(all, 'readyReplicas'),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, sumReplicas(all) - available),
    }),
    terminatingReplicas: sumStatus(all, 'terminatingReplicas'),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(deployment.status?.conditions ?? [], { type: 'Available', ...condition }, nowMs),
  };
}

/** The wire leaves zeros out of these counts. */
function countFields<T extends Record<string, number>>(counts: T): Partial<T> {
  const entries = Object.entries(counts).filter(([, count]) => count !== 0);
  // Safe: a subset of the entries of T.
  return Object.fromEntries(entries) as Partial<T>;
}

function sumStatus(
  drafts: readonly ReplicaSetDraft[],
  field: 'replicas' | 'readyReplicas' | 'terminatingReplicas',
): number {
  return drafts.reduce((sum, draft) => sum + (draft.stored.status?.[field] ?? 0), 0);
}

/** The status of a rollout: counts, Available, Progressing and ReplicaFailure. */
export function rolloutStatus(sets: Generations, nowMs: number): DeploymentStatus {
  const { deployment } = sets;
  const status = countStatus(sets, nowMs);
  const before = deployment.status ?? {};
  let conditions = status.conditions ?? [];
  const progressing = findCondition(before.conditions, 'Progressing');
  const wasComplete =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && progressing?.reason === 'NewReplicaSetAvailable';
  if (!hasProgressDeadline(deployment)) {
    conditions = withoutCondition(conditions, 'Progressing');
  } else if (!wasComplete) {
    const subject = subjectOf(sets);
    if (isComplete(deployment, status)) {
      conditions = withCondition(
        conditions,
        {
          type: 'Progressing',
          status: 'True',
          reason: 'NewReplicaSetAvailable',
          message: `${subject} has successfully progressed.`,
        },
        nowMs,
      );
    } else if (isProgressing(before, status)) {
      conditions = withCondition(
        conditions,
        { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` },
        nowMs,
        { refresh: true },
      );
    } else if (hasTimedOut(deployment, status, nowMs)) {
      conditions = withCondition(
        conditions,
        {
          type: 'Progressing',
          status: 'False',
          reason: 'ProgressDeadlineExceeded',
          message: `${subject} has timed out progressing.`,
        },
        nowMs,
      );
    }
  }
  return { ...status, conditions: withReplicaFailure(conditions, sets, nowMs) };
}

function subjectOf({ deployment, newSet }: Generations): string {
  return newSet === undefined
    ? `Deployment "${deployment.metadata.name}"`
    : `ReplicaSet "${newSet.stored.metadata.name}"`;
}

function withReplicaFailure(
  conditions: NonNullable<DeploymentStatus['conditions']>,
  sets: Generations,
  nowMs: number,
): NonNullable<DeploymentStatus['conditions']> {
  const ordered = sets.newSet === undefined ? sets.oldSets : [sets.newSet, ...sets.oldSets];
  for (const draft of ordered) {
    const failure = draft.stored.status?.conditions?.find((condition) => condition.type === 'ReplicaFailure');
    if (failure?.status !== 'True') continue;
    return withCondition(
      conditions,
      { type: 'ReplicaFailure', status: 'True', reason: failure.reason ?? '', message: failure.message ?? '' },
      nowMs,
    );
  }
  return withoutCondition(conditions, 'ReplicaFailure');
}

/** All replicas are of the current template and available, and none is left over. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = desiredReplicas(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing(before: DeploymentStatus, status: DeploymentStatus): boolean {
  const old = (of: DeploymentStatus) => (of.replicas ?? 0) - (of.updatedReplicas ?? 0);
  return (
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(status) < old(before) ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function hasTimedOut(deployment: Deployment, status: DeploymentStatus, nowMs: number): boolean {
  const condition = findCondition(status.conditions, 'Progressing');
  if (condition === undefined || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  const sinceMs = parseTime(condition.lastUpdateTime ?? '') ?? nowMs;
  return sinceMs + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 < nowMs;
}

/** When to look again whether the progress deadline has passed; undefined where there is nothing to wait for. */
export function progressCheckInMs(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const condition = findCondition(deployment.status?.conditions, 'Progressing');
  if (!hasProgressDeadline(deployment) || condition === undefined) return undefined;
  if (isComplete(deployment, status) || condition.reason === 'ProgressDeadlineExceeded') return undefined;
  const sinceMs = parseTime(condition.lastUpdateTime ?? '') ?? nowMs;
  const leftMs = sinceMs + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 - nowMs;
  return Math.max(0, leftMs) + 1000;
}
