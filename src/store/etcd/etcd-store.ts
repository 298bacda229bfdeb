import type { Clock } from '#machinery/clock/clock.ts';
import { integerOf } from '#net/grpc/message-codec.ts';
import type { Random } from '#machinery/random/random.ts';
import {
  CompactedError,
  FutureRevisionError,
  HistoryReplacedError,
  StoreClosedError,
  StoreOpenError,
  StoreUnavailableError,
} from '../errors.ts';
import { Subscribers } from '../shared/subscribers.ts';
import type {
  CommitResult,
  KeyValue,
  Revision,
  Store,
  StoreEventBatch,
  StoreListOptions,
  StoreListResult,
  StoreSubscription,
  StoreWrite,
  SubscribeOptions,
} from '../store.ts';
import { Compactor } from './compactor.ts';
import { EtcdClient, type EtcdClientOptions } from './etcd-client.ts';
import { compactedError, EtcdError, storeErrorOf } from './etcd-errors.ts';
import { HeadReader } from './head-reader.ts';
import { HistoryTurns, readHistory } from './history.ts';
import { KeySpace } from './key-space.ts';
import { LeasePool } from './lease-pool.ts';
import { LiveWatch } from './live-watch.ts';
import type { WireRangeResponse } from './messages.ts';
import { checkTls, handshakeProblem } from './tls-check.ts';
import { EtcdWriter } from './writer.ts';

/** For all attempts of one read, and for the watch to catch up with it. */
const READ_TIMEOUT_MS = 5_000;
const REACH_TIMEOUT_MS = 5_000;
const COMPACT_TIMEOUT_MS = 10_000;
const OPEN_TIMEOUT_MS = 10_000;
/** After a write: how long its own event may take until the writer is answered without it. */
const FOLLOW_TIMEOUT_MS = 1_000;
/** After a conflict: readers of caches should see what it was with, but nobody relies on it. */
const FOLLOW_CONFLICT_MS = 100;
/** Keys asked for at once by a list, as upstream pages. */
const PAGE_KEYS = 500;
const FIND_AGAIN_MS = 200;
/** Closing waits this long for writes under way; etcd decides what becomes of the others. */
const CLOSE_GRACE_MS = 3_000;
/** A process that ends does not wait for an etcd that has not answered within this time. */
const SILENT_AFTER_MS = 1_000;
/** A list whose revision was compacted while it was read starts again this often. */
const LIST_ATTEMPTS = 3;

export interface EtcdStoreOptions extends EtcdClientOptions {
  /** Where the store's keys lie, such as `/registry`; without a slash at its end. */
  readonly prefix: string;
  /** What the store's keys begin with instead of `prefix`. Default: `/registry`. */
  readonly root?: string;
  /** How often history of before the last time is forgotten, by one of the servers. 0: never by itself. */
  readonly compactEveryMs?: number;
  /** How long opening may look for a member that answers. */
  readonly openTimeoutMs?: number;
}

export interface EtcdStoreDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** Connects to an etcd cluster. Throws `StoreOpenError` where none of its members answers. */
export async function openEtcdStore(options: EtcdStoreOptions, deps: EtcdStoreDeps): Promise<Store> {
  checkTls(options.tls ?? {}, deps.clock.now());
  const client = new EtcdClient(options, deps);
  try {
    const keys = new KeySpace({ root: options.root ?? '/registry', prefix: options.prefix });
    const request = { key: keys.range.key, countOnly: true };
    const { header } = await client.call('range', request, {
      timeoutMs: options.openTimeoutMs ?? OPEN_TIMEOUT_MS,
      retry: 'always',
    });
    return new EtcdStore({ ...deps, client, keys }, { ...options, head: integerOf(header?.revision) });
  } catch (error) {
    client.close();
    const text = error instanceof Error ? error.message : String(error);
    const reason = handshakeProblem(text) ?? text;
    throw new StoreOpenError(`cannot reach etcd at ${options.endpoints.join(', ')}: ${reason}`, { cause: error });
  }
}

/** The store contract on etcd: writes are transactions, reads ranges, and one watch feeds all subscribers. */
class EtcdStore implements Store {
  readonly backend = 'etcd';
  readonly compactsItself: boolean;
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #keys: KeySpace;
  readonly #subscribers = new Subscribers();
  readonly #watch: LiveWatch;
  readonly #head: HeadReader;
  readonly #writer: EtcdWriter;
  readonly #compactor: Compactor | undefined;
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #turns = new HistoryTurns();
  #compacted: Revision = 0;
  #closing: Promise<void> | undefined;

