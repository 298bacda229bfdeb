/** Counters of one controller; plain numbers, so that any metrics registry can read them. */
export interface ControllerCounters {
  reconciles: number;
  reconcileErrors: number;
  restarts: number;
}

/** Counters of all controllers by name. */
export class ControllerMetrics {
  readonly #counters = new Map<string, ControllerCounters>();

  of(controller: string): ControllerCounters {
    let counters = this.#counters.get(controller);
    if (counters === undefined) {
      counters = { reconciles: 0, reconcileErrors: 0, restarts: 0 };
      this.#counters.set(controller, counters);
    }
    return counters;
  }

  /** A copy, sorted by name. */
  snapshot(): Record<string, ControllerCounters> {
    const names = [...this.#counters.keys()].toSorted();
    return Object.fromEntries(names.map((name) => [name, { ...this.of(name) }]));
  }
}
