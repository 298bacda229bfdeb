import type { ResourceDefinition } from '#api/registry/resource.ts';
import { ByteSlab } from '#machinery/codec/byte-slab.ts';
import { StatusError, timeout } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Revision, Store, StoreEvent, StoreEventBatch, StoreSubscription } from '#store/store.ts';
import { ObjectCache } from './object-cache.ts';
import { type Prepared, ResourceCache } from './resource-cache.ts';
import type { Watcher } from './watcher.ts';

/** Everything of Kubernetes lies below this key. */
const ROOT = '/registry/';
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
  readonly #prepared = new WeakMap<Uint8Array, Prepared>();
  #freshWaiters: { revision: Revision; resolve: () => void }[] = [];
  #awake: Watcher[] = [];
  #isWakePosted = false;
  #subscription: StoreSubscription | undefined;
  #revision: Revision = 0;
  #bookmarkTimer: Disposable | undefined;
  #compactionTimer: Disposable | undefined;
  #isClosed = false;
  #failure: Error | undefined;

  constructor({ store, executor, log }: HubDeps) {
    this.store = store;
    this.executor = executor;
    this.#log = log;
  }

  /** Every write up to this revision is in the caches. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Why the caches no longer follow the store; undefined while they do. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Loads the caches of these resources (one a storage prefix) and follows the store from there. */
  async start(definitions: readonly ResourceDefinition[]): Promise<void> {
    const head = await this.store.head();
    this.#revision = head;
    await this.#subscribe(head);
    for (const definition of definitions) await this.cacheFor(definition);
    this.#scheduleBookmarks();
    this.#scheduleCompaction(this.#revision);
  }

  /** The cache of a stored resource; loaded at the first call for its prefix. */
  async cacheFor(definition: ResourceDefinition): Promise<ResourceCache> {
    const prefix = definition.storagePrefix;
    if (prefix === undefined) throw new Error(`resource "${definition.resource}" is not stored`);
    const existing = this.#caches.get(prefix) ?? this.#loading.get(prefix);
    if (existing !== undefined) return existing;
    const loading = this.#load(definition, prefix);
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

  async #load(definition: ResourceDefinition, prefix: string): Promise<ResourceCache> {
    this.#held.set(prefix, []);
    const { items, revision } = await this.store.list({ prefix: `${prefix}/` });
    const cache = new ResourceCache(definition, prefix, revision, {
      clock: this.executor.clock,
      objects: this.objects,
      takePrepared: (value) => this.#prepared.get(value),
    });
    cache.load(items);
    this.#caches.set(prefix, cache);
    for (const event of this.#held.get(prefix) ?? []) cache.apply(event);
    this.#held.delete(prefix);
    return cache;
  }

  caches(): ResourceCache[] {
    return [...this.#caches.values()];
  }

  /** Remembers what a writer knows of `value` until the cache sees it. */
  prepare(value: Uint8Array, prepared: Prepared): void {
    this.#prepared.set(value, prepared);
  }

  /** Resolves when the caches show `revision`; 504 "Too large resource version" when they do not in time. */
  async waitFor(revision: Revision): Promise<void> {
    if (revision <= this.#revision) return;
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
    if (revision > this.#revision) await this.waitFor(revision);
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
    this.#subscription?.close();
    this.#bookmarkTimer?.[Symbol.dispose]();
    this.#compactionTimer?.[Symbol.dispose]();
    for (const cache of this.#caches.values()) for (const watcher of cache.watchers.all()) watcher.end();
  }

  async #subscribe(afterRevision: Revision): Promise<void> {
    this.#subscription = await this.store.subscribe({
      prefix: ROOT,
      afterRevision,
      onBatch: (batch) => this.#apply(batch),
      onEnd: (error) => this.#ended(error),
    });
  }

  #apply(batch: StoreEventBatch): void {
    for (const event of batch.events) this.#route(event);
    this.#revision = Math.max(this.#revision, batch.revision);
    if (this.#freshWaiters.length === 0) return;
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

  #ended(error: Error): void {
    if (this.#isClosed) return;
    this.#failure = error;
    this.#log.error('the store ended the subscription of the watch caches', { error: error.message });
    for (const cache of this.#caches.values()) for (const watcher of cache.watchers.all()) watcher.end();
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
