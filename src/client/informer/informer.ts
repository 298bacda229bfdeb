import { deepFreeze } from '#machinery/codec/deep.ts';
import { isExpired } from '#machinery/errors/status-error.ts';
import type { Executor, TaskClass } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { type KubeObject, objectKey } from '#machinery/meta/types.ts';
import { Backoff, REFLECTOR_BACKOFF } from '../backoff.ts';
import type { Client, ResourceType, WatchEvent } from '../client.ts';
import { HandlerQueue, type InformerHandler } from './handler-queue.ts';
import { type IndexFunction, ObjectStore, type StoreChange } from './object-store.ts';

// Upstream's: a watch lives 5 to 10 minutes, so that watches spread over the servers again.
const WATCH_SECONDS_MIN = 300;
// A server that does not end a watch in time has gone silent; this much later the client ends it.
const WATCH_GRACE_MS = 30_000;
// A watch that ends sooner without an event counts as a failure.
const SHORT_WATCH_MS = 1000;
// Two expired versions within this time count as a failure.
const EXPIRY_RARE_MS = 10_000;

export interface InformerDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
  /** The class of the handlers' tasks; default `controller`. */
  readonly taskClass?: TaskClass;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects listed at a time. Absent: all at once, which is best within the process. */
  readonly pageSize?: number;
}

/**
 * A view of a resource that follows the server: lists once, then watches, resumes from where a watch ended, and lists
 * anew only where that is gone. Changes are in the view before handlers are told of them, in the server's order.
 */
