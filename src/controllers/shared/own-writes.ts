import type { Clock } from '#machinery/clock/clock.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { objectKey } from '#machinery/meta/types.ts';

/** A write that its watch event has not confirmed after this time is forgotten, as upstream's expectations are. */
const FORGOTTEN_AFTER_MS = 5 * 60_000;

interface PendingWrite<T> {
  readonly type: 'created' | 'updated' | 'deleted';
  readonly object: T;
  /** Of an update: the version that was replaced. The cache is behind as long as it shows this one. */
  readonly baseVersion: string | undefined;
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
    this.#note(group, { type: 'created', object, baseVersion: undefined, atMs: this.#clock.monotonic() });
  }

  updated(group: string, base: T, object: T): void {
    const baseVersion = base.metadata.resourceVersion;
    if (object.metadata.resourceVersion === baseVersion) return;
    this.#note(group, { type: 'updated', object, baseVersion, atMs: this.#clock.monotonic() });
  }

  deleted(group: string, object: T): void {
    this.#note(group, { type: 'deleted', object, baseVersion: undefined, atMs: this.#clock.monotonic() });
  }

  /** Tells of an object that appeared in or vanished from the cache; call it from the informer's handlers. */
  observed(group: string, object: T): void {
    const writes = this.#groups.get(group);
    const write = writes?.get(objectKey(object));
    if (write === undefined || write.object.metadata.uid !== object.metadata.uid) return;
    if (write.type === 'created') this.#drop(group, objectKey(object));
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
    switch (write.type) {
      case 'created':
        return isSame;
      case 'updated':
        return !isSame || cached.metadata.resourceVersion !== write.baseVersion;
      case 'deleted':
        return !isSame || cached.metadata.deletionTimestamp !== undefined;
    }
  }

  #note(group: string, write: PendingWrite<T>): void {
    let writes = this.#groups.get(group);
    if (writes === undefined) {
      writes = new Map();
      this.#groups.set(group, writes);
    }
    writes.set(objectKey(write.object), write);
  }

  #drop(group: string, key: string): void {
    const writes = this.#groups.get(group);
    writes?.delete(key);
    if (writes?.size === 0) this.#groups.delete(group);
  }
}
