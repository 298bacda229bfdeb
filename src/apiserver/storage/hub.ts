import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import { ByteSlab } from '#machinery/codec/byte-slab.ts';
import { isEnvelope } from '#machinery/codec/protobuf/envelope.ts';
import { resourceExpired, StatusError, timeout } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Revision, Store, StoreEvent, StoreEventBatch, StoreListResult } from '#store/store.ts';
import { HistoryReplacedError, StoreClosedError } from '#store/errors.ts';
import { ProtobufForms, type ProtobufSource } from '../protobuf-forms.ts';
import { ObjectCache } from './object-cache.ts';
import { type Prepared, ResourceCache } from './resource-cache.ts';
import { SharedLock } from './shared-lock.ts';
import { ROOT, StoreFollower } from './store-follower.ts';
import { StoredValues } from './stored-values.ts';
import type { Watcher } from './watcher.ts';

/** How long a read waits for a revision that was not reached yet, as upstream's watch cache does. */
const FRESH_WAIT_MS = 3_000;
/** How often watchers that ask for bookmarks get one. */
const BOOKMARK_EVERY_MS = 60_000;
/** Watchers woken in one task: what they then write to their sockets runs before the next task, and takes far longer. */
const WOKEN_PER_TASK_MAX = 16;
/** Upstream's `--etcd-compaction-interval`. */
const COMPACT_EVERY_MS = 5 * 60_000;

export interface HubDeps {
  readonly store: Store;
  readonly executor: Executor;
  readonly log: Logger;
  /** How values are read that a stock API server wrote as protobuf. */
  readonly protobuf?: ProtobufSource;
  /** Whose defaults such objects get. */
  readonly registry?: Pick<ResourceRegistry, 'byKind'>;
}

/** Feeds the watch caches of all resources from one subscription to the store, and wakes their watchers. */
export class WatchHub {
  readonly store: Store;
  readonly executor: Executor;
  readonly #log: Logger;
  /** Parsed objects of all resources share one bound. */
  readonly objects = new ObjectCache();
  /** Holds the bytes of what was written since the start. */
  readonly slab = new ByteSlab();
  readonly #caches = new Map<string, ResourceCache>();
  readonly #loading = new Map<string, Promise<ResourceCache>>();
  /** Events of resources whose cache is being loaded. */
  readonly #held = new Map<string, StoreEvent[]>();
  readonly #locks = new Map<string, SharedLock>();
  readonly #prepared = new WeakMap<Uint8Array, Prepared>();
  #freshWaiters: { revision: Revision; resolve: () => void }[] = [];
  #awake: Watcher[] = [];
  #isWakePosted = false;
  readonly #values: StoredValues;
  readonly #follower: StoreFollower;
  #revision: Revision = 0;
  /** While caches are read anew: how far the store has told; they show it when all of them are done. */
  #reloadRevision: Revision | undefined;
  /** Set until the caches show the history that replaced theirs: no revision of theirs counts as reached. */
  #isReplaced = false;
  readonly #replacedListeners: (() => void)[] = [];
  #bookmarkTimer: Disposable | undefined;
  #compactionTimer: Disposable | undefined;
  #isClosed = false;

