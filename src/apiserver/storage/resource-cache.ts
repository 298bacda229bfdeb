import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { EncodedObject } from '#machinery/codec/json.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { KeyValue, Revision, StoreEvent } from '#store/store.ts';
import { Change } from './change.ts';
import { ChangeRing } from './change-ring.ts';
import { Entry } from './entry.ts';
import { FieldIndex } from './field-index.ts';
import type { ObjectCache } from './object-cache.ts';
import { newSortedMap, type SortedMap } from '#store/shared/sorted-map.ts';
import { WatcherIndex } from './watcher-index.ts';

/** Past states kept for the next page of a list; each costs about 2 KB a later write. */
const SNAPSHOTS_MAX = 6;

/** What a writer knows of the value it commits, so that the cache need not find it out again. */
export interface Prepared {
  readonly encoded: EncodedObject;
  /** Given away by the writer; absent where it is to be parsed at need. */
  readonly object: KubeObject | undefined;
}

export interface ResourceCacheDeps {
  readonly clock: Clock;
  readonly objects: ObjectCache;
  /** Looks up, by identity, what the writer of a value handed over. */
  readonly takePrepared: (value: Uint8Array) => Prepared | undefined;
  /** Finds the parts of a stored value, or makes them anew where another server wrote it in its own layout. */
  readonly encodedOf: (value: Uint8Array) => EncodedObject;
  readonly onUnreadable: (key: string, error: unknown) => void;
}

/**
 * The watch cache of one stored resource: a persistent sorted tree of entries, a ring of changes, and the watchers.
 * Fed by the hub in revision order; reading it is synchronous.
 */
export class ResourceCache {
  readonly prefix: string;
  readonly watchers: WatcherIndex;
  readonly #deps: ResourceCacheDeps;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #tree: SortedMap<Entry> = newSortedMap();
  readonly #ring: ChangeRing;
  readonly #snapshots = new Map<Revision, SortedMap<Entry>>();
  readonly #definition: Pick<ResourceDefinition, 'selectableFields'>;
  readonly #indexes = new Map<string, FieldIndex>();
  /** Stored values that nobody here can read, by key. */
  readonly #unreadable = new Map<string, Error>();
  #lastChange: Revision;
  /** Events up to this revision were part of what was loaded. */
  #loadedAt: Revision;

