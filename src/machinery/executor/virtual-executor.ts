import { VirtualClock } from '../clock/virtual-clock.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import type { TaskClass, VirtualExecutor } from './executor.ts';
import { TaskQueue } from './task-queue.ts';
import { markVirtualTask } from './trap-globals.ts';

// Taken at load, so that the executor itself works while the globals are trapped.
const scheduleHop = setImmediate;

/** Hops scheduled for one turn of the real event loop. */
const HOPS = 32;

/** `settle` gives up after this many tasks at one instant: something feeds itself without waiting for time. */
const TASKS_AT_ONE_INSTANT_MAX = 20_000_000;

/** One in this many calls of `shouldPause` says yes, so that both paths of every loop are walked. */
const PAUSE_ONE_IN = 16;

export interface SimulatedExecutorOptions {
  readonly seed: string | number;
  /** Where virtual time starts, in milliseconds since the epoch. */
  readonly startMs?: number;
  /**
   * `classes` (default): the seed picks the class, tasks of one class run in the order they were posted, as they do in
   * real time. `tasks`: the seed picks among all tasks.
   */
  readonly shuffle?: 'classes' | 'tasks';
  /** Told of tasks that threw. Without it, `settle`, `advance` and `runUntil` throw the first such error. */
  readonly onError?: (error: unknown) => void;
}

/**
 * The executor of a simulated cluster: the seed picks the next task, promises are drained between tasks (each task is
 * a macrotask of its own), and time is a number that the test moves. Two runs with one seed are identical.
 */
export class SimulatedExecutor implements VirtualExecutor {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly #choice: SeededRandom;
  readonly #shuffle: 'classes' | 'tasks';
  readonly #onError: (error: unknown) => void;
  readonly #queues = new Map<TaskClass, TaskQueue<() => void>>();
  #runnable = 0;
  #errors: unknown[] = [];
  #isDriven = false;

  constructor(options: SimulatedExecutorOptions) {
    this.clock = new VirtualClock(options.startMs === undefined ? {} : { startMs: options.startMs });
    this.random = new SeededRandom(`${options.seed}`);
    this.#choice = new SeededRandom(`${options.seed}/order`);
    this.#shuffle = options.shuffle ?? 'classes';
    this.#onError = options.onError ?? ((error) => this.#errors.push(error));
  }

  get runnable(): number {
    const nextMs = this.clock.nextTimerAt();
    return this.#runnable + (nextMs !== undefined && nextMs <= this.clock.now() ? 1 : 0);
  }

  post(taskClass: TaskClass, task: () => void): void {
    let queue = this.#queues.get(taskClass);
    if (queue === undefined) {
      queue = new TaskQueue();
      this.#queues.set(taskClass, queue);
    }
    queue.push(task);
    this.#runnable += 1;
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
    return this.#choice.int(PAUSE_ONE_IN) === 0;
  }

  async settle(): Promise<void> {
    await this.#drive(() => this.#takeRunnable());
  }

  async advance(durationMs: number): Promise<void> {
    const targetMs = this.clock.now() + durationMs;
    await this.#drive(() => {
      const task = this.#takeRunnable();
      if (task !== undefined) return task;
      const nextMs = this.clock.nextTimerAt();
      if (nextMs === undefined || nextMs > targetMs) return undefined;
      this.clock.moveTo(nextMs);
      return this.clock.takeDue();
    });
    this.clock.moveTo(targetMs);
  }

  async runUntil(isDone: () => boolean, options: { limitMs: number; what: string }): Promise<void> {
    const limitMs = this.clock.now() + options.limitMs;
    await this.#drive(() => {
      if (isDone()) return undefined;
      const task = this.#takeRunnable();
      if (task !== undefined) return task;
      const nextMs = this.clock.nextTimerAt();
      if (nextMs === undefined) throw new Error(`${options.what}: nothing is left to run and no timer is pending`);
      if (nextMs > limitMs) throw new Error(`${options.what}: not done after ${options.limitMs} ms of virtual time`);
      this.clock.moveTo(nextMs);
      return this.clock.takeDue();
    });
  }

  #takeRunnable(): (() => void) | undefined {
    const due = this.clock.takeDue();
    if (due !== undefined) return due;
    if (this.#runnable === 0) return undefined;
    this.#runnable -= 1;
    return this.#shuffle === 'tasks' ? this.#pickTask() : this.#pickClass();
  }

  #pickClass(): (() => void) | undefined {
    const busy = [...this.#queues.values()].filter((queue) => queue.size > 0);
    const index = busy.length === 1 ? 0 : this.#choice.int(busy.length);
    return busy[index]?.shift();
  }

  #pickTask(): (() => void) | undefined {
    let offset = this.#choice.int(this.#runnable + 1);
    for (const queue of this.#queues.values()) {
      if (offset < queue.size) return queue.takeAt(offset);
      offset -= queue.size;
    }
    return undefined;
  }

  /** Runs what `next` gives, each in an immediate of its own, until it gives nothing. */
  async #drive(next: () => (() => void) | undefined): Promise<void> {
    if (this.#isDriven) throw new Error('the virtual executor is already being driven: await the first call');
    this.#isDriven = true;
    try {
      await new Promise<void>((resolve, reject) => {
        new Turns({ next, onError: this.#onError, onEnd: resolve, onFailure: reject, clock: this.clock }).start();
      });
    } finally {
      this.#isDriven = false;
    }
    const [first] = this.#errors;
    this.#errors = [];
    if (first !== undefined) throw first;
  }
}

interface TurnsDeps {
  readonly next: () => (() => void) | undefined;
  readonly onError: (error: unknown) => void;
  readonly onEnd: () => void;
  readonly onFailure: (error: unknown) => void;
  readonly clock: VirtualClock;
}

/** Drives tasks through batches of immediates; between two of them Node runs every settled promise's reactions. */
class Turns {
  readonly #deps: TurnsDeps;
  #hopsLeft = 0;
  #isEnded = false;
  #tasksAtInstant = 0;
  #instantMs = 0;
  readonly #hop = (): void => this.#runHop();

  constructor(deps: TurnsDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#hopsLeft = HOPS;
    for (let index = 0; index < HOPS; index += 1) scheduleHop(this.#hop);
  }

  #runHop(): void {
    markVirtualTask(false);
    this.#hopsLeft -= 1;
    if (this.#isEnded) return;
    // The last hop runs no task: it only ends the one before it.
    if (this.#hopsLeft === 0) {
      this.start();
      return;
    }
    let task: (() => void) | undefined;
    try {
      task = this.#deps.next();
      this.#guard();
    } catch (error) {
      this.#isEnded = true;
      this.#deps.onFailure(error);
      return;
    }
    if (task === undefined) {
      this.#isEnded = true;
      this.#deps.onEnd();
      return;
    }
    this.#run(task);
  }

  #run(task: () => void): void {
    markVirtualTask(true);
    try {
      task();
    } catch (error) {
      this.#deps.onError(error);
    }
  }

  #guard(): void {
    const nowMs = this.#deps.clock.now();
    if (nowMs !== this.#instantMs) {
      this.#instantMs = nowMs;
      this.#tasksAtInstant = 0;
    }
    this.#tasksAtInstant += 1;
    if (this.#tasksAtInstant > TASKS_AT_ONE_INSTANT_MAX) {
      throw new Error(`the virtual executor does not come to rest: ${TASKS_AT_ONE_INSTANT_MAX} tasks at one instant`);
    }
  }
}
