import type { Clock } from '#machinery/clock/clock.ts';
import type { Revision } from '#store/store.ts';
import type { Change } from './change.ts';

/** Bounds of one resource's ring. A change costs the object it replaced. */
const RING_BYTES_MAX = 32 * 1024 * 1024;
const RING_CHANGES_MAX = 200_000;
/** Long enough for a client that lost its connection; what is older is read from the store's history. */
const RING_AGE_MAX_MS = 10 * 60_000;

/** The latest changes of one resource, bounded by bytes, number and age. */
export class ChangeRing {
  readonly #clock: Clock;
  #changes: { change: Change; atMs: number }[] = [];
  #head = 0;
  #bytes = 0;
  /** Invariant: every change after this revision is in the ring. */
  #completeAfter: Revision;

  constructor({ clock, completeAfter }: { clock: Clock; completeAfter: Revision }) {
    this.#clock = clock;
    this.#completeAfter = completeAfter;
  }

  get completeAfter(): Revision {
    return this.#completeAfter;
  }

  append(change: Change): void {
    const atMs = this.#clock.monotonic();
    this.#changes.push({ change, atMs });
    this.#bytes += change.bytes;
    this.#trim(atMs);
  }

  /** Changes after `revision`, oldest first; `revision` is not below `completeAfter`. */
  after(revision: Revision): Change[] {
    let low = this.#head;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#changes[middle]?.change.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#changes.slice(low).map(({ change }) => change);
  }

  /** Drops everything up to `revision`. */
  forget(revision: Revision): void {
    for (let oldest = this.#changes[this.#head]; oldest !== undefined; oldest = this.#changes[this.#head]) {
      if (oldest.change.revision > revision) break;
      this.#head++;
      this.#bytes -= oldest.change.bytes;
    }
    this.#completeAfter = Math.max(this.#completeAfter, revision);
  }

  /** Drops everything; the next change is one after `revision`, which may be below those of before. */
  restart(revision: Revision): void {
    this.#changes = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#completeAfter = revision;
  }

  #trim(nowMs: number): void {
    for (;;) {
      const oldest = this.#changes[this.#head];
      if (oldest === undefined) break;
      const isFull = this.#bytes > RING_BYTES_MAX || this.#changes.length - this.#head > RING_CHANGES_MAX;
      if (!isFull && nowMs - oldest.atMs <= RING_AGE_MAX_MS) break;
      this.#head++;
      this.#bytes -= oldest.change.bytes;
      this.#completeAfter = oldest.change.revision;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#changes.length) {
      this.#changes = this.#changes.slice(this.#head);
      this.#head = 0;
    }
  }
}
