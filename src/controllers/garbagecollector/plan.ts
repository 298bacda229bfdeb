import type { KubeObject, OwnerReference } from '#machinery/meta/types.ts';
import { FOREGROUND_FINALIZER, type GraphNode, ORPHAN_FINALIZER } from './graph.ts';

/** What a live read said of an owner. */
export type OwnerState = 'solid' | 'absent' | 'waitingForDependents';

/** What to do with an object. */
export type ItemAction =
  | { readonly type: 'none' }
  /** Look at these first; the object waits for them. */
  | { readonly type: 'attemptDelete'; readonly uids: readonly string[] }
  | { readonly type: 'setOwners'; readonly owners: readonly OwnerReference[] }
  | { readonly type: 'removeFinalizer'; readonly finalizer: string }
  /** `unblock`: first let go of the owners that wait, as the object's own dependents are being deleted (a cycle). */
  | {
      readonly type: 'delete';
      readonly propagationPolicy: 'Foreground' | 'Background' | 'Orphan';
      readonly unblock?: readonly OwnerReference[];
    };

/** An object being deleted in the foreground: it waits for the dependents that block it. */
export function planDeletingDependents(node: GraphNode): ItemAction {
  const uid = node.identity.uid;
  const blocking = [...node.dependents].filter((dependent) =>
    dependent.owners.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
  );
  if (blocking.length === 0) return { type: 'removeFinalizer', finalizer: FOREGROUND_FINALIZER };
  const uids = blocking.filter((one) => !one.isDeletingDependents).map((one) => one.identity.uid);
  return { type: 'attemptDelete', uids };
}

/** An object that has owners: it goes with the last of them. */
export function planOwnedItem(
  live: KubeObject,
  node: GraphNode,
  stateOf: (owner: OwnerReference) => OwnerState,
): ItemAction {
  const owners = live.metadata.ownerReferences ?? [];
  if (owners.length === 0) return { type: 'none' };
  const solid = owners.filter((owner) => stateOf(owner) === 'solid');
  if (solid.length > 0) {
    return solid.length === owners.length ? { type: 'none' } : { type: 'setOwners', owners: solid };
  }
  const isAwaited = owners.some((owner) => stateOf(owner) === 'waitingForDependents');
  if (isAwaited && node.dependents.size > 0) {
    const isCycle = [...node.dependents].some((dependent) => dependent.isDeletingDependents);
    const unblock = owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    return { type: 'delete', propagationPolicy: 'Foreground', ...(isCycle ? { unblock } : {}) };
  }
  return { type: 'delete', propagationPolicy: policyOf(live) };
}

/** An earlier deletion request that was interrupted said what should become of the dependents. */
function policyOf(live: KubeObject): 'Foreground' | 'Background' | 'Orphan' {
  const finalizers = live.metadata.finalizers ?? [];
  if (finalizers.includes(ORPHAN_FINALIZER)) return 'Orphan';
  return finalizers.includes(FOREGROUND_FINALIZER) ? 'Foreground' : 'Background';
}
