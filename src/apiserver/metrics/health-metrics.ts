import { Counter, Gauge, Registry } from 'prom-client';

/** The outcomes of health checks, for `/metrics/slis` (KEP-3466). */
export class HealthMetrics {
  readonly registry = new Registry();
  readonly #current: Gauge;
  readonly #results: Counter;

  constructor() {
    const registers = [this.registry];
    this.#current = new Gauge({
      name: 'kubernetes_healthcheck',
      help: 'Result of the latest run of each health check: 1 where it passed.',
      labelNames: ['name', 'type'],
      registers,
    });
    this.#results = new Counter({
      name: 'kubernetes_healthchecks_total',
      help: 'Runs of each health check by result.',
      labelNames: ['name', 'type', 'status'],
      registers,
    });
  }

  /** `type`: `healthz`, `livez` or `readyz`. */
  observe(name: string, type: string, isHealthy: boolean): void {
    this.#current.set({ name, type }, isHealthy ? 1 : 0);
    this.#results.inc({ name, type, status: isHealthy ? 'success' : 'error' });
  }
}
