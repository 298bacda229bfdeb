import type { Timer } from '#machinery/clock/clock.ts';
import type { Executor, TaskClass } from '#machinery/executor/executor.ts';
import { DefaultRateLimiter, type RateLimiter } from './rate-limiter.ts';

export interface WorkQueueOptions<K> {
  readonly executor: Executor;
  /** For metrics and messages. */
  readonly name: string;
  readonly rateLimiter?: RateLimiter<K>;
}

/** Counters since the queue was made, and gauges of now. */
export interface WorkQueueMetrics {
  readonly name: string;
  /** Keys ready to be worked on. */
  readonly depth: number;
  /** Keys being worked on. */
  readonly processing: number;
  /** Keys that will be added later. */
  readonly waiting: number;
  readonly adds: number;
  readonly retries: number;
  readonly processed: number;
  /** Sum over processed keys of the time between add and get, and between get and done. */
  readonly queueDurationMs: number;
  readonly workDurationMs: number;
}

interface Waiting {
  readonly readyAtMs: number;
  readonly timer: Timer;
}

/**
 * A queue of keys for a controller, with the semantics of client-go's: a key that is added several times before it is
 * worked on is worked on once; a key that is added while it is worked on is worked on again after that, never twice at
 * the same time. Keys are compared as a Map does, so use strings.
 */
export class WorkQueue<K = string> {
  readonly name: string;
  readonly executor: Executor;
  readonly #rateLimiter: RateLimiter<K>;
  // Invariant: every key in #queue is dirty and none of them is being processed. Values: when it became ready.
  readonly #queue = new Map<K, number>();
  // Keys to be worked on again once their processing is done.
  readonly #dirtyWhileProcessing = new Set<K>();
  // Values: when processing began.
  readonly #processing = new Map<K, number>();
  readonly #waiting = new Map<K, Waiting>();
  readonly #takers: ((key: K | undefined) => void)[] = [];
  #onReady: (() => void) | undefined;
  #isShutDown = false;
  #adds = 0;
  #retries = 0;
  #processed = 0;
  #queueDurationMs = 0;
  #workDurationMs = 0;

  constructor(options: WorkQueueOptions<K>) {
    this.name = options.name;
    this.executor = options.executor;
    this.#rateLimiter = options.rateLimiter ?? new DefaultRateLimiter<K>({ clock: options.executor.clock });
  }

  get length(): number {
    return this.#queue.size;
  }

  get isShutDown(): boolean {
    return this.#isShutDown;
  }

