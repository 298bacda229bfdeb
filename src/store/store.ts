/**
 * The store speaks etcd's model: keys are paths, one global revision counts every write, a write is a compare-and-swap
 * on the key's last revision, a watch resumes from any revision that is not compacted. It knows no kinds.
 *
 * Every backend passes `testStoreContract` (store/contract-suite.ts).
 */

/** Counts every write of the store, from 1. A safe integer. */
export type Revision = number;

export interface KeyValue {
  readonly key: string;
  /** Owned by the store and shared between readers: never written to after it was handed over, in either direction. */
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Number of writes since creation, from 1. */
  readonly version: number;
}

export interface StoreWrite {
  readonly key: string;
  /** The new value; `undefined` deletes the key. At most `VALUE_BYTES_MAX`. */
  readonly value: Uint8Array | undefined;
  /** The write happens only if the key's last revision is this one; 0: only if the key does not exist. */
  readonly expectedRevision: Revision;
  /** The key is deleted this many seconds after the write (rounded up to the backend's grain). Absent: never. */
  readonly ttlSeconds?: number;
}

/** Same limit as etcd's request size (1.5 MiB). */
export const VALUE_BYTES_MAX = 1_572_864;

export type CommitResult =
  /** Durable as far as the backend promises it, and visible to every reader. */
  | { readonly type: 'committed'; readonly revision: Revision; readonly previous?: KeyValue }
  /** Nothing was written; `current` is absent where the key does not exist. */
  | { readonly type: 'conflict'; readonly current?: KeyValue };

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  /** For a delete: the key, an empty value, and the revision of the deletion as `modRevision`. */
  readonly kv: KeyValue;
  /** The key's state before, where it existed. */
  readonly previous?: KeyValue;
}

/** Events of one durable flush, in revision order. */
export interface StoreEventBatch {
  readonly events: readonly StoreEvent[];
  /** Every event up to this revision has been delivered. */
  readonly revision: Revision;
}

export interface StoreListOptions {
  readonly prefix: string;
  /** First key to return (inclusive); keys before it are skipped. */
  readonly startKey?: string;
  readonly limit?: number;
  /** A past revision; throws `CompactedError` if it is gone, `FutureRevisionError` if it is not reached. */
  readonly revision?: Revision;
}

export interface StoreListResult {
  /** Sorted by key, bytewise. */
  readonly items: readonly KeyValue[];
  /** The revision that this list shows. */
  readonly revision: Revision;
  /** How many keys of the prefix lie at or after `startKey`, including those beyond `limit`. */
  readonly count: number;
}

export interface SubscribeOptions {
  readonly prefix: string;
  /** Events after this revision; throws `CompactedError` if they are no longer all kept. */
  readonly afterRevision: Revision;
  /**
   * Called in revision order, each revision once. For a local backend: synchronously, before the commit's promise
   * settles, so that whoever awaited a write finds it in every cache.
   */
  readonly onBatch: (batch: StoreEventBatch) => void;
  /** The subscription has ended and will deliver nothing more (backend gone, compacted under us). */
  readonly onEnd: (error: Error) => void;
}

export interface StoreSubscription {
  /** Stops delivery at once. */
  close(): void;
}

export interface Store extends AsyncDisposable {
  /** `memory`, `lmdb` or `etcd`. */
  readonly backend: string;
  /** Forgets old history by itself, in turn with other servers on the same data: nobody else has to. */
  readonly compactsItself?: boolean;
  /**
   * Compare-and-swap. Throws `StoreError` subclasses: `ValueTooLargeError` (nothing written), `StoreUnavailableError`
   * (unknown whether written), `StoreFullError` (nothing written), `StoreClosedError`.
   */
  commit(write: StoreWrite): Promise<CommitResult>;
  get(key: string, options?: { revision?: Revision }): Promise<{ kv?: KeyValue; revision: Revision }>;
  list(options: StoreListOptions): Promise<StoreListResult>;
  /** Starts delivering before the promise resolves; history after `afterRevision` comes first. */
  subscribe(options: SubscribeOptions): Promise<StoreSubscription>;
  /**
   * The newest revision that readers may see. A plain number where the backend is in this process; else a promise that
   * settles after subscribers were told of everything up to it, and rejects where that cannot be known.
   */
  head(): Revision | Promise<Revision>;
  /** Forgets history before `revision`: reads and watches below it then fail. Never blocks writers for long. */
  compact(revision: Revision): Promise<void>;
  /** Oldest revision that can still be read or watched from; 0 where nothing was compacted. */
  compactedRevision(): Revision;
  /** Bytes on disk or in memory. */
  sizeBytes(): Promise<number>;
  /**
   * For a process that is about to end: where the backend does not answer soon, whatever waits for it, now and later,
   * fails at once. Absent for backends in this process.
   */
  giveUpIfSilent?(): Promise<void>;
  /** Settles when every accepted write has been answered, as far as that can be awaited, and resources are released. */
  close(): Promise<void>;
}
