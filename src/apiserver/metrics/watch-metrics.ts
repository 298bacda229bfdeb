import { Gauge, type Registry } from 'prom-client';
import type { ApiResponse, RequestContext, WatchFrame, WatchSource } from '../pipeline/types.ts';
import { RESOURCE_LABELS, resourceLabels } from './request-labels.ts';
import { type CountSeries, type ObservationSeries, SeriesCounter, SeriesHistogram } from './series.ts';

const SIZE_BUCKETS_BYTES = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];

/** What goes out through watches, and how many requests last. */
export class WatchMetrics {
  readonly #longRunning: Gauge;
  readonly #events: SeriesCounter;
  readonly #sizes: SeriesHistogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#longRunning = new Gauge({
      name: 'apiserver_longrunning_requests',
      help: 'Requests that last now: watches, logs, exec and the like.',
      labelNames: [...RESOURCE_LABELS],
      registers,
    });
    this.#events = new SeriesCounter({
      name: 'apiserver_watch_events_total',
      help: 'Events sent to watchers.',
      labelNames: ['group', 'version', 'resource'],
      registers,
    });
    this.#sizes = new SeriesHistogram({
      name: 'apiserver_watch_events_sizes',
      help: 'Bytes of the events sent to watchers.',
      labelNames: ['group', 'version', 'resource'],
      buckets: SIZE_BUCKETS_BYTES,
      registers,
    });
  }

  /** Counts a long-running request until the returned function is called. */
  began(context: RequestContext): () => void {
    const gauge = this.#longRunning.labels(resourceLabels(context));
    let isOver = false;
    gauge.inc();
    return () => {
      if (!isOver) gauge.dec();
      isOver = true;
    };
  }

  /** The same answer, with its events counted and `ended` called at its end. */
  followed(context: RequestContext, response: ApiResponse, ended: () => void): ApiResponse {
    if (response.type !== 'watch') return response;
    const { group, version, resource } = context.info;
    const labels = { group, version, resource };
    const count = this.#events.series(labels);
    // Local watchers take objects: their events never become bytes.
    const sizes = context.request.wantsFrozen === true ? undefined : this.#sizes.series(labels);
    return { ...response, watch: countedWatch(response.watch, { count, sizes, ended }) };
  }
}

function countedWatch(
  watch: WatchSource,
  { count, sizes, ended }: { count: CountSeries; sizes: ObservationSeries | undefined; ended: () => void },
): WatchSource {
  const counted = (frames: readonly WatchFrame[] | undefined): readonly WatchFrame[] | undefined => {
    if (frames === undefined) ended();
    else count.inc(frames.length);
    if (sizes !== undefined) for (const { bytes } of frames ?? []) sizes.observe(lengthOf(bytes));
    return frames;
  };
  return {
    next: () => watch.next().then(counted),
    close: () => {
      ended();
      watch.close();
    },
  };
}

function lengthOf(slices: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const slice of slices) bytes += slice.length;
  return bytes;
}
