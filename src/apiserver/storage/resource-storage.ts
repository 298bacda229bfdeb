import type { ResourceDefinition } from '#api/registry/resource.ts';
import { encodeObject } from '#machinery/codec/json.ts';
import { internalError, StatusError } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { type CompiledSchema, compileSchema } from '#machinery/schema/compile.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { Revision } from '#store/store.ts';
import type { CommitTimer } from '../metrics/storage-metrics.ts';
import { Entry } from './entry.ts';
import type { WatchHub } from './hub.ts';
import { storageKey } from './keys.ts';
import type { Prepared, ResourceCache } from './resource-cache.ts';
import type { StoredView } from './stored-view.ts';

export type StorageResult =
  /** For a deletion, the entry as it was, at the revision of the deletion. */
  | { readonly type: 'committed'; readonly entry: Entry }
  | { readonly type: 'conflict'; readonly current: Entry | undefined };

/** The stored objects of one served resource: reads from the watch cache, writes to the store. */
export class ResourceStorage {
  readonly definition: ResourceDefinition;
  readonly cache: ResourceCache;
  readonly #hub: WatchHub;
  readonly #schemas: SchemaSet;
  readonly #view: StoredView | undefined;
  readonly #timer: CommitTimer;
  #compiled: CompiledSchema | undefined;

  constructor(init: {
    definition: ResourceDefinition;
    cache: ResourceCache;
    hub: WatchHub;
    schemas: SchemaSet;
    timer: CommitTimer;
    /** For custom resources. */
    view?: StoredView | undefined;
  }) {
    this.definition = init.definition;
    this.cache = init.cache;
    this.#hub = init.hub;
    this.#schemas = init.schemas;
    this.#view = init.view;
    this.#timer = init.timer;
  }

  /** Compiled at first use. */
  get schema(): CompiledSchema {
    this.#compiled ??= this.definition.custom?.decoder ?? compileSchema(this.#schemas, this.definition.schemaName);
    return this.#compiled;
  }

  get schemas(): SchemaSet {
    return this.definition.custom?.schemas ?? this.#schemas;
  }

  /** A stored entry as this version of the resource shows it; the same one but for custom resources. */
  present(entry: Entry): Entry | Promise<Entry> {
    return this.#view?.present(entry) ?? entry;
  }

  /** The same at once, or undefined where a conversion webhook has to be asked. */
  presentNow(entry: Entry): Entry | undefined {
    return this.#view === undefined ? entry : this.#view.presentNow(entry);
  }

  presentAll(entries: Entry[]): Entry[] | Promise<Entry[]> {
    return this.#view?.presentAll(entries) ?? entries;
  }

  /** Whether entries are shown as they are stored, always. */
  get showsStored(): boolean {
    return this.#view === undefined;
  }

  keyOf(name: string, namespace: string): string {
    return storageKey(this.cache.prefix, { name, namespace: this.definition.namespaced ? namespace : '' });
  }

  /** Throws 500, in upstream's words, where there is a value that cannot be read. */
  get(name: string, namespace: string): Entry | undefined {
    const key = this.keyOf(name, namespace);
    const entry = this.cache.get(key);
    const unreadable = entry === undefined ? this.cache.unreadable(key) : undefined;
    if (unreadable !== undefined) throw unreadableError(key, unreadable);
    return entry;
  }

  /**
   * Runs a write that begins with the cached state. Where other servers write to the same store the cache may be behind:
   * a refusal, or a write that changed nothing, then counts only if it came of the newest state; else it runs again.
   */
  async fromCached<T>(
    { name, namespace }: { name: string; namespace: string },
    write: (current: Entry | undefined) => Promise<T>,
    changedNothing: (result: T, current: Entry | undefined) => boolean,
  ): Promise<T> {
    const current = this.get(name, namespace);
    if (this.#hub.isAlwaysFresh) return write(current);
    let first: { result: T } | { error: StatusError };
    try {
      const result = await write(current);
      if (!changedNothing(result, current)) return result;
      first = { result };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      first = { error };
    }
    await this.#hub.waitForHead();
    const newest = this.get(name, namespace);
    if (newest !== current) return write(newest);
    if ('error' in first) throw first.error;
    return first.result;
  }

  /** Encodes an object of the served version in its stored form. The object is given away. */
  encode(object: KubeObject): Prepared | Promise<Prepared> {
    const { storedAs } = this.definition;
    const stored = this.#view?.toStored(object) ?? storedAs?.toStored(object) ?? object;
    return stored instanceof Promise ? stored.then((form) => this.#prepared(form)) : this.#prepared(stored);
  }

  #prepared(stored: KubeObject): Prepared {
    return { encoded: encodeObject(stored, this.#hub.slab), object: stored };
  }

  /** Writes an encoded object if the key is still at `expectedRevision` (0: absent). */
  async put(key: string, prepared: Prepared, expectedRevision: Revision): Promise<StorageResult> {
    const { ttlSeconds } = this.definition;
    const { encoded } = prepared;
    this.#hub.prepare(encoded.bytes, prepared);
    const result = await this.#timer.time(expectedRevision === 0 ? 'create' : 'update', () =>
      this.#hub.store.commit({
        key,
        value: encoded.bytes,
        expectedRevision,
        ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
      }),
    );
    if (result.type === 'conflict') return this.#conflict(result.current);
    this.#view?.wrote(result.revision);
    const cached = this.cache.get(key);
    const entry =
      cached?.revision === result.revision
        ? cached
        : new Entry({ key, revision: result.revision, encoded, objects: this.#hub.objects });
    return { type: 'committed', entry };
  }

  async remove(current: Entry): Promise<StorageResult> {
    const { key, revision } = current;
    const result = await this.#timer.time('delete', () =>
      this.#hub.store.commit({ key, value: undefined, expectedRevision: revision }),
    );
    if (result.type === 'conflict') return this.#conflict(result.current);
    return { type: 'committed', entry: current.at(result.revision) };
  }

  #conflict(kv: Parameters<ResourceCache['entryOf']>[0] | undefined): StorageResult {
    if (kv === undefined) return { type: 'conflict', current: undefined };
    try {
      return { type: 'conflict', current: this.cache.entryOf(kv) };
    } catch (error) {
      throw unreadableError(kv.key, error);
    }
  }
}

function unreadableError(key: string, cause: unknown): StatusError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return internalError(new Error(`unable to transform key "${key}": ${reason}`, { cause }));
}