  constructor(
    deps: EtcdStoreDeps & { client: EtcdClient; keys: KeySpace },
    options: { head: Revision; compactEveryMs?: number },
  ) {
    const { client, clock, keys } = deps;
    this.#client = client;
    this.#clock = clock;
    this.#keys = keys;
    this.#writer = new EtcdWriter({ ...deps, leases: new LeasePool(deps) });
    this.#head = new HeadReader(() => this.#askHead());
    this.#watch = new LiveWatch(options.head, {
      client,
      clock,
      keys,
      written: (key, value) => this.#writer.written(key, value),
      onBatch: (batch) => this.#subscribers.deliver(batch),
      onGap: (error) => {
        this.#compacted = Math.max(this.#compacted, error.compactedRevision);
        this.#subscribers.end(error);
      },
      onReplaced: () => void this.#findNewHistory(),
      // Where etcd went back, the watch alone would wait for its old revision to come again.
      onResumed: () => void this.head().catch(() => undefined),
    });
    const { compactEveryMs = 0 } = options;
    this.compactsItself = compactEveryMs > 0;
    if (compactEveryMs > 0) {
      this.#compactor = new Compactor({ ...deps, compact: (revision) => this.compact(revision) }, compactEveryMs);
    }
  }

  async commit(write: StoreWrite): Promise<CommitResult> {
    this.#assertOpen();
    return this.#track(this.#commit(write));
  }

  async get(key: string, options: { revision?: Revision } = {}): Promise<{ kv?: KeyValue; revision: Revision }> {
    this.#assertOpen();
    const request = { key: this.#keys.remote(key), ...options };
    const seen = this.#watch.position;
    const response = await this.#range(request, options.revision);
    const [wire] = response.kvs;
    if (options.revision === undefined) this.#assertForward(seen, integerOf(response.header?.revision));
    const revision = options.revision ?? integerOf(response.header?.revision);
    return wire === undefined ? { revision } : { kv: this.#keys.keyValue(wire), revision };
  }

  async list(options: StoreListOptions): Promise<StoreListResult> {
    this.#assertOpen();
    if (options.revision !== undefined) return this.#listAt(options);
    for (let attempt = 1; ; attempt++) {
      try {
        const seen = this.#watch.position;
        const list = await this.#listAt(options);
        this.#assertForward(seen, list.revision);
        // What a list shows was delivered before, so that caches that load while they watch miss and repeat nothing.
        await this.#watch.reach(list.revision, REACH_TIMEOUT_MS);
        return list;
      } catch (error) {
        if (!(error instanceof CompactedError) || attempt === LIST_ATTEMPTS) throw error;
      }
    }
  }

  async subscribe(options: SubscribeOptions): Promise<StoreSubscription> {
    this.#assertOpen();
    const { afterRevision } = options;
    if (afterRevision < this.#compacted) throw new CompactedError(this.#compacted);
    if (afterRevision >= this.#watch.position) return this.#subscribers.add(options, []);
    if (this.#watch.eventPosition < this.#watch.position) {
      await this.#watch.reach(await this.#advance(), REACH_TIMEOUT_MS);
    }
    const upTo = this.#watch.position;
    const meanwhile: StoreEventBatch[] = [];
    let gap: Error | undefined;
    const catcher = this.#subscribers.add(
      {
        prefix: options.prefix,
        afterRevision: upTo,
        onBatch: (batch) => meanwhile.push(batch),
        onEnd: (error) => {
          gap = error;
        },
      },
      [],
    );
    try {
      const deps = { client: this.#client, clock: this.#clock, keys: this.#keys };
      const { prefix } = options;
      const history = await this.#turns.take(() => readHistory(deps, { prefix, afterRevision, upTo }));
      if (gap !== undefined) throw gap;
      return this.#subscribers.add(options, [...history, ...meanwhile]);
    } catch (error) {
      if (error instanceof CompactedError) this.#compacted = Math.max(this.#compacted, error.compactedRevision);
      throw storeErrorOf(error);
    } finally {
      catcher.close();
    }
  }

  /** The newest revision, after everything up to it was delivered: for a read that must not be stale. */
  async head(): Promise<Revision> {
    this.#assertOpen();
    const seen = this.#watch.position;
    const revision = await this.#head.read();
    this.#assertForward(seen, revision);
    await this.#watch.reach(revision, REACH_TIMEOUT_MS);
    return revision;
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    try {
      await this.#client.call('compact', { revision }, { timeoutMs: COMPACT_TIMEOUT_MS, retry: 'always' });
    } catch (error) {
      if (error instanceof EtcdError && error.isFuture) throw new FutureRevisionError(this.#watch.position);
      // Somebody else has compacted more.
      if (!(error instanceof EtcdError && error.isCompacted)) throw storeErrorOf(error);
    }
    this.#compacted = Math.max(this.#compacted, revision);
  }

  compactedRevision(): Revision {
    return this.#compacted;
  }

  async sizeBytes(): Promise<number> {
    this.#assertOpen();
    try {
      const status = await this.#client.call('status', {}, { timeoutMs: READ_TIMEOUT_MS, retry: 'always' });
      return integerOf(status.dbSizeInUse);
    } catch (error) {
      throw storeErrorOf(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async giveUpIfSilent(): Promise<void> {
    const answer = this.#head.read().then(
      () => true,
      () => false,
    );
    if ((await this.#within(answer, SILENT_AFTER_MS)) === true) return;
    this.#watch.close();
    this.#client.close();
  }

  async #close(): Promise<void> {
    this.#compactor?.close();
    await this.#within(Promise.allSettled(this.#inFlight), CLOSE_GRACE_MS);
    this.#watch.close();
    this.#subscribers.end(new StoreClosedError());
    this.#client.close();
    await Promise.allSettled(this.#inFlight);
  }

  /** Undefined where it takes longer. */
  async #within<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
    const late = Promise.withResolvers<undefined>();
    const timer = this.#clock.setTimeout(() => late.resolve(undefined), timeoutMs);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  async #commit(write: StoreWrite): Promise<CommitResult> {
    using _ = this.#writer.remember(write);
    const seen = this.#watch.position;
    const { result, revision } = await this.#writer.write(write);
    this.#assertForward(seen, revision);
    const timeoutMs = result.type === 'committed' ? FOLLOW_TIMEOUT_MS : FOLLOW_CONFLICT_MS;
    await this.#watch.follow(result.type === 'committed' ? revision : conflictRevision(result, revision), timeoutMs);
    return result;
  }

  /**
   * Consistent reads and writes never find less than the watch has shown before them, unless a backup was restored: then
   * everything in the caches is of a past that did not happen, and all is read anew.
   */
  #assertForward(seen: Revision, revision: Revision): void {
    if (revision >= seen) return;
    // Somebody else may have found it out already.
    if (this.#watch.position >= seen) this.#followNewHistory(revision);
    throw new StoreUnavailableError(
      `etcd went back from revision ${seen} to ${revision}, as after restoring a backup: everything is read anew`,
    );
  }

  #followNewHistory(head: Revision): void {
    this.#compacted = head;
    this.#watch.restartAt(head);
    this.#subscribers.end(new HistoryReplacedError(head));
  }

  async #findNewHistory(): Promise<void> {
    this.#subscribers.end(new HistoryReplacedError(0));
    while (this.#closing === undefined) {
      try {
        return this.#followNewHistory(await this.#head.read());
      } catch {
        // etcd does not answer now; consistent reads fail until it does.
        await this.#clock.sleep(FIND_AGAIN_MS);
      }
    }
  }

  async #listAt(options: StoreListOptions): Promise<StoreListResult> {
    const { prefix, startKey, limit = 0 } = options;
    const range = this.#keys.rangeOf(prefix, startKey);
    if (range === undefined) return { items: [], revision: options.revision ?? (await this.#head.read()), count: 0 };
    const items: KeyValue[] = [];
    let { revision } = options;
    let count: number | undefined;
    for (let key: Uint8Array = range.key; ; ) {
      const pageLimit = limit > 0 ? Math.min(limit - items.length, PAGE_KEYS) : PAGE_KEYS;
      const request = {
        key,
        rangeEnd: range.rangeEnd,
        limit: pageLimit,
        ...(revision === undefined ? {} : { revision }),
      };
      const page = await this.#range(request, revision);
      revision ??= integerOf(page.header?.revision);
      count ??= integerOf(page.count);
      for (const wire of page.kvs) items.push(this.#keys.keyValue(wire));
      const last = page.kvs.at(-1);
      if (last === undefined || !page.more || items.length === limit) return { items, revision, count };
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  async #range(request: object, revision: Revision | undefined): Promise<WireRangeResponse> {
    try {
      return await this.#client.call('range', request, { timeoutMs: READ_TIMEOUT_MS, retry: 'always' });
    } catch (error) {
      if (error instanceof EtcdError && error.isCompacted) throw compactedError(this.#compacted, revision ?? 0);
      if (error instanceof EtcdError && error.isFuture) throw new FutureRevisionError(this.#watch.position);
      throw storeErrorOf(error);
    }
  }

  /** A linearizable read that returns nothing but the revision. */
  async #askHead(): Promise<Revision> {
    const { header } = await this.#range({ key: this.#keys.progressKey, countOnly: true }, undefined);
    return integerOf(header?.revision);
  }

  async #advance(): Promise<Revision> {
    try {
      return await this.#watch.advance();
    } catch (error) {
      throw storeErrorOf(error);
    }
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight.add(work);
    try {
      return await work;
    } finally {
      this.#inFlight.delete(work);
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreClosedError();
  }
}

function conflictRevision(result: CommitResult, revision: Revision): Revision {
  return result.type === 'conflict' && result.current !== undefined ? result.current.modRevision : revision;
}
