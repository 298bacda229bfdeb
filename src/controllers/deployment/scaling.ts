import type { Deployment } from '#api/generated/types.ts';
import { byCreation, desiredReplicas, type ReplicaSetDraft, sumAvailable, sumReplicas } from './draft.ts';
import { annotateReplicas, DESIRED_REPLICAS, MAX_REPLICAS, numberAnnotation } from './revision.ts';
import { isRecreate, rollingBounds } from './rolling-bounds.ts';

/** A set whose size the plan changes, for the event. */
export interface Scaling {
  readonly draft: ReplicaSetDraft;
  readonly from: number;
  readonly to: number;
}

/** The sets of one Deployment: the one with the current template (if it exists) and the others. */
export interface Generations {
  readonly deployment: Deployment;
  readonly newSet: ReplicaSetDraft | undefined;
  readonly oldSets: readonly ReplicaSetDraft[];
}

export function allSets(sets: Generations): ReplicaSetDraft[] {
  return sets.newSet === undefined ? [...sets.oldSets] : [...sets.oldSets, sets.newSet];
}

function scaleTo(draft: ReplicaSetDraft, replicas: number, deployment: Deployment): Scaling[] {
  const from = draft.replicas;
  if (from === replicas) return [];
  draft.replicas = replicas;
  annotateReplicas(draft, deployment);
  return [{ draft, from, to: replicas }];
}

/** How many replicas the new set may have now, without the total going over wanted + surge. */
export function newSetSize(sets: Generations, newSet: ReplicaSetDraft): number {
  const desired = desiredReplicas(sets.deployment);
  if (isRecreate(sets.deployment)) return desired;
  const total = sumReplicas(allSets(sets).filter((draft) => draft !== newSet)) + newSet.replicas;
  const room = desired + rollingBounds(sets.deployment).maxSurge - total;
  if (room <= 0) return newSet.replicas;
  return newSet.replicas + Math.min(room, desired - newSet.replicas);
}

/** One step up (or down, after the Deployment shrank) of the new set. */
export function scaleNewSet(sets: Generations, newSet: ReplicaSetDraft): Scaling[] {
  const desired = desiredReplicas(sets.deployment);
  if (newSet.replicas === desired) return [];
  return scaleTo(newSet, newSet.replicas > desired ? desired : newSetSize(sets, newSet), sets.deployment);
}

/** One step down of the old sets: first what is not available anyway, then as far as availability allows. */
export function scaleOldSets(sets: Generations, newSet: ReplicaSetDraft): Scaling[] {
  const { deployment } = sets;
  if (sumReplicas(sets.oldSets) === 0) return [];
  const minAvailable = desiredReplicas(deployment) - rollingBounds(deployment).maxUnavailable;
  const newUnavailable = newSet.replicas - (newSet.stored.status?.availableReplicas ?? 0);
  const mayGo = sumReplicas(allSets(sets)) - minAvailable - newUnavailable;
  if (mayGo <= 0) return [];
  const before = new Map(sets.oldSets.map((draft) => [draft, draft.replicas]));
  removeUnhealthy(sets, mayGo);
  removeAvailable(sets, minAvailable);
  return sets.oldSets.flatMap((draft) => {
    const from = before.get(draft) ?? 0;
    return from === draft.replicas ? [] : [{ draft, from, to: draft.replicas }];
  });
}

function removeUnhealthy(sets: Generations, mayGo: number): void {
  let removed = 0;
  for (const draft of sets.oldSets.toSorted(byCreation)) {
    if (removed >= mayGo) return;
    const unhealthy = draft.replicas - (draft.stored.status?.availableReplicas ?? 0);
    if (draft.replicas === 0 || unhealthy <= 0) continue;
    const count = Math.min(mayGo - removed, unhealthy);
    scaleTo(draft, draft.replicas - count, sets.deployment);
    removed += count;
  }
}

