import { deepFreeze } from '#machinery/codec/deep.ts';
import { type KubeObject, objectKey } from '#machinery/meta/types.ts';

/** The values under which an index finds an object. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** What a write to the store changed. */
export type StoreChange<T> =
  | { readonly type: 'added'; readonly next: T }
  | { readonly type: 'updated'; readonly old: T; readonly next: T }
  | { readonly type: 'deleted'; readonly old: T };

interface Index<T> {
  readonly valuesOf: IndexFunction<T>;
  readonly byValue: Map<string, Map<string, T>>;
}

/**
 * The objects of an informer by key, with indexes. Objects are kept as they come, frozen and never copied: informers of
 * one process on the same in-process server share them.
 */
export class ObjectStore<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Index<T>>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  set(object: T): StoreChange<T> {
    deepFreeze(object);
    const key = objectKey(object);
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) {
      if (old !== undefined) removeFrom(index, key, old);
      addTo(index, key, object);
    }
    return old === undefined ? { type: 'added', next: object } : { type: 'updated', old, next: object };
  }

  delete(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) removeFrom(index, key, old);
    return old;
  }

  /** Adding an index that is there already does nothing: whoever shares the informer gives it the same meaning. */
  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { valuesOf, byValue: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) addTo(index, key, object);
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`there is no index "${name}": add it first`);
    return [...(index.byValue.get(value)?.values() ?? [])];
  }
}

function addTo<T>({ valuesOf, byValue }: Index<T>, key: string, object: T): void {
  for (const value of valuesOf(object)) {
    const objects = byValue.get(value);
    if (objects === undefined) byValue.set(value, new Map([[key, object]]));
    else objects.set(key, object);
  }
}

function removeFrom<T>({ valuesOf, byValue }: Index<T>, key: string, object: T): void {
  for (const value of valuesOf(object)) {
    const objects = byValue.get(value);
    objects?.delete(key);
    if (objects?.size === 0) byValue.delete(value);
  }
}
