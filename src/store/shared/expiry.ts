import type { Clock, Timer } from '#machinery/clock/clock.ts';
import { newSortedMap, type SortedMap } from './sorted-map.ts';
import type { Revision } from '../store.ts';

/** A key and the write whose time to live runs out. */
export interface Expiring {
  readonly key: string;
  readonly revision: Revision;
}

// Looks again at least this often, so that a machine clock that was set is noticed and no timer overflows 32 bits.
const TIMER_MAX_MS = 600_000;

/** Knows which keys run out when, and calls back with those that have. One timer, whatever the number of keys. */
export class ExpiryQueue {
  readonly #clock: Clock;
  readonly #onExpired: (expired: Expiring[]) => void;
  readonly #queue: SortedMap<Expiring> = newSortedMap();
  readonly #sortKeys = new Map<string, string>();
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(deps: { clock: Clock }, onExpired: (expired: Expiring[]) => void) {
    this.#clock = deps.clock;
    this.#onExpired = onExpired;
  }

  /** The key's newest write: it runs out at `expiresAtMs` of the machine's clock, or never. */
  track(key: string, revision: Revision, expiresAtMs: number | undefined): void {
    const before = this.#sortKeys.get(key);
    if (before !== undefined) {
      this.#queue.delete(before);
      this.#sortKeys.delete(key);
    }
    if (expiresAtMs === undefined) return;
    const sortKey = `${String(Math.ceil(expiresAtMs)).padStart(16, '0')}/${key}`;
    this.#sortKeys.set(key, sortKey);
    this.#queue.set(sortKey, { key, revision });
    if (expiresAtMs < this.#timerAtMs) this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
    this.#queue.clear();
    this.#sortKeys.clear();
  }

  #arm(): void {
    this.#timer?.cancel();
    const first = this.#queue.minKey();
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    if (first === undefined) return;
    const atMs = Number.parseInt(first, 10);
    const delayMs = Math.min(Math.max(atMs - this.#clock.now(), 0), TIMER_MAX_MS);
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.setTimeout(() => this.#fire(), delayMs, { unref: true });
  }

  #fire(): void {
    const nowMs = this.#clock.now();
    const expired: Expiring[] = [];
    for (let sortKey = this.#queue.minKey(); sortKey !== undefined; sortKey = this.#queue.minKey()) {
      const entry = this.#queue.get(sortKey);
      if (entry === undefined || Number.parseInt(sortKey, 10) > nowMs) break;
      this.#queue.delete(sortKey);
      this.#sortKeys.delete(entry.key);
      expired.push(entry);
    }
    this.#arm();
    if (expired.length > 0) this.#onExpired(expired);
  }
}
