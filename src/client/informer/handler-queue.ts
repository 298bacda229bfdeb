import type { Executor, TaskClass } from '#machinery/executor/executor.ts';
import type { StoreChange } from './object-store.ts';

/** What whoever listens to an informer is told. `old` and `next` are frozen; `old` is what it was told last. */
export interface InformerHandler<T> {
  readonly onAdd?: (object: T) => void;
  readonly onUpdate?: (old: T, next: T) => void;
  /** The last known state; it may be older than what was deleted. */
  readonly onDelete?: (object: T) => void;
}

/**
 * Calls one handler with the changes of an informer, in order, as tasks of the executor. Many changes share a task, as
 * long as its slice of time lasts. A handler that throws is reported and called again with the next change.
 */
export class HandlerQueue<T> {
  readonly #executor: Executor;
  readonly #taskClass: TaskClass;
  readonly #handler: InformerHandler<T>;
  readonly #onError: (error: unknown) => void;
  // Delivered up to #next.
  #changes: StoreChange<T>[] = [];
  #next = 0;
  #isPosted = false;
  #isClosed = false;

  constructor(
    deps: { executor: Executor; taskClass: TaskClass; onError: (error: unknown) => void },
    handler: InformerHandler<T>,
  ) {
    this.#executor = deps.executor;
    this.#taskClass = deps.taskClass;
    this.#onError = deps.onError;
    this.#handler = handler;
  }

  push(change: StoreChange<T>): void {
    if (this.#isClosed) return;
    this.#changes.push(change);
    this.#post();
  }

  close(): void {
    this.#isClosed = true;
    this.#changes = [];
    this.#next = 0;
  }

  #post(): void {
    if (this.#isPosted) return;
    this.#isPosted = true;
    this.#executor.post(this.#taskClass, () => {
      this.#isPosted = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    // At least one a task, so that there is progress however short the slices are.
    do {
      const change = this.#changes[this.#next];
      if (change === undefined) break;
      this.#next++;
      this.#call(change);
    } while (!this.#executor.shouldPause());
    if (this.#next < this.#changes.length) {
      this.#post();
      return;
    }
    this.#changes = [];
    this.#next = 0;
  }

  #call(change: StoreChange<T>): void {
    try {
      if (change.type === 'added') this.#handler.onAdd?.(change.next);
      else if (change.type === 'updated') this.#handler.onUpdate?.(change.old, change.next);
      else this.#handler.onDelete?.(change.old);
    } catch (error) {
      this.#onError(error);
    }
  }
}
