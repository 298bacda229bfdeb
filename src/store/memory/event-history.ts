import type { Clock } from '#machinery/clock/clock.ts';
import type { KeyValue, Revision, StoreEvent } from '../store.ts';
import type { SortedMap } from '../shared/sorted-map.ts';

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

interface Entry {
  readonly event: StoreEvent;
  readonly atMs: number;
}

/** The last events of the store, bounded by age and bytes. Every revision is exactly one event, with no gaps. */
export class EventHistory {
  readonly #clock: Clock;
  readonly #limits: HistoryLimits;
  // Invariant: the entry of revision r lies at index #dropped + r - #base - 1.
  #entries: Entry[] = [];
  #dropped = 0;
  #base: Revision;
  #bytes = 0;
  #isCompacted = false;

  /** `base` is the revision before the first event that will be appended. */
  constructor(deps: { clock: Clock }, limits: HistoryLimits, base: Revision) {
    this.#clock = deps.clock;
    this.#limits = limits;
    this.#base = base;
  }

  /** Events after this revision are all here; 0 while nothing was forgotten. */
  get compactedRevision(): Revision {
    return this.#isCompacted ? this.#base : 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(event: StoreEvent): void {
    const atMs = this.#clock.monotonic();
    this.#entries.push({ event, atMs });
    this.#bytes += costOf(event);
    for (let oldest = this.#entries[this.#dropped]; oldest !== undefined; oldest = this.#entries[this.#dropped]) {
      const isKept = this.#bytes <= this.#limits.historyBytesMax && atMs - oldest.atMs <= this.#limits.historyMs;
      if (isKept) return;
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
  after(revision: Revision): StoreEvent[] {
    return this.#entries.slice(this.#indexAfter(revision)).map(({ event }) => event);
  }

  /** What `key` was at `revision`: `{ kv: undefined }` where it was absent, `undefined` where it is as it is now. */
  find(key: string, revision: Revision): { kv: KeyValue | undefined } | undefined {
    for (let index = this.#indexAfter(revision); index < this.#entries.length; index++) {
      const event = this.#entries[index]?.event;
      if (event?.kv.key === key) return { kv: event.previous };
    }
    return undefined;
  }

  /** Turns `map`, which shows revision `from`, back into what it was at `to`. */
  rewind(map: SortedMap<KeyValue>, { from, to }: { from: Revision; to: Revision }): void {
    const start = this.#indexAfter(to);
    for (let index = this.#indexAfter(from) - 1; index >= start; index--) {
      const event = this.#entries[index]?.event;
      if (event === undefined) continue;
      if (event.previous === undefined) map.delete(event.kv.key);
      else map.set(event.kv.key, event.previous);
    }
  }

  #indexAfter(revision: Revision): number {
    return this.#dropped + Math.max(revision - this.#base, 0);
  }

  #dropOldest({ event }: Entry): void {
    this.#dropped++;
    this.#base = event.kv.modRevision;
    this.#isCompacted = true;
    this.#bytes -= costOf(event);
    if (this.#dropped < TRIM_STEP_EVENTS || this.#dropped * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#dropped);
    this.#dropped = 0;
  }
}

function costOf(event: StoreEvent): number {
  return EVENT_OVERHEAD_BYTES + event.kv.key.length + (event.previous?.value.length ?? 0);
}
