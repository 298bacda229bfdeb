import type { EndpointSlice, Service } from '#api/generated/types.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { objectKey } from '#machinery/meta/types.ts';
import type { ProxyBackend, RouteChange } from './backend.ts';
import { type Route, routesOf } from './routes.ts';
import type { ProxySource } from './routes-source.ts';

export interface ServiceProxyDeps {
  readonly services: ProxySource<Service>;
  readonly slices: ProxySource<EndpointSlice>;
  readonly backend: ProxyBackend;
  readonly executor: Executor;
  readonly log: Logger;
  readonly nodeName: string;
}

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
const SERVICE_INDEX = 'service';
// Another implementation serves Services that carry this label (KEP-2447).
const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 10_000;

/**
 * Keeps a backend's routes equal to the Services and EndpointSlices. Events only mark a Service as dirty; a sync
 * computes the routes of the dirty ones and hands over what differs, so its cost does not grow with the cluster.
 */
export class ServiceProxy {
  readonly #deps: ServiceProxyDeps;
  readonly #dirty = new Set<string>();
  /** What the backend has, by service key and route id. Invariant: changed only after the backend applied it. */
  readonly #applied = new Map<string, Map<string, Route>>();
  #running: Promise<void> | undefined;
  #isStopped = false;
  #retryMs = RETRY_MS_MIN;
  #lastSyncMs = 0;

  constructor(deps: ServiceProxyDeps) {
    this.#deps = deps;
    const { services, slices } = deps;
    slices.addIndex(SERVICE_INDEX, (slice) => {
      const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
      return name === undefined ? [] : [`${slice.metadata.namespace ?? ''}/${name}`];
    });
    const touchService = (service: Service) => this.#touch(objectKey(service));
    services.addHandler({
      onAdd: touchService,
      onUpdate: (_, next) => touchService(next),
      onDelete: touchService,
    });
    const touchSlice = (slice: EndpointSlice) => {
      const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
      if (name !== undefined) this.#touch(`${slice.metadata.namespace ?? ''}/${name}`);
    };
    slices.addHandler({
      onAdd: touchSlice,
      onUpdate: (previous, next) => {
        touchSlice(previous);
        touchSlice(next);
      },
      onDelete: touchSlice,
    });
  }

  /** Milliseconds since the epoch of the last successful sync; 0 before the first. */
  get lastSyncMs(): number {
    return this.#lastSyncMs;
  }

  /** Whether everything seen so far is in effect. */
  get isSettled(): boolean {
    return this.#dirty.size === 0 && this.#running === undefined;
  }

  async start(): Promise<void> {
    await this.#deps.backend.start();
    for (const service of this.#deps.services.list()) this.#touch(objectKey(service));
    this.#schedule();
  }

  /** Ends syncing and removes every rule or listener. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#deps.backend.stop();
  }

  #touch(key: string): void {
    this.#dirty.add(key);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#running !== undefined || this.#isStopped || this.#dirty.size === 0) return;
    // One turn later, so that all events of one batch make one transaction.
    this.#running = this.#deps.executor
      .run('node', () => this.#sync())
      .catch((error: unknown) => this.#backOff(error))
      .finally(() => {
        this.#running = undefined;
        this.#schedule();
      });
  }

  async #sync(): Promise<void> {
    const { services, slices, backend, nodeName, executor } = this.#deps;
    if (!services.hasSynced || !slices.hasSynced) {
      await executor.clock.sleep(RETRY_MS_MIN);
      return;
    }
    const keys = [...this.#dirty];
    const changes: RouteChange[] = [];
    const planned = new Map<string, Map<string, Route>>();
    for (const key of keys) {
      const service = services.get(key);
      const isOurs = service !== undefined && service.metadata.labels?.[PROXY_NAME_LABEL] === undefined;
      const routes = isOurs ? routesOf(service, slices.byIndex(SERVICE_INDEX, key), nodeName) : [];
      const next = new Map(routes.map((route) => [route.id, route]));
      planned.set(key, next);
      changes.push(...differences(this.#applied.get(key), next));
    }
    this.#dirty.clear();
    try {
      if (changes.length > 0) await backend.apply(changes);
    } catch (error) {
      for (const key of keys) this.#dirty.add(key);
      throw error;
    }
    for (const [key, next] of planned) {
      if (next.size === 0) this.#applied.delete(key);
      else this.#applied.set(key, next);
    }
    this.#retryMs = RETRY_MS_MIN;
    this.#lastSyncMs = executor.clock.now();
  }

  async #backOff(error: unknown): Promise<void> {
    const { log, executor, backend } = this.#deps;
    log.error('cannot update service routes', { backend: backend.name, error, retryMs: this.#retryMs });
    await executor.clock.sleep(this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }
}

function differences(
  previous: ReadonlyMap<string, Route> | undefined,
  next: ReadonlyMap<string, Route>,
): RouteChange[] {
  const changes: RouteChange[] = [];
  for (const [id, route] of previous ?? []) if (!next.has(id)) changes.push({ previous: route });
  for (const [id, route] of next) {
    const before = previous?.get(id);
    if (before === undefined) changes.push({ next: route });
    else if (JSON.stringify(before) !== JSON.stringify(route)) changes.push({ previous: before, next: route });
  }
  return changes;
}
