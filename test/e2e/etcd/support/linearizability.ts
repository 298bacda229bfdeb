/**
 * Checks that a recorded history of one register could have happened one operation after the other, each at a moment
 * between its call and its return (Wing and Gong's search, with Lowe's memory of states that were tried).
 */

/** What a register holds; undefined: it does not exist. */
export type RegisterValue = string | undefined;

export type Operation =
  | { readonly type: 'read'; readonly value: RegisterValue }
  /** Writes `next` if the register holds `expected`. */
  | { readonly type: 'swap'; readonly expected: RegisterValue; readonly next: RegisterValue };

export interface RecordedOperation {
  readonly operation: Operation;
  readonly calledAt: number;
  /** Infinite where no answer came: it may have happened at any time since, or never. */
  readonly returnedAt: number;
  /** `unknown`: the answer does not say whether it happened. */
  readonly outcome: 'done' | 'refused' | 'unknown';
  /** For a person who reads a violation. */
  readonly client: string;
}

/** Undefined where the history is linearizable; else a description of the longest prefix that is. */
export function findViolation(history: readonly RecordedOperation[], initial?: RegisterValue): string | undefined {
  const operations = history
    // A read that was not answered, and whatever did certainly not happen without saying why, tells nothing.
    .filter(({ operation, outcome }) => outcome === 'done' || operation.type === 'swap')
    .toSorted((a, b) => a.calledAt - b.calledAt);
  const search = new Search(operations, initial);
  return search.run() ? undefined : search.describe();
}

interface Frame {
  readonly index: number;
  readonly before: RegisterValue;
}

class Search {
  readonly #operations: readonly RecordedOperation[];
  readonly #taken: boolean[];
  readonly #tried = new Set<string>();
  readonly #initial: RegisterValue;
  #best: number[] = [];

  constructor(operations: readonly RecordedOperation[], initial: RegisterValue) {
    this.#operations = operations;
    this.#taken = operations.map(() => false);
    this.#initial = initial;
  }

  run(): boolean {
    const stack: Frame[] = [];
    let state = this.#initial;
    let from = 0;
    for (;;) {
      if (this.#isComplete()) return true;
      const next = this.#next(state, from);
      if (next !== undefined) {
        stack.push({ index: next.index, before: state });
        this.#taken[next.index] = true;
        state = next.state;
        from = 0;
        if (stack.length > this.#best.length) this.#best = stack.map(({ index }) => index);
        continue;
      }
      const undone = stack.pop();
      if (undone === undefined) return false;
      this.#taken[undone.index] = false;
      state = undone.before;
      from = undone.index + 1;
    }
  }

  describe(): string {
    const done = this.#best.map((index) => this.#line(index));
    const rest = this.#operations.flatMap((_, index) => (this.#best.includes(index) ? [] : [this.#line(index)]));
    return `in order: ${done.slice(-10).join('; ')} — and then none of: ${rest.slice(0, 10).join('; ')}`;
  }

  // What never has to happen may be left over.
  #isComplete(): boolean {
    return this.#operations.every(({ outcome }, index) => this.#taken[index] === true || outcome === 'unknown');
  }

  /** The next operation, from `from` on, that may come first of those left and that agrees with the state. */
  #next(state: RegisterValue, from: number): { index: number; state: RegisterValue } | undefined {
    // Whatever was called after another one returned comes after it.
    let earliestReturn = Number.POSITIVE_INFINITY;
    for (const [index, { returnedAt, outcome }] of this.#operations.entries()) {
      if (this.#taken[index] !== true && outcome !== 'unknown') earliestReturn = Math.min(earliestReturn, returnedAt);
    }
    for (let index = from; index < this.#operations.length; index++) {
      const candidate = this.#operations[index];
      if (candidate === undefined || this.#taken[index] === true) continue;
      if (candidate.calledAt > earliestReturn) return undefined;
      const after = applied(candidate, state);
      if (after === undefined) continue;
      if (this.#isNew(index, after.state)) return { index, state: after.state };
    }
    return undefined;
  }

  /** Whether this set of operations was not yet tried with this state. */
  #isNew(index: number, state: RegisterValue): boolean {
    let key = state === undefined ? '-' : `=${state}`;
    for (const [other, isTaken] of this.#taken.entries()) if (isTaken || other === index) key += `,${other}`;
    if (this.#tried.has(key)) return false;
    this.#tried.add(key);
    return true;
  }

  #line(index: number): string {
    const recorded = this.#operations[index];
    if (recorded === undefined) return '';
    const { operation, outcome, client, calledAt, returnedAt } = recorded;
    const what =
      operation.type === 'read' ? `read ${operation.value}` : `swap ${operation.expected} for ${operation.next}`;
    return `${client} ${what} ${outcome} [${calledAt.toFixed(1)}, ${returnedAt.toFixed(1)}]`;
  }
}

/** The state after an operation with its recorded outcome; undefined where it contradicts the state. */
function applied(
  { operation, outcome }: RecordedOperation,
  state: RegisterValue,
): { state: RegisterValue } | undefined {
  if (operation.type === 'read') return operation.value === state ? { state } : undefined;
  const matches = operation.expected === state;
  if (outcome === 'refused') return matches ? undefined : { state };
  return matches ? { state: operation.next } : undefined;
}