  constructor(
    definition: Pick<ResourceDefinition, 'selectableFields'>,
    prefix: string,
    loadedAt: Revision,
    deps: ResourceCacheDeps,
  ) {
    this.prefix = prefix;
    this.#definition = definition;
    this.#deps = deps;
    this.#lastChange = loadedAt;
    this.#loadedAt = loadedAt;
    this.watchers = new WatcherIndex(definition, prefix);
    this.#ring = new ChangeRing({ clock: deps.clock, completeAfter: loadedAt });
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Every change after this revision can be replayed from memory. */
  get completeAfter(): Revision {
    return this.#ring.completeAfter;
  }

  /** Fills the cache at start; not an event. */
  load(items: readonly KeyValue[]): void {
    for (const kv of items) {
      const entry = this.#readable(kv);
      if (entry !== undefined) this.#tree.set(kv.key, entry);
    }
  }

  /**
   * Puts the cache into a state whose history is not known. Listeners are told of every difference; watchers are the
   * caller's to end.
   */
  reload(items: readonly KeyValue[], revision: Revision): void {
    const gone = new Map(this.#tree.entries());
    this.#unreadable.clear();
    for (const kv of items) {
      const previous = gone.get(kv.key);
      gone.delete(kv.key);
      // The same revision may be another one's, where a backup was restored.
      if (previous?.revision === kv.modRevision && isSame(previous.encoded.bytes, kv.value)) continue;
      const entry = this.#readable(kv);
      if (entry !== undefined) this.#replace({ key: kv.key, revision: kv.modRevision, entry, previous });
    }
    for (const [key, previous] of gone) this.#replace({ key, revision, entry: undefined, previous });
    this.#ring.restart(revision);
    this.#snapshots.clear();
    this.#lastChange = revision;
    this.#loadedAt = revision;
  }

  get(key: string): Entry | undefined {
    return this.#tree.get(key);
  }

  /** Why an object that is stored is not shown; undefined for all that are shown or not there. */
  unreadable(key: string): Error | undefined {
    return this.#unreadable.get(key);
  }

  /** The state now, unaffected by later writes. */
  snapshot(): SortedMap<Entry> {
    return this.#tree.clone();
  }

  /** The tree itself, for synchronous reading only. */
  get tree(): SortedMap<Entry> {
    return this.#tree;
  }

  onChange(listener: (change: Change) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  apply(event: StoreEvent): void {
    const { kv } = event;
    // Several keys may change in one revision: those of a lease of etcd that ran out go together.
    if (kv.modRevision <= this.#loadedAt) return;
    const previous = this.#tree.get(kv.key);
    if (event.type === 'delete') this.#unreadable.delete(kv.key);
    const entry = event.type === 'delete' ? undefined : this.#readable(kv);
    if (entry === undefined && previous === undefined) return;
    this.#lastChange = kv.modRevision;
    this.#replace({ key: kv.key, revision: kv.modRevision, entry, previous });
  }

  #replace(init: ConstructorParameters<typeof Change>[0]): void {
    const { key, entry, previous } = init;
    if (entry === undefined) this.#tree.delete(key);
    else this.#tree.set(key, entry);
    for (const index of this.#indexes.values()) index.replace(previous, entry);
    const change = new Change(init);
    this.#ring.append(change);
    this.watchers.dispatch(change);
    change.dropFrames();
    for (const listener of this.#listeners) listener(change);
  }

  /** Undefined, and reported, for a value that nobody here can read: it must not hide all the others. */
  #readable(kv: KeyValue): Entry | undefined {
    if (this.#unreadable.size > 0) this.#unreadable.delete(kv.key);
    try {
      return this.entryOf(kv);
    } catch (error) {
      this.#unreadable.set(kv.key, error instanceof Error ? error : new Error(String(error)));
      this.#deps.onUnreadable(kv.key, error);
      return undefined;
    }
  }

  /** Changes after `revision`, which is not below `completeAfter`. */
  changesAfter(revision: Revision): Change[] {
    return this.#ring.after(revision);
  }

  /**
   * The state at a past revision, or undefined where memory does not reach back that far: a tree of the caller's own,
   * and the changes that are to be taken back in it, the newest first.
   */
  at(revision: Revision): { tree: SortedMap<Entry>; undone: readonly Change[] } | undefined {
    if (revision >= this.#lastChange) return { tree: this.snapshot(), undone: [] };
    const kept = this.#snapshots.get(revision);
    if (kept !== undefined) return { tree: kept, undone: [] };
    if (revision < this.#ring.completeAfter) return undefined;
    return { tree: this.snapshot(), undone: this.#ring.after(revision).reverse() };
  }

  /** Keeps a past state for whoever pages through it. */
  keep(revision: Revision, tree: SortedMap<Entry>): void {
    this.#snapshots.delete(revision);
    this.#snapshots.set(revision, tree);
    if (this.#snapshots.size <= SNAPSHOTS_MAX) return;
    for (const oldest of this.#snapshots.keys()) {
      this.#snapshots.delete(oldest);
      return;
    }
  }

  /** The current entries whose field has this value, by key. The index is made at its first use. */
  indexed({ field, value }: { field: string; value: string }): Entry[] {
    let index = this.#indexes.get(field);
    if (index === undefined) {
      index = new FieldIndex(this.#definition, field, this.#tree.values());
      this.#indexes.set(field, index);
    }
    return index.get(value);
  }

  /** Forgets the past before `revision`. */
  forget(revision: Revision): void {
    this.#ring.forget(revision);
    for (const kept of this.#snapshots.keys()) if (kept < revision) this.#snapshots.delete(kept);
  }

  entryOf(kv: KeyValue): Entry {
    const prepared = this.#deps.takePrepared(kv.value);
    const { objects } = this.#deps;
    const encoded = prepared?.encoded ?? this.#deps.encodedOf(kv.value);
    const entry = new Entry({ key: kv.key, revision: kv.modRevision, encoded, objects });
    if (prepared?.object !== undefined) objects.adopt(entry, prepared.object);
    return entry;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0;
}
