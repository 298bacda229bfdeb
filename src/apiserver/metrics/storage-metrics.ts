import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '#machinery/clock/clock.ts';
import { type CountSeries, type ObservationSeries, SeriesCounter, SeriesHistogram } from './series.ts';

const DURATION_BUCKETS_SECONDS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

export interface StorageSources {
  storageObjects(): Iterable<{ resource: string; group: string; count: number }>;
  /** The event loop's worst delay since the last question. */
  worstDelayMs?(): number;
}

const OPERATIONS = ['create', 'update', 'delete'] as const;
type StoreOperation = (typeof OPERATIONS)[number];

interface Measures {
  readonly seconds: ObservationSeries;
  readonly requests: CountSeries;
  readonly errors: CountSeries;
}

/** What is stored and how long the store takes; `etcd` in the names stands for whichever store there is. */
export class StorageMetrics {
  readonly #seconds: SeriesHistogram;
  readonly #requests: SeriesCounter;
  readonly #errors: SeriesCounter;

  constructor(registry: Registry, sources: StorageSources) {
    const registers = [registry];
    const labelNames = ['operation', 'group', 'resource'];
    this.#seconds = new SeriesHistogram({
      name: 'etcd_request_duration_seconds',
      help: 'Time that the cluster store takes to answer.',
      labelNames,
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#requests = new SeriesCounter({
      name: 'etcd_requests_total',
      help: 'Requests to the cluster store.',
      labelNames,
      registers,
    });
    this.#errors = new SeriesCounter({
      name: 'etcd_request_errors_total',
      help: 'Requests to the cluster store that failed.',
      labelNames,
      registers,
    });
    addObjectCounts(registry, sources);
    if (sources.worstDelayMs !== undefined) addEventLoopDelay(registry, () => sources.worstDelayMs?.() ?? 0);
  }

  /** What times the commits of one resource. */
  timerOf(resource: { readonly group: string; readonly resource: string }, clock: Clock): CommitTimer {
    const { group } = resource;
    const measures = OPERATIONS.map((operation) => {
      const labels = { operation, group, resource: resource.resource };
      return [operation, this.#measuresOf(labels)] as const;
    });
    // Safe: every operation is among them.
    return new CommitTimer(Object.fromEntries(measures) as Record<StoreOperation, Measures>, clock);
  }

  #measuresOf(labels: Record<string, string>): Measures {
    return {
      seconds: this.#seconds.series(labels),
      requests: this.#requests.series(labels),
      errors: this.#errors.series(labels),
    };
  }
}

/** Times commits, with everything looked up beforehand: it stands in the path of every write. */
export class CommitTimer {
  readonly #measures: Readonly<Record<StoreOperation, Measures>>;
  readonly #clock: Clock;

  constructor(measures: Readonly<Record<StoreOperation, Measures>>, clock: Clock) {
    this.#measures = measures;
    this.#clock = clock;
  }

  /** The commit's own result or error. */
  async time<T>(operation: StoreOperation, commit: () => Promise<T>): Promise<T> {
    const { seconds, requests, errors } = this.#measures[operation];
    const startedMs = this.#clock.monotonic();
    requests.inc();
    try {
      return await commit();
    } catch (error) {
      errors.inc();
      throw error;
    } finally {
      seconds.observe((this.#clock.monotonic() - startedMs) / 1000);
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
