import type { Deployment, ReplicaSet } from '#api/generated/types.ts';
import { desiredReplicas, type ReplicaSetDraft } from './draft.ts';
import { rollingBounds } from './rolling-bounds.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** Annotations of the Deployment that its sets do not inherit. */
const NOT_INHERITED: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

/** Upstream's limit for the list of a set's earlier revisions. */
const HISTORY_LENGTH_MAX = 2000;

/** A set's revision; 0 where it has none or no number. An int64 upstream: an adopted set may carry a large one. */
export function revisionOf(object: { metadata: ReplicaSet['metadata'] }): bigint {
  return parseRevision(object.metadata.annotations?.[REVISION]);
}

export function highestRevision(drafts: readonly ReplicaSetDraft[]): bigint {
  return drafts.map((draft) => revisionOf(draft.stored)).reduce((a, b) => (a > b ? a : b), 0n);
}

function parseRevision(text: string | undefined): bigint {
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
}

/** Gives the current set the Deployment's annotations and, where it is behind, the new revision. */
export function annotateNewReplicaSet(draft: ReplicaSetDraft, deployment: Deployment, revision: bigint): void {
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!NOT_INHERITED.has(key)) draft.annotations[key] = value;
  }
  const before = draft.annotations[REVISION];
  if (parseRevision(before) < revision) {
    draft.annotations[REVISION] = String(revision);
    if (before !== undefined && before !== '' && !draft.isNew) {
      draft.annotations[REVISION_HISTORY] = extendHistory(draft.annotations[REVISION_HISTORY] ?? '', before);
    }
  }
  if (draft.isNew) annotateReplicas(draft, deployment);
}

function extendHistory(history: string, revision: string): string {
  if (history === '') return revision;
  const revisions = [...history.split(','), revision];
  while (revisions.length > 1 && revisions.join(',').length > HISTORY_LENGTH_MAX) revisions.shift();
  return revisions.join(',');
}

/** Notes the sizes a set was scaled for; proportional scaling and the detection of a scaling need them. */
export function annotateReplicas(draft: ReplicaSetDraft, deployment: Deployment): void {
  const desired = desiredReplicas(deployment);
  draft.annotations[DESIRED_REPLICAS] = String(desired);
  draft.annotations[MAX_REPLICAS] = String(desired + rollingBounds(deployment).maxSurge);
}

export function numberAnnotation(draft: ReplicaSetDraft, name: string): number | undefined {
  const text = draft.annotations[name];
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
