import { mkdirSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Clock } from '#machinery/clock/clock.ts';
import {
  CompactedError,
  FutureRevisionError,
  StoreClosedError,
  StoreUnavailableError,
  ValueTooLargeError,
} from '../errors.ts';
import { type Change, DEFAULT_HISTORY_LIMITS, type HistoryLimits } from '../shared/event-history.ts';
import { type Expiring, ExpiryQueue } from '../shared/expiry.ts';
import { pageOf } from '../shared/sorted-map.ts';
import { Subscribers } from '../shared/subscribers.ts';
import {
  type CommitResult,
  type KeyValue,
  type Revision,
  type Store,
  type StoreEvent,
  type StoreEventBatch,
  type StoreListOptions,
  type StoreListResult,
  type StoreSubscription,
  type StoreWrite,
  type SubscribeOptions,
  VALUE_BYTES_MAX,
} from '../store.ts';
import { CommitQueue, type Proposal } from './commit-queue.ts';
import { lockDirectory } from './directory-lock.ts';
import type { Disk, DiskRecord } from './disk.ts';
import { DurableIndex } from './durable-index.ts';
import { checkFormat, confirmFormat } from './format-version.ts';
import { LmdbDisk } from './lmdb-disk.ts';
import { openError } from './lmdb-errors.ts';

const NO_VALUE = new Uint8Array(0);
// Only the disk holds the values of history, so more of it is kept than in memory.
const HISTORY_BYTES_MAX = 256 * 1024 * 1024;
// Events of history that are read from disk and delivered at a time.
const REPLAY_BATCH_EVENTS = 500;
// A key whose expiry could not be written is tried again after this.
const EXPIRY_RETRY_MS = 5000;

export interface LmdbStoreOptions extends Partial<HistoryLimits> {
  /** The store's directory; made if it is missing. */
  readonly path: string;
  readonly clock: Clock;
  /** For tests: how much room the file system has. */
  readonly freeBytes?: () => number;
  /** For tests: stands between the store and its disk. */
  readonly wrapDisk?: (disk: Disk) => Disk;
}

/**
 * Opens the store in a directory and locks it for this process. Throws `StoreOpenError` where the directory is in use,
 * corrupt, or of another format.
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const { path, clock, wrapDisk, freeBytes, ...limits } = options;
  let lock: Disposable | undefined;
  let disk: LmdbDisk | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    lock = lockDirectory(path);
    checkFormat(path);
    disk = new LmdbDisk(path, freeBytes === undefined ? {} : { freeBytes });
    confirmFormat(path);
    const historyLimits = { ...DEFAULT_HISTORY_LIMITS, historyBytesMax: HISTORY_BYTES_MAX, ...limits };
    return new LmdbStore({ clock, disk: wrapDisk?.(disk) ?? disk, lock }, historyLimits);
  } catch (error) {
    await disk?.close();
    lock?.[Symbol.dispose]();
    throw openError(path, error);
  }
}

/**
 * Two heads: a write is decided and gets its revision at once against the proposed head (`CommitQueue`); answers,
 * reads and subscribers see only the durable one (`DurableIndex`), which follows after one flush for a whole batch.
 */
