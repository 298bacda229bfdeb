import type { Clock } from '#machinery/clock/clock.ts';
import { type StatusError, tooManyRequests } from '#machinery/errors/status-error.ts';
import { isLongRunning } from '../long-running.ts';
import { type ApiResponse, type RequestContext, type Stage, textResponse } from '../types.ts';

/** Upstream's `--max-requests-inflight` and `--max-mutating-requests-inflight`. */
export const READS_IN_FLIGHT_MAX = 400;
export const WRITES_IN_FLIGHT_MAX = 200;
/** Requests that wait for a free place; a burst beyond is told to come again. */
const WAITING_MAX = 5_000;
/** A request waits no longer than this: a quarter of the time that it may take at all, as upstream. */
const WAIT_MS_MAX = 15_000;
const RETRY_AFTER_SECONDS = 1;
const REFUSAL = 'Too many requests, please try again later.';
const PRIVILEGED_GROUP = 'system:masters';
const READING_VERBS = new Set(['get', 'list', 'watch']);
const PROBES = /^\/(?:healthz|livez|readyz)(?:\/|$)/;

/**
 * Limits how many requests run at once; some wait, and when too many do, or for too long, 429. Long-running ones are
 * not counted, and neither are probes and `system:masters`, as by upstream's flow schemas `probes` and `exempt`: so
 * that an overloaded server is not taken for a dead one, and can be repaired.
 */
export function flowControl(options: { readsMax: number; writesMax: number; clock: Clock }): Stage {
  const reads = new Places(options.readsMax, options.clock);
  const writes = new Places(options.writesMax, options.clock);
  return async (context, next) => {
    if (isLongRunning(context.info) || isExempt(context)) return next();
    const { verb, isResourceRequest } = context.info;
    const places = READING_VERBS.has(verb) || !isResourceRequest ? reads : writes;
    const entered = places.enter(context);
    if (entered !== undefined && !(await entered)) return refusal(context);
    try {
      return await next();
    } finally {
      places.leave();
    }
  };
}

function isExempt({ user, info }: RequestContext): boolean {
  if (user.groups.includes(PRIVILEGED_GROUP)) return true;
  return !info.isResourceRequest && PROBES.test(info.path);
}

/** Upstream refuses in plain words, not with a Status. */
function refusal({ request }: RequestContext): ApiResponse {
  if (request.localUser !== undefined) throw failure();
  return textResponse(429, `${REFUSAL}\n`, { 'retry-after': String(RETRY_AFTER_SECONDS) });
}

function failure(): StatusError {
  return tooManyRequests(REFUSAL, RETRY_AFTER_SECONDS);
}

/** One that waits; called with whether it got a place. */
interface Waiter {
  settle: ((isIn: boolean) => void) | undefined;
}

class Places {
  readonly #max: number;
  readonly #clock: Clock;
  #taken = 0;
  #waiting: Waiter[] = [];
  #head = 0;
  /** Those of `#waiting` that still do. */
  #waitingCount = 0;

  constructor(max: number, clock: Clock) {
    this.#max = max;
    this.#clock = clock;
  }

  /** Takes a place; a promise of whether it did where the request must wait for one. */
  enter({ request }: RequestContext): Promise<boolean> | undefined {
    if (this.#taken < this.#max) {
      this.#taken++;
      return undefined;
    }
    if (this.#waitingCount >= WAITING_MAX) return Promise.resolve(false);
    const { signal } = request;
    return new Promise((resolve) => {
      const waiter: Waiter = { settle: undefined };
      const giveUp = (): void => waiter.settle?.(false);
      const timer = this.#clock.setTimeout(giveUp, WAIT_MS_MAX, { unref: true });
      waiter.settle = (isIn) => {
        waiter.settle = undefined;
        this.#waitingCount--;
        timer.cancel();
        signal.removeEventListener('abort', giveUp);
        resolve(isIn);
      };
      this.#waiting.push(waiter);
      this.#waitingCount++;
      // Who is gone needs no place any more.
      signal.addEventListener('abort', giveUp);
      if (signal.aborted) giveUp();
    });
  }

  /** Gives the place to the one who waited longest. */
  leave(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (next.settle === undefined) continue;
      next.settle(true);
      return;
    }
    this.#taken--;
  }

  #next(): Waiter | undefined {
    const next = this.#waiting[this.#head];
    this.#head++;
    if (this.#head >= this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
    return next;
  }
}
