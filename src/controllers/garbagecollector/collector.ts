import type { Client } from '#client/client.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import type { KubeObject, OwnerReference } from '#machinery/meta/types.ts';
import type { DiscoveredResource } from '../shared/discovery.ts';
import {
  FOREGROUND_FINALIZER,
  type GraphEffects,
  type GraphNode,
  type ObjectIdentity,
  ORPHAN_FINALIZER,
  OwnerGraph,
  ownerIdentity,
} from './graph.ts';
import { type ItemAction, type OwnerState, planDeletingDependents, planOwnedItem } from './plan.ts';

/** How many owners known to be absent are remembered; upstream's number. */
const ABSENT_OWNERS_MAX = 500;
/** An owner whose kind is not served (yet) is looked for again after this time. */
const UNKNOWN_KIND_RETRY_MS = 30_000;

interface CollectorDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly resourceOf: (object: { apiVersion: string; kind: string }) => DiscoveredResource | undefined;
  readonly enqueue: {
    readonly attemptDelete: (uid: string) => void;
    readonly attemptOrphan: (uid: string) => void;
  };
}

/** Carries out what the graph calls for, one object at a time, after a live read of all that the decision needs. */
export class GarbageCollector {
  readonly #deps: CollectorDeps;
  readonly #graph = new OwnerGraph();
  /** Uids of owners that a live read or a watch showed to be gone, oldest first. A uid never comes back. */
  readonly #absentOwners = new Set<string>();

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  observe(object: KubeObject): void {
    this.#enqueue(this.#graph.observe(object));
  }

  removed(object: KubeObject): void {
    this.#remove(object.metadata.uid ?? '');
  }

