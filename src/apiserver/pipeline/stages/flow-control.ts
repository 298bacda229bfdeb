import { tooManyRequests } from '#machinery/errors/status-error.ts';
import { isLongRunning } from '../long-running.ts';
import type { Stage } from '../types.ts';

/** Upstream's `--max-requests-inflight` and `--max-mutating-requests-inflight`. */
export const READS_IN_FLIGHT_MAX = 400;
export const WRITES_IN_FLIGHT_MAX = 200;
/** Requests that wait for a free place; a burst beyond is told to come again. */
const WAITING_MAX = 5_000;
const PRIVILEGED_GROUP = 'system:masters';
const READING_VERBS = new Set(['get', 'list', 'watch']);

/** Limits how many requests run at once; some wait, and when too many do, 429. Long-running ones are not counted. */
export function flowControl(options: { readsMax: number; writesMax: number }): Stage {
  const reads = new Places(options.readsMax);
  const writes = new Places(options.writesMax);
  return async (context, next) => {
    if (isLongRunning(context.info)) return next();
    const { verb } = context.info;
    const places = READING_VERBS.has(verb) || !context.info.isResourceRequest ? reads : writes;
    const entered = places.enter({ isPrivileged: context.user.groups.includes(PRIVILEGED_GROUP) });
    if (entered !== undefined) await entered;
    try {
      return await next();
    } finally {
      places.leave();
    }
  };
}

class Places {
  readonly #max: number;
  #taken = 0;
  #waiting: (() => void)[] = [];
  #head = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a place; a promise where the request must wait for one. */
  enter({ isPrivileged }: { isPrivileged: boolean }): Promise<void> | undefined {
    if (this.#taken < this.#max) {
      this.#taken++;
      return undefined;
    }
    // A privileged request is never refused, so that an overloaded server can still be repaired.
    if (!isPrivileged && this.#waiting.length - this.#head >= WAITING_MAX) {
      throw tooManyRequests('Too many requests, please try again later.', 1);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Gives the place to the one who waited longest. */
  leave(): void {
    const next = this.#waiting[this.#head];
    if (next === undefined) {
      this.#taken--;
      return;
    }
    this.#head++;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
    next();
  }
}
