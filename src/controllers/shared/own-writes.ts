import type { Clock } from '#machinery/clock/clock.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { objectKey } from '#machinery/meta/types.ts';

/** A write that its watch event has not confirmed after this time is forgotten, as upstream's expectations are. */
const FORGOTTEN_AFTER_MS = 5 * 60_000;

/** Stands for "not in the cache" among versions. */
const ABSENT = '';

interface PendingWrite<T> {
  readonly type: 'exists' | 'deleted';
  readonly object: T;
  /** Versions that the cache may show while it is behind; once it shows another one, it has caught up. */
  readonly staleVersions: Set<string>;
  readonly atMs: number;
}

/**
 * What a controller wrote and its cache does not show yet. Reading the cache through this view gives a controller its
 * own writes at once, so that it neither creates again what it just created nor deletes a second object in place of
 * one that is already on its way out. Entries are grouped by the key of the object that the controller reconciles.
 */
export class OwnWrites<T extends KubeObject> {
  readonly #groups = new Map<string, Map<string, PendingWrite<T>>>();
  readonly #clock: Clock;
  readonly #cached: (key: string) => T | undefined;

  constructor(deps: { clock: Clock; cached: (key: string) => T | undefined }) {
    this.#clock = deps.clock;
    this.#cached = deps.cached;
  }

  created(group: string, object: T): void {
    if (this.#cached(objectKey(object))?.metadata.uid === object.metadata.uid) return;
    this.#note(group, 'exists', object, new Set([ABSENT]));
  }

  updated(group: string, base: T, object: T): void {
    const baseVersion = base.metadata.resourceVersion ?? ABSENT;
    if (object.metadata.resourceVersion === baseVersion) return;
    // The base may itself be a write that the cache does not show yet.
    const before = this.#groups.get(group)?.get(objectKey(object));
    const isSame = before?.type === 'exists' && before.object.metadata.uid === object.metadata.uid;
    this.#note(group, 'exists', object, new Set([...(isSame ? before.staleVersions : []), baseVersion]));
  }

  deleted(group: string, object: T): void {
    this.#note(group, 'deleted', object, new Set());
  }

  /** Tells of an object that appeared in the cache; call it from the informer's handlers. */
  observed(group: string, object: T): void {
    const write = this.#groups.get(group)?.get(objectKey(object));
    // From now on, its absence means that it is gone.
    if (write?.object.metadata.uid === object.metadata.uid) write?.staleVersions.delete(ABSENT);
  }

  /** The group's objects as they are after all own writes. `items` is what the cache shows. */
  apply(group: string, items: readonly T[]): readonly T[] {
    const writes = this.#groups.get(group);
    if (writes === undefined) return items;
    const result = new Map(items.map((item) => [objectKey(item), item]));
    for (const [key, write] of writes) {
      if (this.#isSettled(key, write)) {
        this.#drop(group, key);
      } else if (write.type === 'deleted') {
        result.delete(key);
      } else {
        result.set(key, write.object);
      }
    }
    return [...result.values()];
  }

  /** The reconciled object is gone. */
  forget(group: string): void {
    this.#groups.delete(group);
  }

  /** Milliseconds until the group's oldest write is forgotten; undefined where there is none. */
  forgottenInMs(group: string): number | undefined {
    const writes = this.#groups.get(group);
    if (writes === undefined) return undefined;
    const oldest = Math.min(...[...writes.values()].map((write) => write.atMs));
    return Math.max(0, oldest + FORGOTTEN_AFTER_MS - this.#clock.monotonic());
  }

  #isSettled(key: string, write: PendingWrite<T>): boolean {
    if (this.#clock.monotonic() - write.atMs >= FORGOTTEN_AFTER_MS) return true;
    const cached = this.#cached(key);
    const isSame = cached !== undefined && cached.metadata.uid === write.object.metadata.uid;
    if (write.type === 'deleted') return !isSame || cached.metadata.deletionTimestamp !== undefined;
    return !write.staleVersions.has(isSame ? (cached.metadata.resourceVersion ?? ABSENT) : ABSENT);
  }

  #note(group: string, type: PendingWrite<T>['type'], object: T, staleVersions: Set<string>): void {
    let writes = this.#groups.get(group);
    if (writes === undefined) {
      writes = new Map();
      this.#groups.set(group, writes);
    }
    writes.set(objectKey(object), { type, object, staleVersions, atMs: this.#clock.monotonic() });
  }

  #drop(group: string, key: string): void {
    const writes = this.#groups.get(group);
    writes?.delete(key);
    if (writes?.size === 0) this.#groups.delete(group);
  }
}
