/** How often a thing failed lately: the delay it has to wait and when that was decided. */
interface Entry {
  delayMs: number;
  updatedMs: number;
}

export interface BackOffOptions {
  initialMs: number;
  maxMs: number;
}

/** Crashing containers: 10 s doubled up to 5 min, forgotten once a run outlasts 10 min (twice the maximum). */
export const CRASH_BACK_OFF: BackOffOptions = { initialMs: 10_000, maxMs: 300_000 };
/** Image pulls back off alike. */
export const PULL_BACK_OFF: BackOffOptions = { initialMs: 10_000, maxMs: 300_000 };

/**
 * Exponential delays by key. Reading (`waitMs`) and counting (`next`) are apart, so that a plan can read without
 * changing anything.
 */
export class BackOff {
  readonly #options: BackOffOptions;
  // Bounded by its owner, which forgets a pod's keys when the pod is gone.
  readonly #entries = new Map<string, Entry>();

  constructor(options: BackOffOptions) {
    this.#options = options;
  }

  /** How long to wait still, counted from the failure at `eventMs`; 0 where nothing holds it back. */
  waitMs(key: string, eventMs: number, nowMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#isForgotten(entry, eventMs)) return 0;
    return Math.max(0, eventMs + entry.delayMs - nowMs);
  }

  /** The same, counted from when the delay was decided. */
  waitSinceUpdateMs(key: string, nowMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || nowMs - entry.updatedMs > this.#options.maxMs * 2) return 0;
    return Math.max(0, entry.updatedMs + entry.delayMs - nowMs);
  }

  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Counts one more try after the failure at `eventMs`. */
  next(key: string, eventMs: number, nowMs: number): void {
    const entry = this.#entries.get(key);
    const delayMs =
      entry === undefined || this.#isForgotten(entry, eventMs)
        ? this.#options.initialMs
        : Math.min(entry.delayMs * 2, this.#options.maxMs);
    this.#entries.set(key, { delayMs, updatedMs: nowMs });
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  #isForgotten(entry: Entry, eventMs: number): boolean {
    return eventMs - entry.updatedMs > this.#options.maxMs * 2;
  }
}
