import type { Revision } from '../store.ts';

/** One write as the disk keeps it. */
export interface DiskRecord {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Number of writes since creation; 0 for a delete. */
  readonly version: number;
  /** Milliseconds since the epoch; absent: never. */
  readonly expiresAtMs?: number;
  /** CRC-32 of the value. */
  readonly checksum: number;
  readonly valueBytes: number;
}

export interface DiskBatch {
  /** In revision order, without gaps. */
  readonly writes: readonly { readonly record: DiskRecord; readonly value: Uint8Array }[];
  /** The revision after this batch. */
  readonly revision: Revision;
  /** Records of these revisions are forgotten. */
  readonly removals: readonly Revision[];
  /** Everything at or before this revision is forgotten, but for what is still current. */
  readonly compactedRevision: Revision;
}

/**
 * What the store needs of a disk: an append-only log of writes with their values, in which old entries are removed. The
 * seam at which tests inject failing, slow and half-done commits.
 */
export interface Disk {
  /** The revision of the last batch that was written. */
  revision(): Revision;
  compactedRevision(): Revision;
  /** Every record kept, in revision order. */
  records(): Iterable<DiskRecord>;
  /** The value that was written at this revision; a copy. */
  value(revision: Revision): Uint8Array | undefined;
  /** Settles when the whole batch is durable; rejects when nothing of it was written, or when that is unknown. */
  write(batch: DiskBatch): Promise<void>;
  sizeBytes(): number;
  close(): Promise<void>;
}