  /** Deletes the object if none of its owners is left, or moves its foreground deletion on. */
  async attemptDelete(uid: string): Promise<number | undefined> {
    const node = this.#graph.get(uid);
    if (node === undefined || (node.isBeingDeleted && !node.isDeletingDependents)) return undefined;
    const resource = this.#deps.resourceOf(node.identity);
    if (resource === undefined) return UNKNOWN_KIND_RETRY_MS;
    const live = await this.#read(resource, node.identity);
    if (live === undefined || live.metadata.uid !== uid) {
      this.#remove(uid);
      return undefined;
    }
    // The watch of a virtual node's resource tells the rest; until then it is known to exist.
    if (node.isDeletingDependents) return this.#act(resource, live, planDeletingDependents(node));
    const states = new Map<string, OwnerState>();
    for (const owner of live.metadata.ownerReferences ?? []) {
      const state = await this.#ownerState(owner, live);
      if (state === undefined) return UNKNOWN_KIND_RETRY_MS;
      states.set(owner.uid, state);
    }
    return this.#act(
      resource,
      live,
      planOwnedItem(live, node, (owner) => states.get(owner.uid) ?? 'solid'),
    );
  }

  /** Sets the dependents of an orphaning object free, then lets it go. */
  async orphanDependents(uid: string): Promise<number | undefined> {
    const node = this.#graph.get(uid);
    if (node === undefined) return undefined;
    const resource = this.#deps.resourceOf(node.identity);
    if (resource === undefined) return UNKNOWN_KIND_RETRY_MS;
    await Promise.all([...node.dependents].map((dependent) => this.#setFree(dependent, uid)));
    const live = await this.#read(resource, node.identity);
    if (live === undefined || live.metadata.uid !== uid) return undefined;
    return this.#act(resource, live, { type: 'removeFinalizer', finalizer: ORPHAN_FINALIZER });
  }

  async #setFree(dependent: GraphNode, ownerUid: string): Promise<void> {
    const resource = this.#deps.resourceOf(dependent.identity);
    const live = resource === undefined ? undefined : await this.#read(resource, dependent.identity);
    if (resource === undefined || live === undefined || live.metadata.uid !== dependent.identity.uid) return;
    const owners = live.metadata.ownerReferences ?? [];
    if (!owners.some((owner) => owner.uid === ownerUid)) return;
    await this.#setOwners(
      resource,
      live,
      owners.filter((owner) => owner.uid !== ownerUid),
    );
  }

  async #ownerState(owner: OwnerReference, item: KubeObject): Promise<OwnerState | undefined> {
    if (this.#absentOwners.has(owner.uid)) return 'absent';
    const resource = this.#deps.resourceOf(owner);
    if (resource === undefined) return undefined;
    const namespace = item.metadata.namespace ?? '';
    // A cluster-scoped object cannot have a namespaced owner: nothing says where to look, so nothing is deleted.
    if (resource.namespaced && namespace === '') return 'solid';
    const live = await this.#read(resource, ownerIdentity(owner, namespace));
    if (live === undefined || live.metadata.uid !== owner.uid) {
      this.#noteAbsent(owner.uid);
      return 'absent';
    }
    const isWaiting =
      live.metadata.deletionTimestamp !== undefined &&
      live.metadata.finalizers?.includes(FOREGROUND_FINALIZER) === true;
    return isWaiting ? 'waitingForDependents' : 'solid';
  }

  async #act(resource: DiscoveredResource, live: KubeObject, action: ItemAction): Promise<undefined> {
    switch (action.type) {
      case 'none':
        return;
      case 'attemptDelete':
        for (const uid of action.uids) this.#deps.enqueue.attemptDelete(uid);
        return;
      case 'setOwners':
        await this.#setOwners(resource, live, action.owners);
        return;
      case 'removeFinalizer': {
        const before = live.metadata.finalizers ?? [];
        const finalizers = before.filter((finalizer) => finalizer !== action.finalizer);
        if (finalizers.length !== before.length) await this.#patchMetadata(resource, live, { finalizers });
        return;
      }
      case 'delete': {
        const unblocked = action.unblock === undefined ? live : await this.#setOwners(resource, live, action.unblock);
        await this.#delete(resource, unblocked ?? live, action.propagationPolicy);
      }
    }
  }

  async #delete(
    resource: DiscoveredResource,
    live: KubeObject,
    propagationPolicy: 'Foreground' | 'Background' | 'Orphan',
  ): Promise<void> {
    const { uid = '', resourceVersion = '' } = live.metadata;
    await ignoreNotFound(
      this.#deps.client.delete(resource, nameOf(resource, live.metadata), {
        propagationPolicy,
        // What was decided holds for this version of the object: an owner added meanwhile keeps it.
        preconditions: { uid, resourceVersion },
      }),
    );
  }

  #setOwners(
    resource: DiscoveredResource,
    live: KubeObject,
    ownerReferences: readonly OwnerReference[],
  ): Promise<KubeObject | undefined> {
    return this.#patchMetadata(resource, live, { ownerReferences });
  }

  #patchMetadata(resource: DiscoveredResource, live: KubeObject, metadata: object): Promise<KubeObject | undefined> {
    const { uid, resourceVersion } = live.metadata;
    const body = { metadata: { ...metadata, uid, resourceVersion } };
    const name = nameOf(resource, live.metadata);
    return ignoreNotFound(this.#deps.client.patch(resource, name, { type: 'merge', body }));
  }

  #read(resource: DiscoveredResource, identity: ObjectIdentity): Promise<KubeObject | undefined> {
    return ignoreNotFound(this.#deps.client.get(resource, nameOf(resource, identity)));
  }

  #remove(uid: string): void {
    const node = this.#graph.get(uid);
    if (node !== undefined && node.dependents.size > 0) this.#noteAbsent(uid);
    this.#enqueue(this.#graph.remove(uid));
  }

  #noteAbsent(uid: string): void {
    this.#absentOwners.add(uid);
    if (this.#absentOwners.size <= ABSENT_OWNERS_MAX) return;
    for (const oldest of this.#absentOwners) {
      this.#absentOwners.delete(oldest);
      return;
    }
  }

  #enqueue({ attemptDelete, attemptOrphan }: GraphEffects): void {
    for (const uid of attemptDelete) this.#deps.enqueue.attemptDelete(uid);
    for (const uid of attemptOrphan) this.#deps.enqueue.attemptOrphan(uid);
  }
}

function nameOf(
  resource: DiscoveredResource,
  { name = '', namespace = '' }: { name?: string; namespace?: string },
): { name: string; namespace?: string } {
  return resource.namespaced ? { name, namespace } : { name };
}

async function ignoreNotFound<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
