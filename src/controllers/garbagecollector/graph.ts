import type { KubeObject, OwnerReference } from '#machinery/meta/types.ts';

/** Where an object is to be found. */
export interface ObjectIdentity {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** An object and its place among owners and dependents. Only the graph changes it. */
export interface GraphNode {
  identity: ObjectIdentity;
  owners: readonly OwnerReference[];
  readonly dependents: Set<GraphNode>;
  isBeingDeleted: boolean;
  /** Deleted in the foreground: it goes when the dependents that block it are gone. */
  isDeletingDependents: boolean;
  /** Deleted with its dependents to be set free first. */
  isOrphaning: boolean;
  /** Named as an owner, but not seen by any watch yet. */
  isVirtual: boolean;
}

/** Objects to look at because of a change, by uid. */
export interface GraphEffects {
  readonly attemptDelete: string[];
  readonly attemptOrphan: string[];
}

export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';

/** Owners and dependents of all objects, kept from watches. It only knows; deciding and deleting are elsewhere. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** An object as a watch shows it now. */
  observe(object: KubeObject): GraphEffects {
    const effects: GraphEffects = { attemptDelete: [], attemptOrphan: [] };
    const uid = object.metadata.uid ?? '';
    const owners = object.metadata.ownerReferences ?? [];
    let node = this.#nodes.get(uid);
    if (node === undefined) {
      node = this.#add(identityOf(object), { isVirtual: false });
    } else if (node.isVirtual) {
      node.isVirtual = false;
      node.identity = identityOf(object);
    }
    this.#replaceOwners(node, owners, effects);
    node.isBeingDeleted = object.metadata.deletionTimestamp !== undefined;
    this.#noteDeletion(node, object.metadata.finalizers ?? [], effects);
    return effects;
  }

  /** An object that is gone, by a watch or by a live read that did not find it. */
  remove(uid: string): GraphEffects {
    const effects: GraphEffects = { attemptDelete: [], attemptOrphan: [] };
    const node = this.#nodes.get(uid);
    if (node === undefined) return effects;
    this.#nodes.delete(uid);
    for (const owner of node.owners) {
      const ownerNode = this.#nodes.get(owner.uid);
      ownerNode?.dependents.delete(node);
      if (ownerNode?.isDeletingDependents === true) effects.attemptDelete.push(owner.uid);
    }
    for (const dependent of node.dependents) effects.attemptDelete.push(dependent.identity.uid);
    return effects;
  }

  #add(identity: ObjectIdentity, { isVirtual }: { isVirtual: boolean }): GraphNode {
    const node: GraphNode = {
      identity,
      owners: [],
      dependents: new Set(),
      isBeingDeleted: false,
      isDeletingDependents: false,
      isOrphaning: false,
      isVirtual,
    };
    this.#nodes.set(identity.uid, node);
    return node;
  }

  #replaceOwners(node: GraphNode, owners: readonly OwnerReference[], effects: GraphEffects): void {
    const before = node.owners;
    if (before.length === 0 && owners.length === 0) return;
    node.owners = owners;
    for (const old of before) {
      const now = owners.find((owner) => owner.uid === old.uid);
      if (now === undefined) this.#nodes.get(old.uid)?.dependents.delete(node);
      // The owner may have waited for just this one.
      if (old.blockOwnerDeletion === true && now?.blockOwnerDeletion !== true) effects.attemptDelete.push(old.uid);
    }
    for (const owner of owners) {
      if (before.some((old) => old.uid === owner.uid)) continue;
      let ownerNode = this.#nodes.get(owner.uid);
      if (ownerNode === undefined) {
        ownerNode = this.#add(ownerIdentity(owner, node.identity.namespace), { isVirtual: true });
        // Whether it exists at all is found out by a live read.
        effects.attemptDelete.push(owner.uid);
      }
      ownerNode.dependents.add(node);
    }
  }

  #noteDeletion(node: GraphNode, finalizers: readonly string[], effects: GraphEffects): void {
    const isOrphaning = node.isBeingDeleted && finalizers.includes(ORPHAN_FINALIZER);
    if (isOrphaning && !node.isOrphaning) effects.attemptOrphan.push(node.identity.uid);
    node.isOrphaning = isOrphaning;
    const isDeletingDependents = node.isBeingDeleted && finalizers.includes(FOREGROUND_FINALIZER);
    if (isDeletingDependents && !node.isDeletingDependents) {
      for (const dependent of node.dependents) effects.attemptDelete.push(dependent.identity.uid);
      effects.attemptDelete.push(node.identity.uid);
    }
    node.isDeletingDependents = isDeletingDependents;
  }
}

function identityOf(object: KubeObject): ObjectIdentity {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name ?? '',
    uid: object.metadata.uid ?? '',
  };
}

/** Owners live in the namespace of their dependents, or in none. */
export function ownerIdentity(owner: OwnerReference, namespace: string): ObjectIdentity {
  const { apiVersion, kind, name, uid } = owner;
  return { apiVersion, kind, name, uid, namespace };
}
