/** Why the scheduler did what it did with a pod, as data. */
export interface SchedulingDecision {
  /** `namespace/name`. */
  readonly pod: string;
  readonly uid: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly outcome: 'scheduled' | 'unschedulable' | 'noNodes' | 'bindingFailed';
  readonly node?: string;
  /** Text of the event. */
  readonly message?: string;
  readonly nodesEvaluated: number;
  /** The chosen node first. */
  readonly scores: readonly {
    readonly node: string;
    readonly total: number;
    readonly byPlugin: Readonly<Record<string, number>>;
  }[];
  /** Nodes that could not take the pod. */
  readonly rejections: readonly {
    readonly node: string;
    readonly plugin: string;
    readonly reasons: readonly string[];
  }[];
  /** Rejections beyond those that are kept. */
  readonly rejectionsLeftOut: number;
  readonly preemption?: { readonly node: string; readonly victims: readonly string[] };
}

/** Enough to explain the recent past; about 10 MB at the very worst. */
const DECISIONS_MAX = 1_000;
/** Rejections kept a decision; the rest only counts. */
export const REJECTIONS_MAX = 200;

/** The last decisions, oldest first. */
export class DecisionLog {
  readonly #ring: SchedulingDecision[] = [];
  #next = 0;

  add(decision: SchedulingDecision): void {
    this.#ring[this.#next] = decision;
    this.#next = (this.#next + 1) % DECISIONS_MAX;
  }

  list(): SchedulingDecision[] {
    const isFull = this.#ring.length === DECISIONS_MAX;
    return isFull ? [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)] : [...this.#ring];
  }

  /** Decisions about one pod (`namespace/name`), oldest first. */
  of(pod: string): SchedulingDecision[] {
    return this.list().filter((decision) => decision.pod === pod);
  }
}
