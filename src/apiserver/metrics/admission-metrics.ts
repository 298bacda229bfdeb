import { Histogram, type Registry } from 'prom-client';

const DURATION_BUCKETS_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

/** How long admission takes, each plugin and all of them. */
export class AdmissionMetrics {
  readonly #plugins: Histogram;
  readonly #steps: Histogram;
  readonly #children = new Map<string, Histogram.Internal<string>>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#plugins = new Histogram({
      name: 'apiserver_admission_controller_admission_duration_seconds',
      help: 'Time that one admission plugin takes for a write.',
      labelNames: ['name', 'type', 'operation', 'rejected'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#steps = new Histogram({
      name: 'apiserver_admission_step_admission_duration_seconds',
      help: 'Time that all admission plugins take together for a write.',
      labelNames: ['type', 'operation', 'rejected'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
  }

  /** `type`: `admit` for mutating, `validate` for validating plugins. */
  pluginRan(name: string, type: string, operation: string, outcome: { rejected: boolean; seconds: number }): void {
    const key = `${name} ${type} ${operation} ${outcome.rejected}`;
    let child = this.#children.get(key);
    if (child === undefined) {
      child = this.#plugins.labels({ name, type, operation, rejected: String(outcome.rejected) });
      this.#children.set(key, child);
    }
    child.observe(outcome.seconds);
  }

  stepRan(type: string, operation: string, outcome: { rejected: boolean; seconds: number }): void {
    const key = `${type} ${operation} ${outcome.rejected}`;
    let child = this.#children.get(key);
    if (child === undefined) {
      child = this.#steps.labels({ type, operation, rejected: String(outcome.rejected) });
      this.#children.set(key, child);
    }
    child.observe(outcome.seconds);
  }
}
