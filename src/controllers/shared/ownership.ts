import type { KubeObject, ObjectMeta, OwnerReference } from '#machinery/meta/types.ts';
import { controllerOf } from '#machinery/meta/types.ts';

/** The reference by which `owner` controls a new object. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** What a controller does about the objects around it: which are its own, which to take, which to let go. */
export interface Claim<T> {
  readonly owned: T[];
  readonly adopt: T[];
  readonly release: T[];
}

/**
 * Sorts candidates (objects that `owner` controls, and objects without a controller) by upstream's rules: an object
 * that matches and has no controller is adopted, one that does not match any more is released; a deleting owner does
 * neither, and a deleting object is not adopted.
 */
export function planClaim<T extends KubeObject>(
  owner: KubeObject,
  candidates: readonly T[],
  matches: (candidate: T) => boolean,
): Claim<T> {
  const claim: Claim<T> = { owned: [], adopt: [], release: [] };
  const isOwnerDeleting = owner.metadata.deletionTimestamp !== undefined;
  for (const candidate of candidates) {
    const controller = controllerOf(candidate);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches(candidate)) claim.owned.push(candidate);
      else if (!isOwnerDeleting) claim.release.push(candidate);
    } else if (!isOwnerDeleting && candidate.metadata.deletionTimestamp === undefined && matches(candidate)) {
      claim.adopt.push(candidate);
    }
  }
  return claim;
}

/** A strategic patch that makes `owner` the object's controller; the uid guards against a namesake. */
export function adoptionPatch(owner: KubeObject, object: KubeObject): unknown {
  return { metadata: { ownerReferences: [controllerReference(owner)], uid: object.metadata.uid } };
}

/** A strategic patch that removes `owner` from the object's owners. */
export function releasePatch(owner: KubeObject, object: KubeObject): unknown {
  return {
    metadata: { ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }], uid: object.metadata.uid },
  };
}

/** Index values: the uid of an object's controller, or `orphan/NAMESPACE` where it has none. */
export function controllerIndex(object: { metadata: ObjectMeta }): string[] {
  const controller = controllerOf(object);
  return [controller?.uid ?? orphanIndexValue(object.metadata.namespace ?? '')];
}

export function orphanIndexValue(namespace: string): string {
  return `orphan/${namespace}`;
}
