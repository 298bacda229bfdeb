import type { Deployment, DeploymentStatus, Pod, ReplicaSet } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { NewCondition } from './conditions.ts';
import { findCondition, withCondition } from './conditions.ts';
import { changedReplicaSet, draftOf, type ReplicaSetDraft } from './draft.ts';
import { newReplicaSet, sortGenerations } from './generations.ts';
import { annotateNewReplicaSet, highestRevision, REVISION, revisionOf } from './revision.ts';
import { isRecreate } from './rolling-bounds.ts';
import {
  allSets,
  emptyOldSets,
  type Generations,
  isScalingEvent,
  newSetSize,
  scaleNewSet,
  scaleOldSets,
  type Scaling,
  scaleToDesired,
} from './scaling.ts';
import { countStatus, hasProgressDeadline, INT32_MAX, isComplete, progressCheckInMs, rolloutStatus } from './status.ts';

/** What was observed. */
export interface DeploymentInput {
  readonly deployment: Deployment;
  /** The sets that the Deployment controls. */
  readonly replicaSets: readonly ReplicaSet[];
  /** Pods by the uid of their set; looked at only for Recreate. */
  readonly podsOf: (replicaSetUid: string) => readonly Pod[];
  readonly nowMs: number;
}

export interface ReplicaSetWrite {
  readonly type: 'create' | 'update';
  /** What is replaced; of a creation, the same as `next`. */
  readonly stored: ReplicaSet;
  readonly next: ReplicaSet;
  /** Recorded as a ScalingReplicaSet event after the write. */
  readonly event?: string;
}

/** What to do, in order: the writes, the deletions, then the Deployment's own status. */
export interface DeploymentPlan {
  readonly writes: readonly ReplicaSetWrite[];
  readonly deletions: readonly ReplicaSet[];
  /** Status and annotations to store through `/status`; absent where nothing changes. */
  readonly next?: Deployment;
  readonly requeueInMs?: number;
}

/** What one pass over the sets changed. */
interface Step {
  readonly sets: Generations;
  readonly scalings: readonly Scaling[];
  readonly deletions: readonly ReplicaSet[];
  readonly statusOf: (sets: Generations, nowMs: number) => DeploymentStatus;
}

/** Decides the next step of a Deployment. */
export function planDeployment(input: DeploymentInput): DeploymentPlan {
  const observed = withPauseCondition(input.deployment, input.nowMs);
  const sets = sortGenerations(
    observed,
    input.replicaSets.map((set) => draftOf(set)),
  );
  if (observed.metadata.deletionTimestamp !== undefined) {
    return finish(input, { sets, scalings: [], deletions: [], statusOf: countStatus });
  }
  const noted = noteRevision(sets, input.nowMs);
  if (observed.spec.paused === true || isScalingEvent(noted)) {
    const scalings = scaleToDesired(noted);
    const deletions = observed.spec.paused === true ? surplusSets(noted) : [];
    return finish(input, { sets: noted, scalings, deletions, statusOf: countStatus });
  }
  return finish(input, isRecreate(observed) ? recreateStep(noted, input) : rollingStep(noted, input));
}

function rollingStep(sets: Generations, input: DeploymentInput): Step {
  const { sets: current, newSet, scalings: created } = ensureNewSet(sets, input);
  if (created.length > 0) return step(current, created);
  const up = scaleNewSet(current, newSet);
  if (up.length > 0) return step(current, up);
  const down = scaleOldSets(current, newSet);
  if (down.length > 0) return step(current, down);
  return doneStep(current, input);
}

function recreateStep(sets: Generations, input: DeploymentInput): Step {
  const down = emptyOldSets(sets);
  if (down.length > 0) return step(sets, down);
  if (hasOldPods(sets, input)) return step(sets, []);
  const { sets: current, newSet, scalings: created } = ensureNewSet(sets, input);
  if (created.length > 0) return step(current, created);
  const up = scaleNewSet(current, newSet);
  return up.length > 0 ? step(current, up) : doneStep(current, input);
}

function step(sets: Generations, scalings: readonly Scaling[]): Step {
  return { sets, scalings, deletions: [], statusOf: rolloutStatus };
}

function doneStep(sets: Generations, input: DeploymentInput): Step {
  // Whether the rollout is complete is judged by the stored status, as the clean-up must not run ahead of it.
  const isDone = isComplete(sets.deployment, input.deployment.status ?? {});
  return { sets, scalings: [], deletions: isDone ? surplusSets(sets) : [], statusOf: rolloutStatus };
}

function hasOldPods(sets: Generations, input: DeploymentInput): boolean {
  return sets.oldSets.some((draft) =>
    input.podsOf(draft.stored.metadata.uid ?? '').some((pod) => {
      const phase = pod.status?.phase;
      return phase !== 'Failed' && phase !== 'Succeeded';
    }),
  );
}

/** Progressing becomes Unknown while the Deployment is paused, and again when it is resumed. */
function withPauseCondition(deployment: Deployment, nowMs: number): Deployment {
  const progressing = findCondition(deployment.status?.conditions, 'Progressing');
  if (!hasProgressDeadline(deployment) || progressing?.reason === 'ProgressDeadlineExceeded') return deployment;
  if (deployment.metadata.deletionTimestamp !== undefined) return deployment;
  const isPaused = deployment.spec.paused === true;
  const isNoted = progressing?.reason === 'DeploymentPaused';
  if (isPaused === isNoted) return deployment;
  return withDeploymentCondition(
    deployment,
    {
      type: 'Progressing',
      status: 'Unknown',
      reason: isPaused ? 'DeploymentPaused' : 'DeploymentResumed',
      message: isPaused ? 'Deployment is paused' : 'Deployment is resumed',
    },
    nowMs,
  );
}

