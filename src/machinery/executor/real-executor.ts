import type { Clock } from '../clock/clock.ts';
import { RealClock } from '../clock/real-clock.ts';
import type { Random } from '../random/random.ts';
import { SystemRandom } from '../random/system-random.ts';
import type { Executor, TaskClass } from './executor.ts';
import { TaskQueue } from './task-queue.ts';

/** The event loop gets its turn (timers, sockets) after this long at most, unless one task alone takes longer. */
const SLICE_MS = 5;

/** Hops scheduled for one turn of the event loop; a hop is one task with the promises it settles. */
const HOPS_MIN = 8;
const HOPS_MAX = 256;

/** Shares of the event loop where every class has work; an idle class's share goes to the others. */
const WEIGHTS: Readonly<Record<TaskClass, number>> = {
  request: 8,
  watch: 8,
  controller: 4,
  scheduler: 4,
  node: 4,
  background: 1,
};

interface ClassState {
  readonly weight: number;
  readonly queue: TaskQueue<() => void>;
  /** Time used divided by weight; the smallest goes first. */
  usedMs: number;
}

/**
 * Runs posted tasks in real time. Each task runs in an immediate of its own, so that the promises it settles run
 * before the next task and their time counts for its class; many immediates share one turn of the event loop.
 */
export class RealExecutor implements Executor {
  readonly clock: Clock;
  readonly random: Random;
  readonly #onError: (error: unknown) => void;
  readonly #classes = new Map<TaskClass, ClassState>();
  #pending = 0;
  #isScheduled = false;
  #scheduledAtMs = 0;
  #sliceStartMs = 0;
  #hopsLeft = 0;
  /** The class whose task ran last, and when it started. */
  #running: ClassState | undefined;
  #runningSinceMs = 0;
  #worstDelayMs = 0;
  readonly #hop = (): void => this.#runHop();

  constructor(options: { clock?: Clock; random?: Random; onError?: (error: unknown) => void } = {}) {
    this.clock = options.clock ?? new RealClock();
    this.random = options.random ?? new SystemRandom();
    this.#onError = options.onError ?? reportAsWarning;
    for (const [name, weight] of Object.entries(WEIGHTS)) {
      // Safe: the keys of WEIGHTS are the task classes.
      this.#classes.set(name as TaskClass, { weight, queue: new TaskQueue(), usedMs: 0 });
    }
  }

  post(taskClass: TaskClass, task: () => void): void {
    // Safe: every task class has its state since construction.
    const state = this.#classes.get(taskClass) as ClassState;
    if (state.queue.size === 0) state.usedMs = Math.max(state.usedMs, this.#leastUsed());
    state.queue.push(task);
    this.#pending += 1;
    if (!this.#isScheduled) this.#schedule();
  }

  run<T>(taskClass: TaskClass, task: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.post(taskClass, () => {
        try {
          resolve(task());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  pause(taskClass: TaskClass): Promise<void> {
    return new Promise((resolve) => {
      this.post(taskClass, resolve);
    });
  }

  shouldPause(): boolean {
    return performance.now() - this.#sliceStartMs >= SLICE_MS;
  }

  /** The longest time since the last call that the event loop had to wait for its turn, in milliseconds. */
  takeWorstDelayMs(): number {
    const worst = this.#worstDelayMs;
    this.#worstDelayMs = 0;
    return worst;
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.#scheduledAtMs = performance.now();
    this.#hopsLeft = Math.min(HOPS_MAX, Math.max(HOPS_MIN, this.#pending * 2));
    for (let index = this.#hopsLeft; index > 0; index -= 1) setImmediate(this.#hop);
    this.#sliceStartMs = 0;
  }

  /** One immediate. The last of a turn runs nothing: it only closes the books and schedules the next turn. */
  #runHop(): void {
    const nowMs = performance.now();
    this.#hopsLeft -= 1;
    if (this.#sliceStartMs === 0) {
      this.#sliceStartMs = nowMs;
      this.#noteDelay(nowMs - this.#scheduledAtMs);
    }
    if (this.#running !== undefined) {
      this.#running.usedMs += (nowMs - this.#runningSinceMs) / this.#running.weight;
      this.#running = undefined;
      this.#noteDelay(nowMs - this.#sliceStartMs);
    }
    if (this.#hopsLeft > 0) {
      if (this.#pending > 0 && nowMs - this.#sliceStartMs < SLICE_MS) this.#runNext(nowMs);
      return;
    }
    this.#isScheduled = false;
    if (this.#pending > 0) this.#schedule();
  }

  #runNext(nowMs: number): void {
    let next: ClassState | undefined;
    for (const state of this.#classes.values()) {
      if (state.queue.size > 0 && (next === undefined || state.usedMs < next.usedMs)) next = state;
    }
    const task = next?.queue.shift();
    if (next === undefined || task === undefined) return;
    this.#pending -= 1;
    this.#running = next;
    this.#runningSinceMs = nowMs;
    try {
      task();
    } catch (error) {
      this.#onError(error);
    }
  }

  /** A class that was idle starts level with the least served busy one: idling saves up no share. */
  #leastUsed(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const state of this.#classes.values()) {
      if (state.queue.size > 0 || state === this.#running) least = Math.min(least, state.usedMs);
    }
    return least === Number.POSITIVE_INFINITY ? 0 : least;
  }

  #noteDelay(delayMs: number): void {
    if (delayMs > this.#worstDelayMs) this.#worstDelayMs = delayMs;
  }
}

function reportAsWarning(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}
