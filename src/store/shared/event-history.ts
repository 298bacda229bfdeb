import type { Clock } from '#machinery/clock/clock.ts';
import type { Revision } from '../store.ts';
import type { SortedMap } from './sorted-map.ts';

/** An empty store is at revision 1 and its first write gets 2, as in etcd: clients take version 0 for "any". */
export const EMPTY_REVISION: Revision = 1;

// What an event costs besides the value that only it keeps alive.
const EVENT_OVERHEAD_BYTES = 250;
// Trimming moves the array; it is done in steps so that its cost is spread over many writes.
const TRIM_STEP_EVENTS = 1024;

export interface HistoryLimits {
  /** Events older than this are forgotten. */
  readonly historyMs: number;
  /** The oldest events are forgotten while history takes more than this. */
  readonly historyBytesMax: number;
}

/** Five minutes, as upstream's compaction keeps, where they take no more than this. */
export const DEFAULT_HISTORY_LIMITS: HistoryLimits = { historyMs: 300_000, historyBytesMax: 64 * 1024 * 1024 };

/** What a backend keeps of a key in memory: the whole key and value, or where to find it. */
export interface Versioned {
  readonly key: string;
  readonly modRevision: Revision;
}

export interface Change<T extends Versioned> {
  readonly type: 'put' | 'delete';
  readonly kv: T;
  readonly previous?: T;
}

export interface HistoryOptions<T extends Versioned> extends HistoryLimits {
  /** The revision before the first event that will be appended. */
  readonly base: Revision;
  /** Whether events were forgotten before: `base` is a compacted revision. */
  readonly isCompacted: boolean;
  readonly valueBytes: (kv: T) => number;
  /** Called with each event as it is forgotten. */
  readonly onDrop?: (change: Change<T>) => void;
}

interface Entry<T extends Versioned> {
  readonly change: Change<T>;
  readonly atMs: number;
}

/** The last events of the store, bounded by age and bytes. Every revision is exactly one event, with no gaps. */
export class EventHistory<T extends Versioned> {
  readonly #clock: Clock;
  readonly #options: HistoryOptions<T>;
  // Invariant: the entry of revision r lies at index #dropped + r - #base - 1.
  #entries: Entry<T>[] = [];
  #dropped = 0;
  #base: Revision;
  #bytes = 0;
  #isCompacted: boolean;

  constructor(deps: { clock: Clock }, options: HistoryOptions<T>) {
    this.#clock = deps.clock;
    this.#options = options;
    this.#base = options.base;
    this.#isCompacted = options.isCompacted;
  }

  /** Events after this revision are all here; 0 while nothing was forgotten. */
  get compactedRevision(): Revision {
    return this.#isCompacted ? this.#base : 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(change: Change<T>): void {
    const atMs = this.#clock.monotonic();
    this.#entries.push({ change, atMs });
    this.#bytes += this.#costOf(change);
    for (let oldest = this.#entries[this.#dropped]; oldest !== undefined; oldest = this.#entries[this.#dropped]) {
      const { historyBytesMax, historyMs } = this.#options;
      if (this.#bytes <= historyBytesMax && atMs - oldest.atMs <= historyMs) return;
      this.#dropOldest(oldest);
    }
  }

  /** Forgets everything up to and including `revision`. */
  compact(revision: Revision): void {
    while (this.#base < revision) {
      const oldest = this.#entries[this.#dropped];
      if (oldest === undefined) return;
      this.#dropOldest(oldest);
    }
  }

  /** The events after `revision`, which must not be compacted. */
  after(revision: Revision): Change<T>[] {
    return this.#entries.slice(this.#indexAfter(revision)).map(({ change }) => change);
  }

  /** What `key` was at `revision`: `{ kv: undefined }` where it was absent, `undefined` where it is as it is now. */
  find(key: string, revision: Revision): { kv: T | undefined } | undefined {
    for (let index = this.#indexAfter(revision); index < this.#entries.length; index++) {
      const change = this.#entries[index]?.change;
      if (change?.kv.key === key) return { kv: change.previous };
    }
    return undefined;
  }

  /** Turns `map`, which shows revision `from`, back into what it was at `to`. */
  rewind(map: SortedMap<T>, { from, to }: { from: Revision; to: Revision }): void {
    const start = this.#indexAfter(to);
    for (let index = this.#indexAfter(from) - 1; index >= start; index--) {
      const change = this.#entries[index]?.change;
      if (change === undefined) continue;
      if (change.previous === undefined) map.delete(change.kv.key);
      else map.set(change.kv.key, change.previous);
    }
  }

  #indexAfter(revision: Revision): number {
    return this.#dropped + Math.max(revision - this.#base, 0);
  }

  #dropOldest({ change }: Entry<T>): void {
    this.#dropped++;
    this.#base = change.kv.modRevision;
    this.#isCompacted = true;
    this.#bytes -= this.#costOf(change);
    this.#options.onDrop?.(change);
    if (this.#dropped < TRIM_STEP_EVENTS || this.#dropped * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#dropped);
    this.#dropped = 0;
  }

  #costOf({ kv, previous }: Change<T>): number {
    const kept = previous === undefined ? 0 : this.#options.valueBytes(previous);
    return EVENT_OVERHEAD_BYTES + kv.key.length + kept;
  }
}
