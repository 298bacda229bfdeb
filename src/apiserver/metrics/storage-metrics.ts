import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '#machinery/clock/clock.ts';

const DURATION_BUCKETS_SECONDS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

export interface StorageSources {
  storageObjects(): Iterable<{ resource: string; group: string; count: number }>;
  /** The event loop's worst delay since the last question. */
  worstDelayMs?(): number;
}

type StoreOperation = 'create' | 'update' | 'delete';

/** What is stored and how long the store takes; `etcd` in the names stands for whichever store there is. */
export class StorageMetrics {
  readonly #seconds: Histogram;
  readonly #requests: Counter;
  readonly #errors: Counter;

  constructor(registry: Registry, sources: StorageSources) {
    const registers = [registry];
    const labelNames = ['operation', 'group', 'resource'];
    this.#seconds = new Histogram({
      name: 'etcd_request_duration_seconds',
      help: 'Time that the cluster store takes to answer.',
      labelNames,
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#requests = new Counter({
      name: 'etcd_requests_total',
      help: 'Requests to the cluster store.',
      labelNames,
      registers,
    });
    this.#errors = new Counter({
      name: 'etcd_request_errors_total',
      help: 'Requests to the cluster store that failed.',
      labelNames,
      registers,
    });
    addObjectCounts(registry, sources);
    if (sources.worstDelayMs !== undefined) addEventLoopDelay(registry, () => sources.worstDelayMs?.() ?? 0);
  }

  /** Times one commit. */
  async commit<T>(
    labels: { operation: StoreOperation; group: string; resource: string },
    clock: Clock,
    run: () => Promise<T>,
  ): Promise<T> {
    const startedMs = clock.monotonic();
    this.#requests.inc(labels);
    try {
      return await run();
    } catch (error) {
      this.#errors.inc(labels);
      throw error;
    } finally {
      this.#seconds.observe(labels, (clock.monotonic() - startedMs) / 1000);
    }
  }
}

function addObjectCounts(registry: Registry, sources: StorageSources): void {
  new Gauge({
    name: 'apiserver_storage_objects',
    help: 'Objects stored now.',
    labelNames: ['resource'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { resource, group, count } of sources.storageObjects()) {
        this.set({ resource: group === '' ? resource : `${resource}.${group}` }, count);
      }
    },
  });
  new Gauge({
    name: 'apiserver_resource_objects',
    help: 'Objects stored now, by group and resource.',
    labelNames: ['group', 'resource'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { resource, group, count } of sources.storageObjects()) this.set({ group, resource }, count);
    },
  });
}

function addEventLoopDelay(registry: Registry, worstDelayMs: () => number): void {
  new Gauge({
    name: 'tiphys_event_loop_delay_worst_seconds',
    help: 'Longest time since the last scrape that the event loop had to wait for its turn.',
    registers: [registry],
    collect() {
      this.set(worstDelayMs() / 1000);
    },
  });
}
