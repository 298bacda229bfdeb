import type { FeatureState } from '#api/features/feature-gates.ts';
import { Registry } from 'prom-client';
import { type Handler, type RequestContext, type RequestInfo, textResponse } from '../pipeline/types.ts';
import { AdmissionMetrics } from './admission-metrics.ts';
import { addComponentMetrics, addProcessMetrics } from './component-metrics.ts';
import { HealthMetrics } from './health-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { SecurityMetrics } from './security-metrics.ts';
import { StorageMetrics, type StorageSources } from './storage-metrics.ts';
import { WatchMetrics } from './watch-metrics.ts';
import { WebhookMetrics } from './webhook-metrics.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export interface MetricsSources extends StorageSources {
  features?(): readonly FeatureState[];
  /** Whether a resource and its subresource are served; default: all are. */
  isServed?(info: RequestInfo): boolean;
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
  readonly #isServed: (info: RequestInfo) => boolean;
  #hasProcessMetrics = false;

  constructor(sources: MetricsSources) {
    this.#isServed = (info) => sources.isServed?.(info) ?? true;
    this.requests = new RequestMetrics(this.registry, (context) => this.isKnown(context));
    this.watches = new WatchMetrics(this.registry);
    this.security = new SecurityMetrics(this.registry);
    this.admission = new AdmissionMetrics(this.registry);
    this.webhooks = new WebhookMetrics(this.registry);
    this.storage = new StorageMetrics(this.registry, sources);
    addComponentMetrics(this.registry, () => sources.features?.() ?? []);
  }

  /** Whether a request is for something that the server has: only that may leave labels behind. */
  isKnown({ info, request }: RequestContext): boolean {
    return METHODS.has(request.method) && (!info.isResourceRequest || this.#isServed(info));
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
