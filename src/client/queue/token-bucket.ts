import type { Clock } from '#machinery/clock/clock.ts';

export interface TokenBucketOptions {
  readonly perSecond: number;
  readonly burst: number;
}

/** A token bucket: `burst` at once, `perSecond` in the long run. Full at the start. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #options: TokenBucketOptions;
  // May be negative: reservations for the future.
  #tokens: number;
  #atMs: number;

  constructor(deps: { clock: Clock }, options: TokenBucketOptions) {
    this.#clock = deps.clock;
    this.#options = options;
    this.#tokens = options.burst;
    this.#atMs = deps.clock.monotonic();
  }

  /** Takes a token if there is one. */
  tryTake(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes a token, of the future if need be, and returns how long to wait until it is there. */
  reserve(): number {
    this.#refill();
    this.#tokens--;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#options.perSecond) * 1000;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonic();
    const gained = ((nowMs - this.#atMs) / 1000) * this.#options.perSecond;
    this.#tokens = Math.min(this.#options.burst, this.#tokens + gained);
    this.#atMs = nowMs;
  }
}
