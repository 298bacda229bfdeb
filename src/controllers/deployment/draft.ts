import type { Deployment, ReplicaSet } from '#api/generated/types.ts';

/**
 * A ReplicaSet while a plan is made: what is stored, and what the plan wants of it. Steps of the plan change drafts;
 * one write for each changed draft comes out at the end.
 */
export interface ReplicaSetDraft {
  /** As stored; of a set that is still to be created, the object to create. */
  readonly stored: ReplicaSet;
  readonly isNew: boolean;
  replicas: number;
  minReadySeconds: number;
  annotations: Record<string, string>;
}

export function draftOf(stored: ReplicaSet, options: { isNew: boolean } = { isNew: false }): ReplicaSetDraft {
  return {
    stored,
    isNew: options.isNew,
    replicas: stored.spec.replicas ?? 1,
    minReadySeconds: stored.spec.minReadySeconds ?? 0,
    annotations: { ...stored.metadata.annotations },
  };
}

/** The object to write, or undefined where the draft changes nothing. */
export function changedReplicaSet(draft: ReplicaSetDraft): ReplicaSet | undefined {
  const { stored } = draft;
  const isSame =
    (stored.spec.replicas ?? 1) === draft.replicas &&
    (stored.spec.minReadySeconds ?? 0) === draft.minReadySeconds &&
    sameMap(stored.metadata.annotations ?? {}, draft.annotations);
  if (isSame && !draft.isNew) return undefined;
  const { minReadySeconds: _, ...spec } = stored.spec;
  return {
    ...stored,
    metadata: { ...stored.metadata, annotations: draft.annotations },
    spec: {
      ...spec,
      replicas: draft.replicas,
      ...(draft.minReadySeconds === 0 ? {} : { minReadySeconds: draft.minReadySeconds }),
    },
  };
}

function sameMap(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

export function sumReplicas(drafts: readonly ReplicaSetDraft[]): number {
  return drafts.reduce((sum, draft) => sum + draft.replicas, 0);
}

export function sumAvailable(drafts: readonly ReplicaSetDraft[]): number {
  return drafts.reduce((sum, draft) => sum + (draft.stored.status?.availableReplicas ?? 0), 0);
}

/** Oldest first; names decide between sets of one second. */
export function byCreation(a: ReplicaSetDraft, b: ReplicaSetDraft): number {
  const left = a.stored.metadata.creationTimestamp ?? '';
  const right = b.stored.metadata.creationTimestamp ?? '';
  if (left !== right) return left < right ? -1 : 1;
  return (a.stored.metadata.name ?? '') < (b.stored.metadata.name ?? '') ? -1 : 1;
}

export function desiredReplicas(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}
