import type { Registry } from 'prom-client';
import { type ObservationSeries, SeriesHistogram } from './series.ts';

const DURATION_BUCKETS_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

/** How long admission takes, each plugin and all of them. */
export class AdmissionMetrics {
  readonly #plugins: SeriesHistogram;
  readonly #steps: SeriesHistogram;
  /** By type and operation. */
  readonly #passing = new Map<string, Map<string, PassingSeries>>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#plugins = new SeriesHistogram({
      name: 'apiserver_admission_controller_admission_duration_seconds',
      help: 'Time that one admission plugin takes for a write.',
      labelNames: ['name', 'type', 'operation', 'rejected'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#steps = new SeriesHistogram({
      name: 'apiserver_admission_step_admission_duration_seconds',
      help: 'Time that all admission plugins take together for a write.',
      labelNames: ['type', 'operation', 'rejected'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
  }

  /** The series of one step's plugins that refuse nothing, by name: looked up once per step, not per plugin. */
  passing(type: string, operation: string): PassingSeries {
    let byOperation = this.#passing.get(type);
    if (byOperation === undefined) {
      byOperation = new Map();
      this.#passing.set(type, byOperation);
    }
    let passing = byOperation.get(operation);
    if (passing === undefined) {
      passing = new PassingSeries((name) => this.#plugins.series({ name, type, operation, rejected: 'false' }));
      byOperation.set(operation, passing);
    }
    return passing;
  }

  /** `type`: `admit` for mutating, `validate` for validating plugins. */
  pluginRefused(name: string, type: string, operation: string, seconds: number): void {
    this.#plugins.series({ name, type, operation, rejected: 'true' }).observe(seconds);
  }

  stepRan(type: string, operation: string, outcome: { rejected: boolean; seconds: number }): void {
    this.#steps.series({ type, operation, rejected: String(outcome.rejected) }).observe(outcome.seconds);
  }
}

export class PassingSeries {
  readonly #byName = new Map<string, ObservationSeries>();
  readonly #make: (name: string) => ObservationSeries;

  constructor(make: (name: string) => ObservationSeries) {
    this.#make = make;
  }

  ran(name: string, seconds: number): void {
    let series = this.#byName.get(name);
    if (series === undefined) {
      series = this.#make(name);
      this.#byName.set(name, series);
    }
    series.observe(seconds);
  }
}
