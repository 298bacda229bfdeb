import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Each wait is stretched by up to this share of itself, so that many clients do not come back at once. */
  readonly jitter: number;
  /** The waits start anew after this long without a failure. */
  readonly resetMs: number;
}

/** Upstream's waits between attempts to list and watch. */
export const REFLECTOR_BACKOFF: BackoffOptions = {
  initialMs: 800,
  maxMs: 30_000,
  factor: 2,
  jitter: 1,
  resetMs: 120_000,
};

/** Waits that grow with each failure in a row. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: BackoffOptions;
  #nextMs: number;
  #lastAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { clock: Clock; random: Random }, options: BackoffOptions) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#options = options;
    this.#nextMs = options.initialMs;
  }

  /** The wait after one more failure. */
  next(): number {
    const { initialMs, maxMs, factor, jitter, resetMs } = this.#options;
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lastAtMs > resetMs) this.#nextMs = initialMs;
    this.#lastAtMs = nowMs;
    const delayMs = this.#nextMs * (1 + this.#random.float() * jitter);
    this.#nextMs = Math.min(this.#nextMs * factor, maxMs);
    return delayMs;
  }
}