  constructor({ store, executor, log, protobuf, registry }: HubDeps) {
    this.store = store;
    this.executor = executor;
    this.#log = log;
    this.#follower = new StoreFollower({
      store,
      executor,
      log,
      revision: () => this.#revision,
      onBatch: (batch) => this.#apply(batch),
      onLost: (error) => this.#lost(error),
      reload: (head, subscribe) => this.#reload(head, subscribe),
    });
    this.#values = new StoredValues({
      forms: protobuf === undefined ? undefined : new ProtobufForms(protobuf),
      applyDefaults: (object) => {
        const [version = '', group = ''] = object.apiVersion.split('/').toReversed();
        registry?.byKind(group, version, object.kind)?.strategy.applyDefaults?.(object);
      },
    });
  }

  /** Every write up to this revision is in the caches. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Whether nobody else writes to the store: every write is in the caches before its writer is answered. */
  get isAlwaysFresh(): boolean {
    return this.store.backend !== 'etcd';
  }

  /** Why the caches no longer follow the store; undefined while they do. */
  get failure(): Error | undefined {
    return this.#follower.failure;
  }

  /** Calls back when the store's history was replaced: what is kept by revision means nothing any more. */
  onReplaced(listener: () => void): void {
    this.#replacedListeners.push(listener);
  }

  /** Loads the caches of these resources (one a storage prefix) and follows the store from there. */
  async start(definitions: readonly ResourceDefinition[]): Promise<void> {
    // Events are read as they come, without waiting: where stock servers may write, their form is known before.
    if (this.store.backend === 'etcd') await this.#values.loadProtobuf();
    const head = await this.store.head();
    this.#revision = head;
    await this.#follower.subscribe(head);
    for (const definition of definitions) await this.cacheFor(definition);
    this.#scheduleBookmarks();
    if (this.store.compactsItself !== true) this.#scheduleCompaction(this.#revision);
  }

  /** The cache of a stored resource; loaded at the first call for its prefix. */
  async cacheFor({ storagePrefix, resource, selectableFields, isCustom }: ResourceDefinition): Promise<ResourceCache> {
    if (storagePrefix === undefined) throw new Error(`resource "${resource}" is not stored`);
    // The fields of a custom resource change with its definition, so that no index is made of them.
    return this.cacheAt(storagePrefix, isCustom === true ? {} : selectableFields);
  }

  /** The same by the prefix. */
  async cacheAt(prefix: string, selectableFields: ResourceDefinition['selectableFields'] = {}): Promise<ResourceCache> {
    const existing = this.#caches.get(prefix) ?? this.#loading.get(prefix);
    if (existing !== undefined) return existing;
    const loading = this.#load({ selectableFields }, prefix);
    this.#loading.set(prefix, loading);
    try {
      return await loading;
    } finally {
      this.#loading.delete(prefix);
    }
  }

  /** The cache of a resource that was loaded before. */
  loadedCache(prefix: string): ResourceCache | undefined {
    return this.#caches.get(prefix);
  }

  /** Forgets the cache of a resource that is no more; its watchers end. */
  dropCache(prefix: string): void {
    const cache = this.#caches.get(prefix);
    this.#caches.delete(prefix);
    for (const watcher of cache?.watchers.all() ?? []) watcher.end();
  }

  async #load(definition: Pick<ResourceDefinition, 'selectableFields'>, prefix: string): Promise<ResourceCache> {
    this.#held.set(prefix, []);
    const { gaps } = this.#follower;
    const { items, revision } = await this.#list(prefix);
    // Events were lost meanwhile.
    if (gaps !== this.#follower.gaps) return this.#load(definition, prefix);
    const cache = new ResourceCache(definition, prefix, revision, {
      clock: this.executor.clock,
      objects: this.objects,
      takePrepared: (value) => this.#prepared.get(value),
      encodedOf: (value) => this.#values.encodedOf(value),
      onUnreadable: (key, error) => this.#log.error('cannot read a stored object', { key, error: String(error) }),
    });
    cache.load(items);
    this.#caches.set(prefix, cache);
    for (const event of this.#held.get(prefix) ?? []) cache.apply(event);
    this.#held.delete(prefix);
    return cache;
  }

  async #list(prefix: string): Promise<StoreListResult> {
    const list = await this.store.list({ prefix: `${prefix}/` });
    if (list.items.some(({ value }) => isEnvelope(value))) await this.#values.loadProtobuf();
    return list;
  }

  caches(): ResourceCache[] {
    return [...this.#caches.values()];
  }

  /** The lock of this name among all servers on the store; undefined where this is the only one. */
  sharedLock(name: string): SharedLock | undefined {
    if (this.isAlwaysFresh) return undefined;
    let lock = this.#locks.get(name);
    if (lock === undefined) {
      const { clock, random } = this.executor;
      lock = new SharedLock(name, { store: this.store, clock, random, refresh: () => this.waitForHead() });
      this.#locks.set(name, lock);
    }
    return lock;
  }

  /** Remembers what a writer knows of `value` until the cache sees it. */
  prepare(value: Uint8Array, prepared: Prepared): void {
    this.#prepared.set(value, prepared);
  }

  /** Resolves when the caches show `revision`; 504 "Too large resource version" when they do not in time. */
  async waitFor(revision: Revision): Promise<void> {
    if (revision <= this.#revision && !this.#isReplaced) return;
    const { clock } = this.executor;
    await new Promise<void>((resolve, reject) => {
      const waiter = { revision, resolve: () => (timer.cancel(), resolve()) };
      const timer = clock.setTimeout(() => {
        this.#freshWaiters = this.#freshWaiters.filter((other) => other !== waiter);
        reject(tooLargeRevision(revision, this.#revision));
      }, FRESH_WAIT_MS);
      this.#freshWaiters.push(waiter);
    });
  }

  /** Waits until the caches show everything that was written before this call. */
  async waitForHead(): Promise<Revision> {
    const head = this.store.head();
    const revision = typeof head === 'number' ? head : await head;
    if (revision > this.#revision || this.#isReplaced) await this.waitFor(revision);
    return this.#revision;
  }

  /** Forgets what was before `revision`, here and in the store: reads and watches of that time then fail with 410. */
  async compact(revision: Revision = this.#revision): Promise<void> {
    await this.store.compact(revision);
    for (const cache of this.#caches.values()) cache.forget(revision);
  }

  wake(watcher: Watcher): void {
    this.#awake.push(watcher);
    if (this.#isWakePosted) return;
    this.#isWakePosted = true;
    this.executor.post('watch', () => this.#flushAwake());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#follower.close();
    this.#bookmarkTimer?.[Symbol.dispose]();
    this.#compactionTimer?.[Symbol.dispose]();
    for (const cache of this.#caches.values()) for (const watcher of cache.watchers.all()) watcher.end();
  }

  #apply(batch: StoreEventBatch): void {
    for (const event of batch.events) this.#route(event);
    if (this.#reloadRevision === undefined) this.#moveTo(batch.revision);
    else this.#reloadRevision = Math.max(this.#reloadRevision, batch.revision);
  }

  #moveTo(revision: Revision): void {
    this.#revision = Math.max(this.#revision, revision);
    if (this.#freshWaiters.length === 0 || this.#isReplaced) return;
    const ready = this.#freshWaiters.filter((waiter) => waiter.revision <= this.#revision);
    this.#freshWaiters = this.#freshWaiters.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of ready) waiter.resolve();
  }

  // Prefixes are one segment below the root (`/registry/pods`), or two (`/registry/services/specs`).
  #route(event: StoreEvent): void {
    const { key } = event.kv;
    const first = key.indexOf('/', ROOT.length);
    if (first < 0) return;
    if (this.#deliver(key.slice(0, first), event)) return;
    const second = key.indexOf('/', first + 1);
    if (second > 0) this.#deliver(key.slice(0, second), event);
  }

  #deliver(prefix: string, event: StoreEvent): boolean {
    const held = this.#held.get(prefix);
    if (held !== undefined) {
      held.push(event);
      return true;
    }
    const cache = this.#caches.get(prefix);
    if (cache === undefined) return false;
    cache.apply(event);
    return true;
  }

  #flushAwake(): void {
    const woken = this.#awake.splice(0, WOKEN_PER_TASK_MAX);
    for (const watcher of woken) watcher.flush();
    this.#isWakePosted = this.#awake.length > 0;
    if (this.#isWakePosted) this.executor.post('watch', () => this.#flushAwake());
  }

  #scheduleBookmarks(): void {
    const timer = this.executor.clock.setTimeout(
      () => {
        this.executor.post('watch', () => {
          if (this.#isClosed) return;
          for (const cache of this.#caches.values()) {
            for (const watcher of cache.watchers.all()) watcher.offerBookmark(this.#revision);
          }
          this.#scheduleBookmarks();
        });
      },
      BOOKMARK_EVERY_MS,
      { unref: true },
    );
    this.#bookmarkTimer = timer;
  }

  // Each time the history of before the last time goes, so that everything is kept for one interval at least.
  #scheduleCompaction(revision: Revision): void {
    this.#compactionTimer = this.executor.clock.setTimeout(
      () => {
        this.executor.post('background', () => {
          if (this.#isClosed) return;
          const next = this.#revision;
          this.store
            .compact(revision)
            .catch((error: Error) => this.#log.warn('cannot compact the store', { error: error.message }));
          this.#scheduleCompaction(next);
        });
      },
      COMPACT_EVERY_MS,
      { unref: true },
    );
  }

  /** What is wrong with the store, for health checks; undefined where it answers in time and is followed. */
  checkStore(): Promise<string | undefined> {
    return this.#follower.check();
  }

  #lost(error: Error): void {
    if (error instanceof StoreClosedError) this.#endWatchers();
    else if (error instanceof HistoryReplacedError) this.#isReplaced = true;
  }

  #endWatchers(error?: StatusError): void {
    for (const cache of this.#caches.values()) for (const watcher of cache.watchers.all()) watcher.end(error);
  }

  /** Puts all caches into a state whose history is not known. */
  async #reload(head: Revision, subscribe: () => Promise<void>): Promise<void> {
    // Watchers cannot be told what happened meanwhile.
    const expired = () => this.#endWatchers(resourceExpired('The resourceVersion for the provided watch is too old.'));
    expired();
    this.#reloadRevision = head;
    for (const prefix of this.#caches.keys()) this.#held.set(prefix, []);
    try {
      await subscribe();
      for (const [prefix, cache] of this.#caches) {
        const { items, revision } = await this.#list(prefix);
        cache.reload(items, revision);
        for (const event of this.#held.get(prefix) ?? []) cache.apply(event);
        this.#held.delete(prefix);
      }
      if (this.#isReplaced) {
        this.#isReplaced = false;
        this.#revision = this.#reloadRevision;
        for (const listener of this.#replacedListeners) listener();
      }
      this.#moveTo(this.#reloadRevision);
      this.#reloadRevision = undefined;
    } finally {
      expired();
    }
  }
}

/** Upstream's answer where a client asks for a revision that is not there yet. */
export function tooLargeRevision(revision: Revision, current: Revision): StatusError {
  const error = timeout(`Too large resource version: ${revision}, current: ${current}`);
  return new StatusError({
    ...error.status,
    details: {
      ...error.status.details,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    },
  });
}
