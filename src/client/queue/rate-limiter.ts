import type { Clock } from '#machinery/clock/clock.ts';
import { TokenBucket } from './token-bucket.ts';

/** Decides how long a key that failed waits before it is tried again. */
export interface RateLimiter<K> {
  /** The wait in milliseconds; counts one more failure. */
  next(key: K): number;
  /** The key succeeded. */
  forget(key: K): void;
  /** Failures counted since the last success. */
  failures(key: K): number;
}

const BASE_DELAY_MS = 5;
const DELAY_MAX_MS = 1_000_000;
// All keys together: bounds what a controller whose every key fails does to the server.
const OVERALL = { perSecond: 10, burst: 100 };

export interface DefaultRateLimiterOptions {
  readonly baseDelayMs?: number;
  readonly delayMaxMs?: number;
  /** `undefined`: no bound over all keys. */
  readonly overall?: { readonly perSecond: number; readonly burst: number } | undefined;
}

/** Upstream's default for controllers: 5 ms doubling to 1000 s for each key, and 10 a second (bursts of 100) overall. */
export class DefaultRateLimiter<K> implements RateLimiter<K> {
  readonly #failures = new Map<K, number>();
  readonly #baseDelayMs: number;
  readonly #delayMaxMs: number;
  readonly #overall: TokenBucket | undefined;

  constructor(deps: { clock: Clock }, options: DefaultRateLimiterOptions = {}) {
    this.#baseDelayMs = options.baseDelayMs ?? BASE_DELAY_MS;
    this.#delayMaxMs = options.delayMaxMs ?? DELAY_MAX_MS;
    const overall = 'overall' in options ? options.overall : OVERALL;
    this.#overall = overall === undefined ? undefined : new TokenBucket(deps, overall);
  }

  next(key: K): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delayMs = Math.min(this.#baseDelayMs * 2 ** failures, this.#delayMaxMs);
    return Math.max(delayMs, this.#overall?.reserve() ?? 0);
  }

  forget(key: K): void {
    this.#failures.delete(key);
  }

  failures(key: K): number {
    return this.#failures.get(key) ?? 0;
  }
}
