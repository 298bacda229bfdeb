import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { StoreFullError } from '../errors.ts';
import { EMPTY_REVISION } from '../shared/event-history.ts';
import type { Revision } from '../store.ts';
import { checkDataFile } from './data-file.ts';
import type { Disk, DiskBatch, DiskRecord } from './disk.ts';
import { decodeRecord, encodedBytes, encodeRecord } from './record-codec.ts';

const REVISION_KEY = 'revision';
const COMPACTED_KEY = 'compacted';
// Values are copied into slabs, because a buffer of its own for each costs more than the read. A value that is kept
// keeps its slab.
const SLAB_BYTES = 65_536;
const SLAB_VALUE_BYTES_MAX = 16_384;
// Space that must be left on the file system after a batch: LMDB copies pages, and other programs write too. Batches
// that only delete may use most of it, since they are the way out.
const FREE_BYTES_MIN = 16 * 1024 * 1024;
const FREE_BYTES_MIN_DELETE = 4 * 1024 * 1024;
// What a batch may take on disk for each of its bytes, and for each record.
const SPACE_FACTOR = 2;
const RECORD_SPACE_BYTES = 8192;

export interface LmdbDiskOptions {
  /** Free bytes of the file system; tests pretend. */
  readonly freeBytes?: () => number;
}

/**
 * The log in an LMDB environment of three tables: `records` and `values` by revision, `meta`. Both grow at their end
 * only, so a batch touches few pages. Commits are LMDB's classic ones: the promise of a batch settles after data and
 * meta page were flushed (`overlappingSync` would settle it before, and tells of a failed flush to nobody).
 */
export class LmdbDisk implements Disk {
  readonly #dataFile: string;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #records: Database<Buffer, number>;
  readonly #values: Database<Buffer | Uint8Array, number>;
  readonly #meta: Database<Buffer, string>;
  #slab = Buffer.alloc(0);
  #slabUsed = 0;
  readonly #freeBytes: () => number;
  // After LMDB failed to write, its state in memory is not to be trusted with another transaction (a full file system
  // ends the process at the second attempt). Reads do not use that state.
  #failure: Error | undefined;

  constructor(directory: string, options: LmdbDiskOptions = {}) {
    this.#freeBytes = options.freeBytes ?? (() => freeBytesOf(directory));
    this.#dataFile = join(directory, 'data.mdb');
    checkDataFile(this.#dataFile);
    this.#root = open<Buffer, string>({
      path: directory,
      noSubdir: false,
      encoding: 'binary',
      maxDbs: 4,
      overlappingSync: false,
      // Every write here is a batch already; batches around them have promises that nobody could catch.
      eventTurnBatching: false,
    });
    this.#records = this.#root.openDB<Buffer, number>({ name: 'records', encoding: 'binary' });
    this.#values = this.#root.openDB<Buffer | Uint8Array, number>({ name: 'values', encoding: 'binary' });
    this.#meta = this.#root.openDB<Buffer, string>({ name: 'meta', encoding: 'binary' });
  }

  revision(): Revision {
    this.#root.resetReadTxn();
    return this.#metaNumber(REVISION_KEY) ?? EMPTY_REVISION;
  }

  compactedRevision(): Revision {
    return this.#metaNumber(COMPACTED_KEY) ?? 0;
  }

  *records(): Iterable<DiskRecord> {
    for (const { key, value } of this.#records.getRange()) yield decodeRecord(value, key);
  }

  value(revision: Revision): Uint8Array | undefined {
    // The bytes are good until the next read only, and end at `length`, not at the end of their buffer.
    const bytes = this.#values.getBinaryFast(revision);
    return bytes === undefined ? undefined : this.#copy(bytes, bytes.length);
  }

  #copy(bytes: Buffer, length: number): Uint8Array {
    if (length > SLAB_VALUE_BYTES_MAX) {
      const own = Buffer.allocUnsafeSlow(length);
      bytes.copy(own, 0, 0, length);
      return own;
    }
    if (this.#slabUsed + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    const start = this.#slabUsed;
    this.#slabUsed += length;
    bytes.copy(this.#slab, start, 0, length);
    return this.#slab.subarray(start, this.#slabUsed);
  }

  async write(batch: DiskBatch): Promise<void> {
    if (this.#failure !== undefined) {
      throw new Error(`${this.#failure.message}; restart the server to write again`, { cause: this.#failure });
    }
    this.#assertSpace(batch);
    const headers = Buffer.allocUnsafe(batch.writes.reduce((sum, { record }) => sum + encodedBytes(record), 0));
    let offset = 0;
    // Puts in one `batch` are one transaction: an error in any of them aborts it.
    const committed = this.#root.batch(() => {
      for (const { record, value } of batch.writes) {
        const header = encodeRecord(record, headers, offset);
        offset += header.length;
        void this.#records.put(record.modRevision, header);
        if (record.type === 'put') void this.#values.put(record.modRevision, value);
      }
      for (const revision of batch.removals) {
        void this.#records.remove(revision);
        void this.#values.remove(revision);
      }
      void this.#meta.put(REVISION_KEY, Buffer.from(String(batch.revision)));
      void this.#meta.put(COMPACTED_KEY, Buffer.from(String(batch.compactedRevision)));
    });
    try {
      await committed;
    } catch (error) {
      const cause = await commitErrorOf(error);
      this.#failure = cause instanceof Error ? cause : new Error(String(cause));
      throw this.#failure;
    }
  }

  /** A full file system is noticed before LMDB runs into it. */
  #assertSpace({ writes }: DiskBatch): void {
    const isGrowing = writes.some(({ record }) => record.type === 'put');
    const bytes = writes.reduce((sum, { value }) => sum + value.length * SPACE_FACTOR + RECORD_SPACE_BYTES, 0);
    const neededBytes = isGrowing ? bytes + FREE_BYTES_MIN : FREE_BYTES_MIN_DELETE;
    const freeBytes = this.#freeBytes();
    if (freeBytes >= neededBytes) return;
    throw new StoreFullError(
      `the disk of the store has ${freeBytes} bytes left and needs ${neededBytes} to go on safely: ` +
        'nothing was written, reads and deletes go on; free some space and try again',
    );
  }

  sizeBytes(): number {
    return statSync(this.#dataFile).size;
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  #metaNumber(key: string): number | undefined {
    const bytes = this.#meta.getBinary(key);
    return bytes === undefined ? undefined : Number(bytes.toString());
  }
}

/** lmdb rejects with a general error that carries a promise of the real one. */
async function commitErrorOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
  } catch (cause) {
    return cause;
  }
  return error;
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
