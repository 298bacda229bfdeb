import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
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

  constructor(directory: string) {
    this.#dataFile = join(directory, 'data.mdb');
    checkDataFile(this.#dataFile);
    this.#root = open<Buffer, string>({
      path: directory,
      noSubdir: false,
      encoding: 'binary',
      maxDbs: 4,
      overlappingSync: false,
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
      throw await commitErrorOf(error);
    }
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
