import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Change } from './change.ts';
import type { Entry } from './entry.ts';
import { fieldValue, INDEXED_FIELDS, type Selection } from './selection.ts';
import { splitStorageKey } from './keys.ts';
import type { Watcher } from './watcher.ts';

/**
 * The watchers of one resource in buckets by what they require: an indexed field's value, a name, a namespace, or
 * nothing. Each watcher is in exactly one bucket, so a change looks at the few it may concern.
 */
export class WatcherIndex {
  readonly #definition: Pick<ResourceDefinition, 'selectableFields'>;
  readonly #prefix: string;
  readonly #buckets = new Map<string, Set<Watcher>>();
  readonly #fields: readonly string[];
  /** Watchers that look at an indexed field; while there are none, changes need no parsed object. */
  #fieldWatchers = 0;

  constructor(definition: Pick<ResourceDefinition, 'selectableFields'>, prefix: string) {
    this.#definition = definition;
    this.#prefix = prefix;
    this.#fields = INDEXED_FIELDS.filter((field) => Object.hasOwn(definition.selectableFields, field));
  }

  get size(): number {
    let size = 0;
    for (const bucket of this.#buckets.values()) size += bucket.size;
    return size;
  }

  add(watcher: Watcher): void {
    const key = bucketOf(watcher.selection);
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, new Set([watcher]));
    else bucket.add(watcher);
    if (watcher.selection.indexed !== undefined) this.#fieldWatchers++;
  }

  remove(watcher: Watcher): void {
    const key = bucketOf(watcher.selection);
    const bucket = this.#buckets.get(key);
    if (bucket === undefined || !bucket.delete(watcher)) return;
    if (bucket.size === 0) this.#buckets.delete(key);
    if (watcher.selection.indexed !== undefined) this.#fieldWatchers--;
  }

  all(): Watcher[] {
    return [...this.#buckets.values()].flatMap((bucket) => [...bucket]);
  }

  dispatch(change: Change): void {
    if (this.#buckets.size === 0) return;
    const { namespace, name } = splitStorageKey(this.#prefix, change.key);
    this.#offer('', change);
    this.#offer(`name ${name}`, change, namespace);
    if (namespace !== '') this.#offer(`namespace ${namespace}`, change);
    if (this.#fieldWatchers > 0) this.#dispatchByField(change, namespace);
  }

  #dispatchByField(change: Change, namespace: string): void {
    for (const field of this.#fields) {
      const now = this.#value(change.entry, field);
      const before = this.#value(change.previous, field);
      if (now !== undefined) this.#offer(`${field} ${now}`, change, namespace);
      if (before !== undefined && before !== now) this.#offer(`${field} ${before}`, change, namespace);
    }
  }

  #value(entry: Entry | undefined, field: string): string | undefined {
    return entry === undefined ? undefined : fieldValue(this.#definition, entry.object, field);
  }

  #offer(key: string, change: Change, namespace?: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    for (const watcher of bucket) {
      if (namespace !== undefined && watcher.selection.namespace !== '' && watcher.selection.namespace !== namespace) {
        continue;
      }
      watcher.offer(change);
    }
  }
}

function bucketOf({ indexed, name, namespace }: Selection): string {
  if (indexed !== undefined) return `${indexed.field} ${indexed.value}`;
  if (name !== undefined) return `name ${name}`;
  return namespace === '' ? '' : `namespace ${namespace}`;
}
