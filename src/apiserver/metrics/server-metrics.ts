import type { FeatureState } from '#api/features/feature-gates.ts';
import { Registry } from 'prom-client';
import { type Handler, textResponse } from '../pipeline/types.ts';
import { AdmissionMetrics } from './admission-metrics.ts';
import { addComponentMetrics, addProcessMetrics } from './component-metrics.ts';
import { HealthMetrics } from './health-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { SecurityMetrics } from './security-metrics.ts';
import { StorageMetrics, type StorageSources } from './storage-metrics.ts';
import { WatchMetrics } from './watch-metrics.ts';
import { WebhookMetrics } from './webhook-metrics.ts';

export interface MetricsSources extends StorageSources {
  features?(): readonly FeatureState[];
}

/** The metrics of one API server, in registries of its own, under upstream's names. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests: RequestMetrics;
  readonly watches: WatchMetrics;
  readonly security: SecurityMetrics;
  readonly admission: AdmissionMetrics;
  readonly webhooks: WebhookMetrics;
  readonly storage: StorageMetrics;
  readonly health = new HealthMetrics();
  #hasProcessMetrics = false;

  constructor(sources: MetricsSources) {
    this.requests = new RequestMetrics(this.registry);
    this.watches = new WatchMetrics(this.registry);
    this.security = new SecurityMetrics(this.registry);
    this.admission = new AdmissionMetrics(this.registry);
    this.webhooks = new WebhookMetrics(this.registry);
    this.storage = new StorageMetrics(this.registry, sources);
    addComponentMetrics(this.registry, () => sources.features?.() ?? []);
  }

  /** `/metrics` */
  readonly serve: Handler = async () => {
    // Their observers cost something, so they start with the first who asks.
    if (!this.#hasProcessMetrics) addProcessMetrics(this.registry);
    this.#hasProcessMetrics = true;
    return exposition(this.registry);
  };

  /** `/metrics/slis` */
  readonly serveSlis: Handler = () => exposition(this.health.registry);
}

async function exposition(registry: Registry): ReturnType<Handler> {
  return textResponse(200, await registry.metrics(), { 'content-type': registry.contentType });
}
