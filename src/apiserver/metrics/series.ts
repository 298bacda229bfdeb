import { Counter, type CounterConfiguration, Histogram, type HistogramConfiguration } from 'prom-client';

/** Counts of one label set. */
export interface CountSeries {
  inc(by?: number): void;
}

/** Observations of one label set. */
export interface ObservationSeries {
  observe(value: number): void;
}

type Labels = Readonly<Record<string, string>>;

/**
 * A counter whose label sets are looked up once and then cost an addition: prom-client checks and joins the labels at
 * each increment, which for a write's dozens of observations is a tenth of its time. Sets that were looked up and not
 * used are not shown.
 */
export class SeriesCounter extends Counter {
  readonly #labelNames: readonly string[];
  readonly #series = new Map<string, Count>();

  constructor(configuration: CounterConfiguration<string>) {
    super(configuration);
    this.#labelNames = configuration.labelNames ?? [];
  }

  series(labels: Labels = {}): CountSeries {
    const key = keyOf(this.#labelNames, labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new Count(labels);
      this.#series.set(key, series);
    }
    return series;
  }

  override async get(): ReturnType<Counter['get']> {
    const described = await super.get();
    const counted = [...this.#series.values()].filter(({ value }) => value > 0);
    return { ...described, values: counted.map(({ labels, value }) => ({ labels, value })) };
  }
}

/** A histogram of the same kind. Use `series` only: what is given to `observe` is not shown. */
export class SeriesHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #labelNames: readonly string[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Buckets>();

  constructor(configuration: HistogramConfiguration<string> & { readonly buckets: number[] }) {
    super(configuration);
    this.#name = configuration.name;
    this.#help = configuration.help;
    this.#labelNames = configuration.labelNames ?? [];
    this.#bounds = configuration.buckets;
    if (this.#labelNames.length === 0) this.series({});
  }

  series(labels: Labels): ObservationSeries {
    const key = keyOf(this.#labelNames, labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new Buckets(labels, this.#bounds);
      this.#series.set(key, series);
    }
    return series;
  }

  /** What prom-client's registry asks for when it is scraped, and `get` stands on. */
  getForPromString(): Promise<object> {
    const isShown = (series: Buckets) => series.isTouched || this.#labelNames.length === 0;
    const values = [...this.#series.values()].filter(isShown).flatMap((series) => series.values(this.#name));
    return Promise.resolve({ name: this.#name, help: this.#help, type: 'histogram', values, aggregator: 'sum' });
  }
}

class Count implements CountSeries {
  readonly labels: Labels;
  value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  inc(by = 1): void {
    this.value += by;
  }
}

class Buckets implements ObservationSeries {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  /** By bucket, not cumulative; the last one is of what lies beyond all bounds. */
  readonly #counts: number[];
  #sum = 0;
  isTouched = false;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
    this.isTouched = true;
  }

  values(name: string): object[] {
    const sharedLabels = this.#labels;
    let count = 0;
    const buckets = this.#counts.map((inBucket, index) => {
      count += inBucket;
      return {
        labels: { le: this.#bounds[index] ?? '+Inf' },
        sharedLabels,
        value: count,
        metricName: `${name}_bucket`,
      };
    });
    return [
      ...buckets,
      { labels: {}, sharedLabels, value: this.#sum, metricName: `${name}_sum` },
      { labels: {}, sharedLabels, value: count, metricName: `${name}_count` },
    ];
  }
}

function keyOf(names: readonly string[], labels: Labels): string {
  return names.length === 1 ? (labels[names[0] ?? ''] ?? '') : names.map((name) => labels[name] ?? '').join('\n');
}
