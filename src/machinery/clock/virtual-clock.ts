import { Heap } from '../queue/heap.ts';
import type { Clock, Timer } from './clock.ts';
import { sleepWith } from './real-clock.ts';

interface PendingTimer {
  readonly atMs: number;
  readonly sequence: number;
  readonly callback: () => void;
  isCancelled: boolean;
}

/** 2026-01-01T00:00:00Z: where simulated time starts unless told otherwise. */
export const VIRTUAL_EPOCH_MS = 1_767_225_600_000;

/** Rebuilding the heap pays once this many cancelled timers lie in it and they are the majority. */
const CANCELLED_KEPT_MAX = 64;

/** Time that moves only when it is told to. Timers fire in the order of their times, then of their creation. */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #sequence = 0;
  #cancelled = 0;
  readonly #timers = new Heap<PendingTimer>((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);

  constructor(options: { startMs?: number } = {}) {
    this.#nowMs = options.startMs ?? VIRTUAL_EPOCH_MS;
    this.#startMs = this.#nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    this.#sequence += 1;
    // Real timers have a grain of a millisecond; so have these, and time stays a whole number.
    const delay = Number.isNaN(delayMs) ? 0 : Math.max(0, Math.ceil(delayMs));
    const timer = { atMs: this.#nowMs + delay, sequence: this.#sequence, callback, isCancelled: false };
    this.#timers.push(timer);
    const cancel = (): void => this.#cancel(timer);
    return { cancel, [Symbol.dispose]: cancel };
  }

  sleep(delayMs: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    return sleepWith(this, delayMs, options.signal);
  }

  /** How many timers wait. */
  get timerCount(): number {
    return this.#timers.size - this.#cancelled;
  }

  /** When the next timer is due, if there is one. */
  nextTimerAt(): number | undefined {
    this.#dropCancelled();
    return this.#timers.peek()?.atMs;
  }

  /** Takes the next timer that is due by now; the caller calls it back. */
  takeDue(): (() => void) | undefined {
    this.#dropCancelled();
    const next = this.#timers.peek();
    if (next === undefined || next.atMs > this.#nowMs) return undefined;
    this.#timers.pop();
    // A later cancel must not count this one again.
    next.isCancelled = true;
    return next.callback;
  }

  /** Moves time forward without firing anything. */
  moveTo(epochMs: number): void {
    if (epochMs > this.#nowMs) this.#nowMs = epochMs;
  }

  /** Moves time forward and fires timers on the way, synchronously. For tests without an executor. */
  advance(durationMs: number): void {
    const targetMs = this.#nowMs + durationMs;
    for (;;) {
      const nextMs = this.nextTimerAt();
      if (nextMs === undefined || nextMs > targetMs) break;
      this.moveTo(nextMs);
      this.takeDue()?.();
    }
    this.moveTo(targetMs);
  }

  #cancel(timer: PendingTimer): void {
    if (timer.isCancelled) return;
    timer.isCancelled = true;
    this.#cancelled += 1;
    if (this.#cancelled > CANCELLED_KEPT_MAX && this.#cancelled * 2 > this.#timers.size) {
      this.#timers.retain((pending) => !pending.isCancelled);
      this.#cancelled = 0;
    }
  }

  #dropCancelled(): void {
    while (this.#timers.peek()?.isCancelled === true) {
      this.#timers.pop();
      this.#cancelled -= 1;
    }
  }
}
