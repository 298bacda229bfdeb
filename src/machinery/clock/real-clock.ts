import type { Clock, Timer } from './clock.ts';

/** Node's timers hold 31 bits; a longer delay is waited for in parts of this length. */
const TIMER_PART_MAX_MS = 2_147_483_647;

/** The machine's clock. */
export class RealClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  setTimeout(callback: () => void, delayMs: number, options: { unref?: boolean } = {}): Timer {
    if (delayMs <= TIMER_PART_MAX_MS) return new NodeTimer(callback, delayMs, options.unref === true);
    const deadlineMs = performance.now() + delayMs;
    let handle: NodeJS.Timeout | undefined;
    const arm = (leftMs: number): void => {
      const isLast = leftMs <= TIMER_PART_MAX_MS;
      handle = setTimeout(
        () => {
          if (isLast) callback();
          else arm(Math.max(0, deadlineMs - performance.now()));
        },
        isLast ? leftMs : TIMER_PART_MAX_MS,
      );
      if (options.unref === true) handle.unref();
    };
    arm(Math.max(0, delayMs));
    const cancel = (): void => clearTimeout(handle);
    return { cancel, [Symbol.dispose]: cancel };
  }

  sleep(delayMs: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    return sleepWith(this, delayMs, options.signal);
  }
}

/** The usual case, as lean as can be: every request has a deadline. */
class NodeTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(callback: () => void, delayMs: number, isUnref: boolean) {
    this.#handle = setTimeout(callback, Math.max(0, delayMs));
    if (isUnref) this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#handle);
  }
}

/** `Clock.sleep` in terms of `Clock.setTimeout`. */
export function sleepWith(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
