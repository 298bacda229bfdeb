import type { Clock } from '#machinery/clock/clock.ts';
import { CompactedError, FutureRevisionError, StoreClosedError, ValueTooLargeError } from '../errors.ts';
import { DEFAULT_HISTORY_LIMITS, EMPTY_REVISION, EventHistory, type HistoryLimits } from '../shared/event-history.ts';
import { ExpiryQueue, type Expiring } from '../shared/expiry.ts';
import { Snapshots } from '../shared/snapshots.ts';
import { newSortedMap, pageOf, type SortedMap } from '../shared/sorted-map.ts';
import { Subscribers } from '../shared/subscribers.ts';
import {
  type CommitResult,
  type KeyValue,
  type Revision,
  type Store,
  type StoreEvent,
  type StoreListOptions,
  type StoreListResult,
  type StoreSubscription,
  type StoreWrite,
  type SubscribeOptions,
  VALUE_BYTES_MAX,
} from '../store.ts';
const NO_VALUE = new Uint8Array(0);
const KEY_OVERHEAD_BYTES = 150;

export interface MemoryStoreDeps extends Partial<HistoryLimits> {
  readonly clock: Clock;
}

/**
 * Everything in this process's memory, gone with it. A write is decided, visible and delivered to every subscriber
 * before `commit` returns; nothing happens later but expiry, by the clock. So it is deterministic under virtual time.
 */
export class MemoryStore implements Store {
  readonly backend = 'memory';
  readonly #clock: Clock;
  readonly #current: SortedMap<KeyValue> = newSortedMap();
  readonly #history: EventHistory<KeyValue>;
  readonly #snapshots: Snapshots<KeyValue>;
  readonly #subscribers = new Subscribers();
  readonly #expiry: ExpiryQueue;
  #revision = EMPTY_REVISION;
  #bytes = 0;
  #isClosed = false;

  constructor({ clock, ...limits }: MemoryStoreDeps) {
    this.#clock = clock;
    this.#history = new EventHistory(
      { clock },
      {
        ...DEFAULT_HISTORY_LIMITS,
        ...limits,
        base: EMPTY_REVISION,
        isCompacted: false,
        valueBytes: (kv) => kv.value.length,
      },
    );
    this.#snapshots = new Snapshots(this.#history);
    this.#expiry = new ExpiryQueue({ clock }, (expired) => this.#expire(expired));
  }

  async commit(write: StoreWrite): Promise<CommitResult> {
    this.#assertOpen();
    const { key, value, expectedRevision, ttlSeconds } = write;
    if (value !== undefined && value.length > VALUE_BYTES_MAX) {
      throw new ValueTooLargeError(key, value.length, VALUE_BYTES_MAX);
    }
    const previous = this.#current.get(key);
    if ((previous?.modRevision ?? 0) !== expectedRevision) {
      return previous === undefined ? { type: 'conflict' } : { type: 'conflict', current: previous };
    }
    if (value === undefined && previous === undefined) return { type: 'conflict' };
    const event = this.#apply(key, value, previous);
    const expiresAtMs = ttlSeconds === undefined ? undefined : this.#clock.now() + ttlSeconds * 1000;
    this.#expiry.track(key, event.kv.modRevision, value === undefined ? undefined : expiresAtMs);
    this.#subscribers.deliver({ events: [event], revision: event.kv.modRevision });
    const revision = event.kv.modRevision;
    return previous === undefined ? { type: 'committed', revision } : { type: 'committed', revision, previous };
  }

  async get(key: string, options: { revision?: Revision } = {}): Promise<{ kv?: KeyValue; revision: Revision }> {
    this.#assertOpen();
    const revision = this.#checkedRevision(options.revision);
    const past = revision === this.#revision ? undefined : this.#history.find(key, revision);
    const kv = past === undefined ? this.#current.get(key) : past.kv;
    return kv === undefined ? { revision } : { kv, revision };
  }

  async list(options: StoreListOptions): Promise<StoreListResult> {
    this.#assertOpen();
    const revision = this.#checkedRevision(options.revision);
    const map = this.#snapshots.at(revision, { current: this.#current, revision: this.#revision });
    const { entries, count } = pageOf(map, options);
    // Whoever reads a page will ask for the next one of the same revision.
    if (count > entries.length) this.#snapshots.keep(revision, map);
    return { items: entries.map(([, kv]) => kv), revision, count };
  }

  async subscribe(options: SubscribeOptions): Promise<StoreSubscription> {
    this.#assertOpen();
    const { compactedRevision } = this.#history;
    if (options.afterRevision < compactedRevision) throw new CompactedError(compactedRevision);
    if (options.afterRevision >= this.#revision) return this.#subscribers.add(options, []);
    const events = this.#history.after(options.afterRevision);
    return this.#subscribers.add(options, [{ events, revision: this.#revision }]);
  }

  head(): Revision {
    return this.#revision;
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    if (revision > this.#revision) throw new FutureRevisionError(this.#revision);
    this.#history.compact(revision);
  }

  compactedRevision(): Revision {
    return this.#history.compactedRevision;
  }

  async sizeBytes(): Promise<number> {
    return this.#bytes + this.#history.bytes;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#expiry.close();
    this.#subscribers.end(new StoreClosedError());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #apply(key: string, value: Uint8Array | undefined, previous: KeyValue | undefined): StoreEvent {
    const modRevision = ++this.#revision;
    const createRevision = previous === undefined ? modRevision : previous.createRevision;
    const version = value === undefined ? 0 : (previous?.version ?? 0) + 1;
    const kv: KeyValue = { key, value: value ?? NO_VALUE, createRevision, modRevision, version };
    if (value === undefined) this.#current.delete(key);
    else this.#current.set(key, kv);
    this.#bytes += costOf(value, key) - (previous === undefined ? 0 : costOf(previous.value, key));
    const type = value === undefined ? 'delete' : 'put';
    const event: StoreEvent = previous === undefined ? { type, kv } : { type, kv, previous };
    this.#history.append(event);
    return event;
  }

  #expire(expired: Expiring[]): void {
    const events: StoreEvent[] = [];
    for (const { key, revision } of expired) {
      const previous = this.#current.get(key);
      if (previous?.modRevision === revision) events.push(this.#apply(key, undefined, previous));
    }
    if (events.length > 0) this.#subscribers.deliver({ events, revision: this.#revision });
  }

  #checkedRevision(revision: Revision | undefined): Revision {
    if (revision === undefined) return this.#revision;
    if (revision > this.#revision) throw new FutureRevisionError(this.#revision);
    const { compactedRevision } = this.#history;
    if (revision < compactedRevision) throw new CompactedError(compactedRevision);
    return revision;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StoreClosedError();
  }
}

function costOf(value: Uint8Array | undefined, key: string): number {
  return value === undefined ? 0 : value.length + key.length + KEY_OVERHEAD_BYTES;
}
