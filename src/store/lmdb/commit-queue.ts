import { StoreUnavailableError } from '../errors.ts';
import type { CommitResult, KeyValue, Revision } from '../store.ts';
import type { Disk, DiskBatch, DiskRecord } from './disk.ts';
import type { DurableIndex } from './durable-index.ts';
import { writeError } from './lmdb-errors.ts';

// A batch is written in one transaction, which LMDB holds in memory until it is flushed.
const BATCH_RECORDS_MAX = 2000;
const BATCH_BYTES_MAX = 16 * 1024 * 1024;
// Old records removed along with a batch: enough to keep up with the writes, few enough not to slow them down.
const REMOVALS_MIN = 256;
const REMOVALS_PER_RECORD = 3;

/** A write that was decided against the proposed head and waits for the disk. */
export interface Proposal {
  readonly record: DiskRecord;
  /** Empty for a delete. */
  readonly value: Uint8Array;
  readonly previous: KeyValue | undefined;
  readonly outcome: Promise<CommitResult>;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

export interface CommitQueueDeps {
  readonly disk: Disk;
  readonly index: DurableIndex;
  /** Called when a batch is durable and in the index, before its proposals are answered. */
  readonly onDurable: (proposals: readonly Proposal[]) => void;
}

/**
 * The proposed head: pending writes over the durable state. One batch is on its way to the disk at a time; what is
 * proposed meanwhile makes the next. When a batch fails, everything proposed after the durable head fails with it.
 */
export class CommitQueue {
  readonly #deps: CommitQueueDeps;
  // Invariant: holds the last proposal of each key in #pending or in the batch on its way.
  readonly #latest = new Map<string, Proposal>();
  #pending: Proposal[] = [];
  #proposedRevision: Revision;
  #flusher: Promise<void> | undefined;
  #purge: PromiseWithResolvers<void> | undefined;
  // Set once the state of the disk is unknown for good: nothing can be decided any more.
  #failure: Error | undefined;

  constructor(deps: CommitQueueDeps) {
    this.#deps = deps;
    this.#proposedRevision = deps.index.revision;
  }

  /** The revision of the next proposal. */
  get nextRevision(): Revision {
    return this.#proposedRevision + 1;
  }

  /** The last proposal for this key that is not durable yet. */
  latest(key: string): Proposal | undefined {
    return this.#latest.get(key);
  }

  /** Settles when the write is durable and every subscriber knows of it. */
  propose({ record, value, previous }: Pick<Proposal, 'record' | 'value' | 'previous'>): Promise<CommitResult> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise: outcome, resolve, reject } = Promise.withResolvers<CommitResult>();
    const proposal: Proposal = { record, value, previous, outcome, resolve, reject };
    this.#proposedRevision = record.modRevision;
    this.#pending.push(proposal);
    this.#latest.set(record.key, proposal);
    this.#wake();
    return outcome;
  }

  /** Removes from the disk what history no longer needs. */
  purge(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#purge ??= Promise.withResolvers<void>();
    this.#wake();
    return this.#purge.promise;
  }

  /** Settles when everything proposed so far has its answer. */
  async drain(): Promise<void> {
    while (this.#flusher !== undefined) await this.#flusher;
  }

  #wake(): void {
    this.#flusher ??= this.#flushAll();
  }

  async #flushAll(): Promise<void> {
    // Lets the writes of this turn join the first batch.
    await Promise.resolve();
    while (this.#pending.length > 0 || this.#purge !== undefined) {
      const isPurgeDone = this.#purge !== undefined && !this.#deps.index.hasGarbage;
      await this.#flush(this.#takeBatch());
      if (!isPurgeDone) continue;
      this.#purge?.resolve();
      this.#purge = undefined;
    }
    // In the same turn as the last look at what is pending: whatever comes next wakes a new flusher.
    this.#flusher = undefined;
  }

  async #flush(proposals: Proposal[]): Promise<void> {
    const { disk, index } = this.#deps;
    const removals = index.takeGarbage(Math.max(REMOVALS_MIN, proposals.length * REMOVALS_PER_RECORD));
    const batch: DiskBatch = {
      writes: proposals,
      revision: proposals.at(-1)?.record.modRevision ?? index.revision,
      removals,
      compactedRevision: index.compactedRevision,
    };
    try {
      await disk.write(batch);
    } catch (error) {
      this.#fail(batch, proposals, error);
      return;
    }
    this.#makeDurable(proposals);
    for (const { record, previous, resolve } of proposals) {
      const revision = record.modRevision;
      resolve(previous === undefined ? { type: 'committed', revision } : { type: 'committed', revision, previous });
    }
  }

  #makeDurable(proposals: readonly Proposal[]): void {
    if (proposals.length === 0) return;
    for (const proposal of proposals) {
      const { key } = proposal.record;
      this.#deps.index.apply(proposal.record);
      if (this.#latest.get(key) === proposal) this.#latest.delete(key);
    }
    this.#deps.onDurable(proposals);
  }

  /** The batch failed, as far as the disk says. What it really holds decides where the durable head is. */
  #fail(batch: DiskBatch, proposals: readonly Proposal[], cause: unknown): void {
    const { index } = this.#deps;
    const later = this.#pending;
    this.#pending = [];
    const onDisk = this.#revisionOnDisk();
    const isWritten = proposals.length > 0 && onDisk === batch.revision;
    const error = writeError(cause, { isWritten });
    if (isWritten) this.#makeDurable(proposals);
    else index.giveBackGarbage(batch.removals);
    if (onDisk !== index.revision) {
      const text = `the store on disk is at revision ${onDisk ?? 'unknown'}, not ${index.revision}; restart the server`;
      this.#failure = new StoreUnavailableError(text, { cause });
    }
    this.#latest.clear();
    this.#proposedRevision = index.revision;
    this.#purge?.reject(error);
    this.#purge = undefined;
    for (const { reject } of proposals) reject(error);
    for (const { reject } of later) reject(error);
  }

  #revisionOnDisk(): Revision | undefined {
    try {
      return this.#deps.disk.revision();
    } catch {
      // An environment that cannot be read any more; the caller reports the error that led here.
      return undefined;
    }
  }

  #takeBatch(): Proposal[] {
    let bytes = 0;
    let count = 0;
    for (const { record } of this.#pending) {
      bytes += record.valueBytes;
      if (count > 0 && (bytes > BATCH_BYTES_MAX || count >= BATCH_RECORDS_MAX)) break;
      count++;
    }
    return this.#pending.splice(0, count);
  }
}