class LmdbStore implements Store {
  readonly backend = 'lmdb';
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #lock: Disposable;
  readonly #index: DurableIndex;
  readonly #queue: CommitQueue;
  readonly #subscribers = new Subscribers();
  readonly #expiry: ExpiryQueue;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(deps: { clock: Clock; disk: Disk; lock: Disposable }, limits: HistoryLimits) {
    this.#clock = deps.clock;
    this.#disk = deps.disk;
    this.#lock = deps.lock;
    this.#index = new DurableIndex(deps, limits);
    this.#expiry = new ExpiryQueue(deps, (expired) => this.#expire(expired));
    for (const { key, modRevision, expiresAtMs } of this.#index.current()) {
      if (expiresAtMs !== undefined) this.#expiry.track(key, modRevision, expiresAtMs);
    }
    this.#queue = new CommitQueue({
      disk: deps.disk,
      index: this.#index,
      onDurable: (proposals) => this.#publish(proposals),
    });
  }

  async commit(write: StoreWrite): Promise<CommitResult> {
    this.#assertOpen();
    const { key, value, expectedRevision } = write;
    if (value !== undefined && value.length > VALUE_BYTES_MAX) {
      throw new ValueTooLargeError(key, value.length, VALUE_BYTES_MAX);
    }
    const proposed = this.#queue.latest(key);
    const previous = proposed === undefined ? this.#read(this.#index.get(key)) : keyValueOf(proposed);
    const isExpected = (previous?.modRevision ?? 0) === expectedRevision;
    if (isExpected && (value !== undefined || previous !== undefined)) {
      return this.#queue.propose({ record: this.#recordOf(write, previous), value: value ?? NO_VALUE, previous });
    }
    // The answer names what the conflict is with, so it waits until that is durable; if it never is, all is open again.
    if (proposed !== undefined && (await isFailed(proposed))) return this.commit(write);
    return previous === undefined ? { type: 'conflict' } : { type: 'conflict', current: previous };
  }

  async get(key: string, options: { revision?: Revision } = {}): Promise<{ kv?: KeyValue; revision: Revision }> {
    this.#assertOpen();
    const revision = this.#checkedRevision(options.revision);
    const kv = this.#read(this.#index.getAt(key, revision));
    return kv === undefined ? { revision } : { kv, revision };
  }

  async list(options: StoreListOptions): Promise<StoreListResult> {
    this.#assertOpen();
    const revision = this.#checkedRevision(options.revision);
    const map = this.#index.mapAt(revision);
    const { entries, count } = pageOf(map, options);
    // Whoever reads a page will ask for the next one of the same revision.
    if (count > entries.length) this.#index.keepSnapshot(revision, map);
    return { items: entries.map(([, record]) => this.#readRecord(record)), revision, count };
  }

  async subscribe(options: SubscribeOptions): Promise<StoreSubscription> {
    this.#assertOpen();
    const { compactedRevision } = this.#index;
    if (options.afterRevision < compactedRevision) throw new CompactedError(compactedRevision);
    return this.#subscribers.add(options, this.#replay(options));
  }

  head(): Revision {
    return this.#index.revision;
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    if (revision > this.#index.revision) throw new FutureRevisionError(this.#index.revision);
    this.#index.compact(revision);
    await this.#queue.purge();
  }

  compactedRevision(): Revision {
    return this.#index.compactedRevision;
  }

  async sizeBytes(): Promise<number> {
    return this.#disk.sizeBytes();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#expiry.close();
    await this.#queue.drain();
    this.#subscribers.end(new StoreClosedError());
    await this.#disk.close();
    this.#lock[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #recordOf({ key, value, ttlSeconds }: StoreWrite, previous: KeyValue | undefined): DiskRecord {
    const modRevision = this.#queue.nextRevision;
    const hasExpiry = ttlSeconds !== undefined && value !== undefined;
    return {
      type: value === undefined ? 'delete' : 'put',
      key,
      createRevision: previous?.createRevision ?? modRevision,
      modRevision,
      version: value === undefined ? 0 : (previous?.version ?? 0) + 1,
      ...(hasExpiry ? { expiresAtMs: this.#clock.now() + ttlSeconds * 1000 } : {}),
      checksum: value === undefined ? 0 : crc32(value),
      valueBytes: value?.length ?? 0,
    };
  }

  /** Called in revision order with each durable batch, before its writers get their answers. */
  #publish(proposals: readonly Proposal[]): void {
    for (const { record } of proposals) this.#expiry.track(record.key, record.modRevision, record.expiresAtMs);
    const events = proposals.map(eventOf);
    this.#subscribers.deliver({ events, revision: this.#index.revision });
  }

  *#replay({ prefix, afterRevision }: SubscribeOptions): Iterable<StoreEventBatch> {
    const head = this.#index.revision;
    if (afterRevision >= head) return;
    const changes = this.#index.changesAfter(afterRevision).filter(({ kv }) => kv.key.startsWith(prefix));
    for (let start = 0; start < changes.length; start += REPLAY_BATCH_EVENTS) {
      const slice = changes.slice(start, start + REPLAY_BATCH_EVENTS);
      const isLast = start + REPLAY_BATCH_EVENTS >= changes.length;
      const revision = isLast ? head : (slice.at(-1)?.kv.modRevision ?? head);
      yield { events: slice.map((change) => this.#readChange(change)), revision };
    }
    if (changes.length === 0) yield { events: [], revision: head };
  }

  #readChange({ type, kv, previous }: Change<DiskRecord>): StoreEvent {
    const now = type === 'put' ? this.#readRecord(kv) : toKeyValue(kv, NO_VALUE);
    return previous === undefined ? { type, kv: now } : { type, kv: now, previous: this.#readRecord(previous) };
  }

  #read(record: DiskRecord | undefined): KeyValue | undefined {
    return record === undefined ? undefined : this.#readRecord(record);
  }

  #readRecord(record: DiskRecord): KeyValue {
    const value = this.#disk.value(record.modRevision);
    if (value === undefined || value.length !== record.valueBytes || crc32(value) !== record.checksum) {
      const what = `the value of "${record.key}" at revision ${record.modRevision}`;
      throw new StoreUnavailableError(`${what} is damaged on disk; restore the data directory from a backup`);
    }
    return toKeyValue(record, value);
  }

  #expire(expired: Expiring[]): void {
    for (const { key, revision } of expired) {
      this.commit({ key, value: undefined, expectedRevision: revision }).catch(() => {
        if (!this.#isClosed) this.#expiry.track(key, revision, this.#clock.now() + EXPIRY_RETRY_MS);
      });
    }
  }

  #checkedRevision(revision: Revision | undefined): Revision {
    const head = this.#index.revision;
    if (revision === undefined) return head;
    if (revision > head) throw new FutureRevisionError(head);
    const { compactedRevision } = this.#index;
    if (revision < compactedRevision) throw new CompactedError(compactedRevision);
    return revision;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StoreClosedError();
  }
}

async function isFailed(proposal: Proposal): Promise<boolean> {
  try {
    await proposal.outcome;
    return false;
  } catch {
    // The error is the answer of whoever proposed it; here only the fact counts.
    return true;
  }
}

function eventOf({ record, value, previous }: Proposal): StoreEvent {
  const kv = toKeyValue(record, value);
  return previous === undefined ? { type: record.type, kv } : { type: record.type, kv, previous };
}

/** The key after this proposal; undefined where it deletes it. */
function keyValueOf({ record, value }: Proposal): KeyValue | undefined {
  return record.type === 'delete' ? undefined : toKeyValue(record, value);
}

function toKeyValue({ key, createRevision, modRevision, version }: DiskRecord, value: Uint8Array): KeyValue {
  return { key, value, createRevision, modRevision, version };
}