/** Gives an existing current set its revision and annotations, and the Deployment the set's revision. */
function noteRevision(sets: Generations, nowMs: number): Generations {
  const { newSet } = sets;
  if (newSet === undefined) return sets;
  annotateNewReplicaSet(newSet, sets.deployment, highestRevision(sets.oldSets) + 1n);
  newSet.minReadySeconds = sets.deployment.spec.minReadySeconds ?? 0;
  let deployment = withRevision(sets.deployment, newSet.annotations[REVISION] ?? '');
  const progressing = findCondition(deployment.status?.conditions, 'Progressing');
  if (hasProgressDeadline(deployment) && progressing === undefined) {
    deployment = withDeploymentCondition(
      deployment,
      {
        type: 'Progressing',
        status: 'True',
        reason: 'FoundNewReplicaSet',
        message: `Found new replica set "${newSet.stored.metadata.name}"`,
      },
      nowMs,
    );
  }
  return { ...sets, deployment };
}

function ensureNewSet(
  sets: Generations,
  input: DeploymentInput,
): { sets: Generations; newSet: ReplicaSetDraft; scalings: Scaling[] } {
  if (sets.newSet !== undefined) return { sets, newSet: sets.newSet, scalings: [] };
  const newSet = draftOf(newReplicaSet(sets.deployment), { isNew: true });
  const revision = highestRevision(sets.oldSets) + 1n;
  newSet.replicas = newSetSize({ ...sets, newSet }, newSet);
  annotateNewReplicaSet(newSet, sets.deployment, revision);
  let deployment = withRevision(sets.deployment, String(revision));
  if (hasProgressDeadline(deployment)) {
    deployment = withDeploymentCondition(
      deployment,
      {
        type: 'Progressing',
        status: 'True',
        reason: 'NewReplicaSetCreated',
        message: `Created new replica set "${newSet.stored.metadata.name}"`,
      },
      input.nowMs,
    );
  }
  return {
    sets: { ...sets, deployment, newSet },
    newSet,
    scalings: [{ draft: newSet, from: 0, to: newSet.replicas }],
  };
}

function withRevision(deployment: Deployment, revision: string): Deployment {
  if (deployment.metadata.annotations?.[REVISION] === revision) return deployment;
  const annotations = { ...deployment.metadata.annotations, [REVISION]: revision };
  return { ...deployment, metadata: { ...deployment.metadata, annotations } };
}

function withDeploymentCondition(deployment: Deployment, condition: NewCondition, nowMs: number): Deployment {
  const conditions = withCondition(deployment.status?.conditions ?? [], condition, nowMs);
  return { ...deployment, status: { ...deployment.status, conditions } };
}

/** Old sets beyond the history limit, lowest revision first; sets that still have or want pods stay. */
function surplusSets(sets: Generations): ReplicaSet[] {
  const limit = sets.deployment.spec.revisionHistoryLimit;
  if (limit === undefined || limit === INT32_MAX) return [];
  const alive = sets.oldSets.filter((draft) => draft.stored.metadata.deletionTimestamp === undefined);
  if (alive.length <= limit) return [];
  return alive
    .toSorted((a, b) => Number(revisionOf(a.stored) - revisionOf(b.stored)))
    .slice(0, alive.length - limit)
    .filter(({ stored, replicas }) => {
      const isObserved = (stored.status?.observedGeneration ?? 0) >= (stored.metadata.generation ?? 0);
      return (stored.status?.replicas ?? 0) === 0 && replicas === 0 && isObserved;
    })
    .map((draft) => draft.stored);
}

function finish(input: DeploymentInput, { sets, scalings, deletions, statusOf }: Step): DeploymentPlan {
  const status = statusOf(sets, input.nowMs);
  const next = { ...sets.deployment, status };
  const isChanged =
    !deepEqual(status, input.deployment.status ?? {}) ||
    next.metadata.annotations?.[REVISION] !== input.deployment.metadata.annotations?.[REVISION];
  const requeueInMs = progressCheckInMs(next, status, input.nowMs);
  const isWaiting = requeueInMs !== undefined && statusOf === rolloutStatus;
  return {
    writes: planWrites(sets, scalings),
    deletions,
    ...(isChanged ? { next } : {}),
    ...(isWaiting ? { requeueInMs } : {}),
  };
}

function planWrites(sets: Generations, scalings: readonly Scaling[]): ReplicaSetWrite[] {
  return allSets(sets).flatMap((draft) => {
    const next = changedReplicaSet(draft);
    if (next === undefined) return [];
    const scaling = scalings.find((candidate) => candidate.draft === draft);
    const isScaled = scaling !== undefined && scaling.from !== scaling.to;
    const direction = isScaled && scaling.to > scaling.from ? 'up' : 'down';
    return [
      {
        type: draft.isNew ? ('create' as const) : ('update' as const),
        stored: draft.stored,
        next,
        ...(isScaled
          ? { event: `Scaled ${direction} replica set ${next.metadata.name} from ${scaling.from} to ${scaling.to}` }
          : {}),
      },
    ];
  });
}
