import { Gauge, type Registry } from 'prom-client';
import type { ApiResponse, RequestContext } from '../pipeline/types.ts';
import { labelsKey, RESOURCE_LABELS, resourceLabels } from './request-labels.ts';
import { type CountSeries, type ObservationSeries, SeriesCounter, SeriesHistogram } from './series.ts';

const DURATION_BUCKETS_SECONDS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const SIZE_BUCKETS_BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/** Label sets remembered: what a real cluster has is a few hundred. */
const CHILDREN_MAX = 2_000;
const DRY_RUNS = new Set(['', 'All']);
const SIZED_VERBS = new Set(['get', 'list']);

interface Child {
  readonly count: CountSeries;
  readonly duration: ObservationSeries;
  readonly sliDuration: ObservationSeries;
  readonly size: ObservationSeries | undefined;
}

/** Counts, times and sizes of requests. */
export class RequestMetrics {
  readonly #children = new Map<string, Child>();
  readonly #requests: SeriesCounter;
  readonly #durations: SeriesHistogram;
  readonly #sliDurations: SeriesHistogram;
  readonly #sizes: SeriesHistogram;
  readonly #isKnown: (context: RequestContext) => boolean;
  #readsInFlight = 0;
  #writesInFlight = 0;

  /** `isKnown`: whether a request is for something that the server has. */
  constructor(registry: Registry, isKnown: (context: RequestContext) => boolean) {
    this.#isKnown = isKnown;
    const registers = [registry];
    this.#requests = new SeriesCounter({
      name: 'apiserver_request_total',
      help: 'Requests answered, by what was asked and the status code.',
      labelNames: [...RESOURCE_LABELS, 'dry_run', 'code'],
      registers,
    });
    this.#durations = new SeriesHistogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Time from the arrival of a request to its answer, watches left out.',
      labelNames: [...RESOURCE_LABELS, 'dry_run'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#sliDurations = new SeriesHistogram({
      name: 'apiserver_request_sli_duration_seconds',
      help: 'Time from the arrival of a request to its answer, less what was spent outside this server.',
      labelNames: [...RESOURCE_LABELS],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#sizes = new SeriesHistogram({
      name: 'apiserver_response_sizes',
      help: 'Bytes of the answers to reads.',
      labelNames: [...RESOURCE_LABELS],
      buckets: SIZE_BUCKETS_BYTES,
      registers,
    });
    const inFlight = () => ({ readOnly: this.#readsInFlight, mutating: this.#writesInFlight });
    new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests being served now, long-running ones left out.',
      labelNames: ['request_kind'],
      registers,
      collect() {
        for (const [kind, count] of Object.entries(inFlight())) this.set({ request_kind: kind }, count);
      },
    });
  }

  started(isReading: boolean): void {
    if (isReading) this.#readsInFlight += 1;
    else this.#writesInFlight += 1;
  }

  finished(isReading: boolean): void {
    if (isReading) this.#readsInFlight -= 1;
    else this.#writesInFlight -= 1;
  }

  observe(context: RequestContext, outcome: { code: number; seconds: number; response?: ApiResponse }): void {
    const child = this.#childOf(context, outcome.code);
    if (child === undefined) return;
    child.count.inc();
    if (context.info.verb === 'watch') return;
    child.duration.observe(outcome.seconds);
    child.sliDuration.observe(outcome.seconds);
    const { response } = outcome;
    if (child.size === undefined || response?.type !== 'bytes') return;
    let bytes = 0;
    for (const slice of response.body) bytes += slice.length;
    child.size.observe(bytes);
  }

  #childOf(context: RequestContext, code: number): Child | undefined {
    const dryRun = context.request.query.get('dryRun') ?? '';
    const key = `${labelsKey(context)} ${dryRun} ${code}`;
    const known = this.#children.get(key);
    if (known !== undefined || this.#children.size >= CHILDREN_MAX) return known;
    // What clients make up (resources, paths, methods, options) would each leave label sets for ever.
    if (!this.#isKnown(context) || !DRY_RUNS.has(dryRun)) return undefined;
    if (code === 404 && !context.info.isResourceRequest) return undefined;
    const labels = resourceLabels(context);
    const child = {
      count: this.#requests.series({ ...labels, dry_run: dryRun, code: String(code) }),
      duration: this.#durations.series({ ...labels, dry_run: dryRun }),
      sliDuration: this.#sliDurations.series(labels),
      size: SIZED_VERBS.has(context.info.verb) ? this.#sizes.series(labels) : undefined,
    };
    this.#children.set(key, child);
    return child;
  }
}
