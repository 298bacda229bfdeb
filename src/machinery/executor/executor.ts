import type { Clock } from '../clock/clock.ts';
import type { Random } from '../random/random.ts';

/** Classes of work that share the event loop by weight; see docs/architecture.md. */
export type TaskClass = 'request' | 'watch' | 'controller' | 'scheduler' | 'node' | 'background';

/**
 * Owns the event loop: all in-process work is posted here. In real time it runs the classes by fair share and returns
 * to the event loop every 5 ms at most; in virtual time it picks the next task by seed and knows when it is at rest.
 */
export interface Executor {
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Runs `task` later, never before this call returns; tasks of one class start in the order they were posted. The
   * promises that a task settles run before the next task. A task that throws is reported, it never stops the executor.
   */
  post(taskClass: TaskClass, task: () => void): void;
  /** Runs `task` later and settles with its outcome. */
  run<T>(taskClass: TaskClass, task: () => T | Promise<T>): Promise<T>;
  /** Resolves in a later task: what a long loop awaits between chunks. */
  pause(taskClass: TaskClass): Promise<void>;
  /** Whether the current task has used up its slice; cheap enough to ask in a loop. */
  shouldPause(): boolean;
  /** The longest time since the last call that the event loop waited for its turn; where there is an event loop. */
  takeWorstDelayMs?(): number;
}

/** The executor of a simulated cluster. Time moves only when the test moves it. */
export interface VirtualExecutor extends Executor {
  /** Runs tasks until none is runnable, without moving time. */
  settle(): Promise<void>;
  /** Moves time forward by `durationMs`, firing timers in order and settling after each. */
  advance(durationMs: number): Promise<void>;
  /** Runs tasks, moving time from timer to timer, until `isDone` holds; throws once `limitMs` of virtual time passed. */
  runUntil(isDone: () => boolean, options: { limitMs: number; what: string }): Promise<void>;
  /** Number of tasks that could run now. */
  readonly runnable: number;
}