export class Informer<T extends KubeObject = KubeObject> {
  readonly resource: ResourceType<T>;
  readonly #deps: InformerDeps;
  readonly #options: InformerOptions;
  readonly #store = new ObjectStore<T>();
  readonly #queues: HandlerQueue<T>[] = [];
  readonly #backoff: Backoff;
  readonly #synced = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  // The watch under way. Not derived from #stop's signal: that would remember every watch there ever was.
  #watching: AbortController | undefined;
  #loop: Promise<void> | undefined;
  #hasSynced = false;
  #resourceVersion = '';
  #expiredAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: InformerDeps, resource: ResourceType<T>, options: InformerOptions = {}) {
    this.#deps = deps;
    this.resource = resource;
    this.#options = options;
    const { clock, random } = deps.executor;
    this.#backoff = new Backoff({ clock, random }, REFLECTOR_BACKOFF);
  }

  /** Whether the first list is in the view. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Settles when the first list is in the view; never if the informer is stopped before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** How far the view has come; opaque. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  get size(): number {
    return this.#store.size;
  }

  /** The object of a key (`namespace/name`, or `name`), frozen. */
  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  /** All objects, frozen, in no order. */
  list(): T[] {
    return [...this.#store.values()];
  }

  /** As `list`, without an array. Do not await while iterating. */
  values(): IterableIterator<T> {
    return this.#store.values();
  }

  byIndex(index: string, value: string): T[] {
    return this.#store.byIndex(index, value);
  }

  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    this.#store.addIndex(name, valuesOf);
  }

  /** The objects of a namespace. */
  listNamespace(namespace: string): T[] {
    this.addIndex(NAMESPACE_INDEX, namespaceOf);
    return this.byIndex(NAMESPACE_INDEX, namespace);
  }

  /** What is in the view already comes as added first. Returns how to take the handler away again. */
  addHandler(handler: InformerHandler<T>): () => void {
    const { executor, taskClass = 'controller' } = this.#deps;
    const onError = (error: unknown) => this.#report('a handler failed', error);
    const queue = new HandlerQueue<T>({ executor, taskClass, onError }, handler);
    this.#queues.push(queue);
    for (const next of this.#store.values()) queue.push({ type: 'added', next });
    return () => {
      queue.close();
      this.#queues.splice(this.#queues.indexOf(queue), 1);
    };
  }

  /** Starts once; later calls do nothing. */
  start(): void {
    if (this.#stop.signal.aborted) return;
    this.#loop ??= this.#run();
  }

  /** Settles when nothing runs any more. The view keeps what it holds. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#watching?.abort();
    for (const queue of this.#queues) queue.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let mustList = true;
    while (!signal.aborted) {
      try {
        if (mustList) await this.#list();
        mustList = false;
        await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        const canResume: boolean = !mustList && !isExpired(error);
        this.#report(mustList ? 'cannot list' : 'watch failed', error);
        // The version to resume from is gone: listing at once loses the least, unless it happens again and again.
        const nowMs = this.#deps.executor.clock.monotonic();
        const isRare = isExpired(error) && nowMs - this.#expiredAtMs > EXPIRY_RARE_MS;
        if (isExpired(error)) this.#expiredAtMs = nowMs;
        mustList = !canResume;
        await this.#pause(isRare ? 0 : this.#backoff.next());
      }
    }
  }

  async #list(): Promise<void> {
    const { client } = this.#deps;
    const { pageSize, ...selection } = this.#options;
    const { signal } = this.#stop;
    const seen = new Set<string>();
    let version = '';
    let next = '';
    do {
      const list = await client.list<T>(this.resource, {
        ...selection,
        ...(pageSize === undefined ? {} : { limit: pageSize }),
        ...(next === '' ? {} : { continue: next }),
        // Any state will do for a first view; one that replaces another must not be older than it.
        ...(this.#hasSynced || pageSize !== undefined ? {} : { resourceVersion: '0' }),
        signal,
      });
      for (const object of list.items) {
        seen.add(objectKey(object));
        if (this.#store.get(objectKey(object))?.metadata.resourceVersion !== object.metadata.resourceVersion) {
          this.#notify(this.#store.set(object));
        }
        if (this.#deps.executor.shouldPause()) await this.#deps.executor.pause('watch');
      }
      version = list.metadata.resourceVersion ?? '';
      next = list.metadata.continue ?? '';
    } while (next !== '');
    for (const key of this.#store.keys()) {
      if (!seen.has(key)) this.#remove(key, undefined);
    }
    this.#resourceVersion = version;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  /** Follows one watch to its end. */
  async #watch(): Promise<void> {
    // Stopped while it listed: nobody would end a watch that starts now.
    if (this.#stop.signal.aborted) return;
    const { client, executor } = this.#deps;
    const { pageSize: _, ...selection } = this.#options;
    const timeoutSeconds = Math.floor(WATCH_SECONDS_MIN * (1 + executor.random.float()));
    const startMs = executor.clock.monotonic();
    const watching = new AbortController();
    this.#watching = watching;
    const timer = executor.clock.setTimeout(() => watching.abort(), timeoutSeconds * 1000 + WATCH_GRACE_MS, {
      unref: true,
    });
    let events = 0;
    try {
      const watch = client.watch<T>(this.resource, {
        ...selection,
        resourceVersion: this.#resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds,
        signal: watching.signal,
      });
      for await (const event of watch) {
        if (this.#stop.signal.aborted) return;
        events++;
        this.#apply(event);
        if (executor.shouldPause()) await executor.pause('watch');
      }
    } finally {
      timer.cancel();
    }
    if (events === 0 && executor.clock.monotonic() - startMs < SHORT_WATCH_MS) await this.#pause(this.#backoff.next());
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === 'DELETED') this.#remove(objectKey(event.object), event.object);
    else if (event.type !== 'BOOKMARK') this.#notify(this.#store.set(event.object));
    this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
  }

  /** `last` is the object as the server deleted it, where that is known. */
  #remove(key: string, last: T | undefined): void {
    const known = this.#store.delete(key);
    if (known === undefined) return;
    this.#notify({ type: 'deleted', old: last === undefined ? known : deepFreeze(last) });
  }

  #notify(change: StoreChange<T>): void {
    for (const queue of this.#queues) queue.push(change);
  }

  /** Waits; ends at once when the informer is stopped. */
  async #pause(delayMs: number): Promise<void> {
    const { clock } = this.#deps.executor;
    const { signal } = this.#stop;
    if (delayMs <= 0 || signal.aborted) return;
    try {
      await clock.sleep(delayMs, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #report(message: string, error: unknown): void {
    const { group, version, resource } = this.resource;
    this.#deps.log.warn(message, { resource: `${group}/${version}/${resource}`, error: String(error) });
  }
}

const NAMESPACE_INDEX = 'metadata.namespace';

function namespaceOf(object: KubeObject): string[] {
  return [object.metadata.namespace ?? ''];
}