function removeAvailable(sets: Generations, minAvailable: number): void {
  let mayGo = sumAvailable(allSets(sets)) - minAvailable;
  for (const draft of sets.oldSets.toSorted(byCreation)) {
    if (mayGo <= 0) return;
    const count = Math.min(draft.replicas, mayGo);
    scaleTo(draft, draft.replicas - count, sets.deployment);
    mayGo -= count;
  }
}

/** Recreate: all old sets go to zero. */
export function emptyOldSets(sets: Generations): Scaling[] {
  return sets.oldSets.flatMap((draft) => scaleTo(draft, 0, sets.deployment));
}

/** Whether the wanted number changed since the active sets were last scaled. */
export function isScalingEvent(sets: Generations): boolean {
  return allSets(sets)
    .filter((draft) => draft.replicas > 0)
    .some((draft) => {
      const desired = numberAnnotation(draft, DESIRED_REPLICAS);
      return desired !== undefined && desired !== desiredReplicas(sets.deployment);
    });
}

/** Brings the sets to a changed wanted number, in proportion to their sizes while a rollout is under way. */
export function scaleToDesired(sets: Generations): Scaling[] {
  const { deployment, newSet } = sets;
  const single = activeOrLatest(sets);
  if (single !== undefined) return scaleTo(single, desiredReplicas(deployment), deployment);
  if (newSet !== undefined && isSaturated(newSet, deployment)) return emptyOldSets(sets);
  if (isRecreate(deployment)) return [];
  return scaleProportionally(sets);
}

function activeOrLatest(sets: Generations): ReplicaSetDraft | undefined {
  const active = allSets(sets).filter((draft) => draft.replicas > 0);
  if (active.length > 1) return undefined;
  return active[0] ?? sets.newSet ?? sets.oldSets.toSorted(byCreation).at(-1);
}

/** Whether the set alone fulfils the Deployment. */
function isSaturated(draft: ReplicaSetDraft, deployment: Deployment): boolean {
  const desired = desiredReplicas(deployment);
  return (
    draft.replicas === desired &&
    numberAnnotation(draft, DESIRED_REPLICAS) === desired &&
    (draft.stored.status?.availableReplicas ?? 0) === desired
  );
}

function scaleProportionally(sets: Generations): Scaling[] {
  const { deployment } = sets;
  const active = allSets(sets).filter((draft) => draft.replicas > 0);
  const desired = desiredReplicas(deployment);
  const allowed = desired > 0 ? desired + rollingBounds(deployment).maxSurge : 0;
  const toAdd = allowed - sumReplicas(active);
  // The largest come first, so that what rounding leaves over goes to the largest; growth prefers newer sets.
  const ordered = active.toSorted(
    (a, b) => b.replicas - a.replicas || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)),
  );
  let added = 0;
  const sizes = ordered.map((draft) => {
    const share = proportion(draft, { deployment, toAdd, added });
    added += share;
    return draft.replicas + share;
  });
  return ordered.flatMap((draft, index) => {
    const leftover = index === 0 ? toAdd - added : 0;
    const size = Math.max(0, (sizes[index] ?? 0) + leftover);
    // Sets that keep their size still learn what they were scaled for, or the scaling would never seem done.
    annotateReplicas(draft, deployment);
    return scaleTo(draft, size, deployment);
  });
}

function proportion(
  draft: ReplicaSetDraft,
  { deployment, toAdd, added }: { deployment: Deployment; toAdd: number; added: number },
): number {
  if (draft.replicas === 0 || toAdd === 0 || toAdd === added) return 0;
  const share = fraction(draft, deployment);
  return toAdd > 0 ? Math.min(share, toAdd - added) : Math.max(share, toAdd - added);
}

function fraction(draft: ReplicaSetDraft, deployment: Deployment): number {
  const desired = desiredReplicas(deployment);
  if (desired === 0) return -draft.replicas;
  const annotated = numberAnnotation(draft, MAX_REPLICAS);
  const before = annotated === undefined || annotated === 0 ? (deployment.status?.replicas ?? 0) : annotated;
  if (before === 0) return 0;
  const size = (draft.replicas * (desired + rollingBounds(deployment).maxSurge)) / before;
  return Math.round(size) - draft.replicas;
}