  /** Work on this key soon. */
  add(key: K): void {
    if (this.#isShutDown) return;
    if (this.#processing.has(key)) {
      if (this.#dirtyWhileProcessing.has(key)) return;
      this.#dirtyWhileProcessing.add(key);
      this.#adds++;
      return;
    }
    if (this.#queue.has(key)) return;
    this.#adds++;
    this.#makeReady(key);
  }

  /** Adds the key after a while; if it waits already, the earlier time counts. */
  addAfter(key: K, delayMs: number): void {
    if (this.#isShutDown) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const { clock } = this.executor;
    const readyAtMs = clock.monotonic() + delayMs;
    const before = this.#waiting.get(key);
    if (before !== undefined) {
      if (before.readyAtMs <= readyAtMs) return;
      before.timer.cancel();
    }
    const timer = clock.setTimeout(
      () => {
        this.#waiting.delete(key);
        this.add(key);
      },
      delayMs,
      { unref: true },
    );
    this.#waiting.set(key, { readyAtMs, timer });
  }

  /** Adds the key after a wait that grows with its failures. */
  addRateLimited(key: K): void {
    this.#retries++;
    this.addAfter(key, this.#rateLimiter.next(key));
  }

  /** The key succeeded: its next failure waits the shortest time again. */
  forget(key: K): void {
    this.#rateLimiter.forget(key);
  }

  /** Failures since the last `forget`. */
  failures(key: K): number {
    return this.#rateLimiter.failures(key);
  }

  /** The next key, now being processed until `done`; waits for one. `undefined`: the queue was shut down. */
  get(): Promise<K | undefined> {
    const taken = this.tryGet();
    if (taken !== undefined) return Promise.resolve(taken.key);
    if (this.#isShutDown) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** As `get`, where a key is ready now. */
  tryGet(): { readonly key: K } | undefined {
    for (const [key, readyMs] of this.#queue) {
      this.#queue.delete(key);
      const nowMs = this.executor.clock.monotonic();
      this.#queueDurationMs += nowMs - readyMs;
      this.#processing.set(key, nowMs);
      return { key };
    }
    return undefined;
  }

  /** Processing of the key has ended, whatever came of it. */
  done(key: K): void {
    const sinceMs = this.#processing.get(key);
    if (sinceMs === undefined) return;
    this.#processing.delete(key);
    this.#processed++;
    this.#workDurationMs += this.executor.clock.monotonic() - sinceMs;
    if (this.#dirtyWhileProcessing.delete(key)) this.#makeReady(key);
  }

  /** Takes no more keys, and gives those that are ready to nobody. */
  shutDown(): void {
    this.#isShutDown = true;
    for (const { timer } of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    this.#queue.clear();
    this.#dirtyWhileProcessing.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    this.#onReady?.();
  }

  /** Calls `listener` whenever a key becomes ready, and at shut-down. One listener: the workers. */
  onReady(listener: () => void): void {
    this.#onReady = listener;
  }

  metrics(): WorkQueueMetrics {
    return {
      name: this.name,
      depth: this.#queue.size,
      processing: this.#processing.size,
      waiting: this.#waiting.size,
      adds: this.#adds,
      retries: this.#retries,
      processed: this.#processed,
      queueDurationMs: this.#queueDurationMs,
      workDurationMs: this.#workDurationMs,
    };
  }

  #makeReady(key: K): void {
    this.#queue.set(key, this.executor.clock.monotonic());
    const taker = this.#takers.shift();
    if (taker !== undefined) taker(this.tryGet()?.key);
    else this.#onReady?.();
  }
}

/** A reconcile that can never succeed for this state of the world: it is not tried again until something changes. */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TerminalError';
  }
}

/** What a reconcile may ask for when it succeeded. */
export interface ReconcileResult {
  /** Look at this key again after this time, whatever happens. */
  readonly requeueAfterMs?: number;
}

export interface WorkersOptions<K> {
  /** Keys worked on at the same time. */
  readonly workers: number;
  readonly taskClass: TaskClass;
  /** Looks at the key's state and does the next step. Throwing means: try again later, with growing waits. */
  readonly reconcile: (key: K, signal: AbortSignal) => Promise<ReconcileResult | void> | ReconcileResult | void;
  readonly onError?: (error: unknown, key: K) => void;
  /** Shuts the queue down. */
  readonly signal: AbortSignal;
}

/**
 * Works on the queue's keys until the signal fires; settles when the last reconcile has ended. Every reconcile is a
 * task of its own of the executor, so that no queue, however long, holds up the event loop.
 */
export function runWorkers<K>(queue: WorkQueue<K>, options: WorkersOptions<K>): Promise<void> {
  const { workers, signal } = options;
  const { promise, resolve } = Promise.withResolvers<void>();
  let active = 0;
  const startReady = () => {
    while (active < workers && !queue.isShutDown) {
      const taken = queue.tryGet();
      if (taken === undefined) break;
      active++;
      queue.executor.post(options.taskClass, () => {
        void reconcileOne(queue, taken.key, options).finally(() => {
          active--;
          startReady();
        });
      });
    }
    if (queue.isShutDown && active === 0) resolve();
  };
  queue.onReady(startReady);
  if (signal.aborted) queue.shutDown();
  else signal.addEventListener('abort', () => queue.shutDown(), { once: true });
  startReady();
  return promise;
}

/** The outcome goes back into the queue. */
async function reconcileOne<K>(queue: WorkQueue<K>, key: K, options: WorkersOptions<K>): Promise<void> {
  try {
    if (queue.isShutDown) return;
    const result = await options.reconcile(key, options.signal);
    queue.forget(key);
    if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs);
  } catch (error) {
    // Nothing a shut-down queue's worker ran into matters any more; its requests were aborted.
    if (options.signal.aborted) return;
    options.onError?.(error, key);
    if (error instanceof TerminalError) queue.forget(key);
    else queue.addRateLimited(key);
  } finally {
    queue.done(key);
  }
}
