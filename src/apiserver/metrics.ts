import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestContext, RequestInfo } from './pipeline/types.ts';

const DURATION_BUCKETS_SECONDS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
/** Label sets remembered; more come only from clients that make up resources. */
const CHILDREN_MAX = 5_000;
const VERBS: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
};

interface Child {
  readonly count: { inc(): void };
  readonly duration: { observe(seconds: number): void };
}

/** Asked when the metrics are read. */
export interface MetricsSources {
  storageObjects(): Iterable<{ resource: string; group: string; count: number }>;
  /** The event loop's worst delay since the last question. */
  worstDelayMs?(): number;
}

/** The metrics of one API server, in a registry of its own, under upstream's names. */
export class Metrics {
  readonly registry = new Registry();
  readonly #children = new Map<string, Child>();
  readonly #requests: Counter;
  readonly #durations: Histogram;
  readonly #inFlight: Gauge;

  constructor(options: MetricsSources) {
    const registers = [this.registry];
    this.#requests = new Counter({
      name: 'apiserver_request_total',
      help: 'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
      labelNames: ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component', 'code'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
      labelNames: ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
      labelNames: ['request_kind'],
      registers,
    });
    new Gauge({
      name: 'apiserver_storage_objects',
      help: 'Number of stored objects at the time of last check split by kind.',
      labelNames: ['resource'],
      registers,
      collect() {
        this.reset();
        for (const { resource, group, count } of options.storageObjects()) {
          this.set({ resource: group === '' ? resource : `${resource}.${group}` }, count);
        }
      },
    });
    if (options.worstDelayMs !== undefined) this.#measureDelay(() => options.worstDelayMs?.() ?? 0);
  }

  #measureDelay(worstDelayMs: () => number): void {
    new Gauge({
      name: 'tiphys_event_loop_delay_worst_seconds',
      help: 'Longest time since the last scrape that the event loop had to wait for its turn.',
      registers: [this.registry],
      collect() {
        this.set(worstDelayMs() / 1000);
      },
    });
  }

  started(isReading: boolean): void {
    this.#inFlight.inc({ request_kind: isReading ? 'readOnly' : 'mutating' });
  }

  finished(isReading: boolean): void {
    this.#inFlight.dec({ request_kind: isReading ? 'readOnly' : 'mutating' });
  }

  observe(context: RequestContext, code: number, seconds: number): void {
    const child = this.#childOf(context, code);
    child?.count.inc();
    if (context.info.verb !== 'watch') child?.duration.observe(seconds);
  }

  #childOf({ info, request }: RequestContext, code: number): Child | undefined {
    const dryRun = request.query.get('dryRun') ?? '';
    const scope = scopeOf(info);
    const key = `${info.verb} ${info.group}/${info.version}/${info.resource}/${info.subresource} ${scope} ${dryRun} ${code}`;
    const known = this.#children.get(key);
    if (known !== undefined || this.#children.size >= CHILDREN_MAX) return known;
    const labels = {
      verb: VERBS[info.verb] ?? info.verb.toUpperCase(),
      dry_run: dryRun,
      group: info.group,
      version: info.version,
      resource: info.resource,
      subresource: info.subresource,
      scope,
      component: 'apiserver',
    };
    const child = {
      count: this.#requests.labels({ ...labels, code: String(code) }),
      duration: this.#durations.labels(labels),
    };
    this.#children.set(key, child);
    return child;
  }
}

function scopeOf({ isResourceRequest, name, namespace }: RequestInfo): string {
  if (!isResourceRequest) return '';
  return name !== '' ? 'resource' : namespace !== '' ? 'namespace' : 'cluster';
}
