import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { serviceUnavailable } from '#machinery/errors/status-error.ts';
import { CustomResources } from './custom/custom-resources.ts';
import { WebhookConverter } from './custom/webhook-converter.ts';
import { WebhookClient } from './webhook/webhook-client.ts';
import { discoveryHandler } from './discovery/discovery.ts';
import { dispatcher, pageNotFound } from './endpoints/dispatch.ts';
import { Forms } from './endpoints/representation/forms.ts';
import { renegotiated } from './endpoints/representation/renegotiate.ts';
import { healthHandler } from './endpoints/health.ts';
import { indexHandler } from './endpoints/index-page.ts';
import { versionHandler } from './endpoints/version.ts';
import { flagzHandler } from './endpoints/zpages/flagz.ts';
import { statuszHandler } from './endpoints/zpages/statusz.ts';
import { statusResponse, toStatusError } from './errors.ts';
import { LocalClient } from './local-client.ts';
import { Metrics } from './metrics/server-metrics.ts';
import { OpenApi } from './openapi/openapi.ts';
import { compose } from './pipeline/compose.ts';
import { parseRequestInfo } from './pipeline/request-info.ts';
import { audit } from './pipeline/stages/audit.ts';
import { ANONYMOUS, authentication } from './pipeline/stages/authentication.ts';
import { authorization } from './pipeline/stages/authorization.ts';
import { deadline, REQUEST_TIMEOUT_MS } from './pipeline/stages/deadline.ts';
import { flowControl, READS_IN_FLIGHT_MAX, WRITES_IN_FLIGHT_MAX } from './pipeline/stages/flow-control.ts';
import { impersonation } from './pipeline/stages/impersonation.ts';
import { measure } from './pipeline/stages/measure.ts';
import { binaryBody } from './pipeline/stages/protobuf-body.ts';
import { type ApiRequest, type ApiResponse, type Handler, type RequestContext } from './pipeline/types.ts';
import { warningHeader } from './pipeline/warning-headers.ts';
import { ProtobufForms } from './protobuf-forms.ts';
import type { ServerCore } from './server-core.ts';
import type { ApiServerDeps, FromParts, HealthCheck, ResourceView, ServerParts } from './server-parts.ts';
import { type RecordedWrite, WriteCauses } from './storage/causes.ts';
import { WatchHub } from './storage/hub.ts';
import { ResourceStorage } from './storage/resource-storage.ts';
import { viewOf } from './storage/view.ts';

/** A running API server without sockets: `listenHttps` and `LocalClient` hand it requests. */
export interface ApiServer {
  readonly parts: ServerParts;
  /** The latest writes with who made them and why. */
  writes(options?: { key?: string }): RecordedWrite[];
  /** Forgets the past: reads and watches from before now fail with 410. Happens by itself every five minutes, too. */
  compact(): Promise<void>;
  /** Never rejects: failures are answered as Status objects. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Ends watches and waits for requests in flight. Does not close the store. */
  close(): Promise<void>;
}

/** Loads the watch caches and composes the pipeline; resolves when requests can be served. */
export async function createApiServer(deps: ApiServerDeps): Promise<ApiServer> {
  const hub = new WatchHub(deps);
  await hub.start(storedDefinitions(deps));
  const server = new Server(deps, hub);
  await server.start();
  return server;
}

/** Who the server is to itself. */
const SERVER_ITSELF = { username: 'system:apiserver', groups: ['system:masters'] };

function storedDefinitions({ registry }: ApiServerDeps): ResourceDefinition[] {
  return registry.all().filter(({ storagePrefix }) => storagePrefix !== undefined);
}

class Server implements ApiServer {
  readonly parts: ServerParts;
  readonly #deps: ApiServerDeps;
  readonly #hub: WatchHub;
  /** Weak: the definitions of custom resources come and go. */
  readonly #storages = new WeakMap<ResourceDefinition, ResourceStorage>();
  readonly #causes = new WriteCauses();
  readonly #protobuf: ProtobufForms | undefined;
  readonly #forms: Forms;
  readonly #handler: Handler;
  readonly #metrics: Metrics;
  readonly #webhooks: WebhookClient;
  readonly #custom: CustomResources | undefined;
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;
  #isClosing = false;

  constructor(deps: ApiServerDeps, hub: WatchHub) {
    this.#deps = deps;
    this.#hub = hub;
    this.#protobuf = deps.protobuf === undefined ? undefined : new ProtobufForms(deps.protobuf);
    this.#forms = new Forms({
      protobuf: this.#protobuf,
      servesCbor: deps.options?.servesCbor ?? false,
      bytesMax: deps.options?.formsBytesMax,
    });
    hub.onReplaced(() => this.#forms.clear());
    const parts = new Parts(deps, hub, { server: this, custom: () => this.#custom });
    this.parts = parts;
    this.#metrics = new Metrics({
      storageObjects: () => this.#storageObjects(),
      worstDelayMs: () => deps.executor.takeWorstDelayMs?.() ?? 0,
      features: () => deps.options?.features ?? [],
      isServed: ({ group, version, resource, subresource }) => {
        const definition = deps.registry.byResource(group, version, resource);
        return subresource === '' ? definition !== undefined : hasSubresource(definition, subresource);
      },
    });
    const core: ServerCore = {
      executor: deps.executor,
      registry: deps.registry,
      schemas: deps.schemas,
      log: deps.log,
      hub,
      causes: this.#causes,
      componentChecks: [...(deps.componentChecks ?? []), { name: 'etcd-0', check: () => this.#hub.checkStore() }],
      metrics: this.#metrics,
      forms: this.#forms,
      authorizer: parts.authorizer,
      admission: fromParts(deps.admission ?? [], parts),
      writeHooks: fromParts(deps.writeHooks ?? new Map(), parts),
      storageOf: (definition) => this.#storageOf(definition),
    };
    this.#webhooks = new WebhookClient({
      view: (group, resource) => parts.view(group, resource),
      executor: deps.executor,
    });
    this.#custom = this.#customResources(parts);
    const special = fromParts(deps.special ?? new Map<string, Handler>(), parts);
    this.#handler = compose(this.#stages(core, parts), dispatcher(core, { special, paths: this.#paths(core, parts) }));
  }

  /** Serves the custom resources that are stored. */
  async start(): Promise<void> {
    await this.#custom?.start();
  }

  handle(request: ApiRequest): Promise<ApiResponse> {
    return this.#deps.executor.run('request', () => this.#answer(request));
  }

  writes(options?: { key?: string }): RecordedWrite[] {
    return this.#causes.list(options);
  }

  compact(): Promise<void> {
    return this.#hub.compact();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#custom?.close();
    this.#webhooks.close();
    this.#hub.close();
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #customResources(parts: Parts): CustomResources | undefined {
    const { registry, schemas, executor, log } = this.#deps;
    if (registry.byResource('apiextensions.k8s.io', 'v1', 'customresourcedefinitions') === undefined) return undefined;
    return new CustomResources({
      registry,
      schemas,
      executor,
      log,
      hub: this.#hub,
      definitions: parts.view('apiextensions.k8s.io', 'customresourcedefinitions'),
      client: parts.clientFor(SERVER_ITSELF),
      webhookConverter: (crd) =>
        new WebhookConverter({ crd, webhooks: this.#webhooks, uuid: () => executor.random.uuid() }),
    });
  }

  /** The life of a request, top to bottom. */
  #stages(core: ServerCore, parts: Parts): Parameters<typeof compose>[0] {
    const { clock } = core.executor;
    const options = this.#deps.options ?? {};
    return [
      measure({ metrics: core.metrics, clock }),
      deadline({ clock, timeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS }),
      authentication({
        authenticator: parts.authenticator,
        allowsAnonymous: options.anonymous ?? true,
        metrics: core.metrics.security,
        clock,
      }),
      audit(this.#deps.audit),
      impersonation(parts.authorizer),
      flowControl({
        readsMax: options.maxReadsInFlight ?? READS_IN_FLIGHT_MAX,
        writesMax: options.maxWritesInFlight ?? WRITES_IN_FLIGHT_MAX,
        clock,
      }),
      authorization(parts.authorizer, { metrics: core.metrics.security, clock }),
      binaryBody({ protobuf: this.#protobuf, servesCbor: options.servesCbor ?? false, registry: core.registry }),
    ];
  }

  async #answer(request: ApiRequest): Promise<ApiResponse> {
    const context = this.#contextOf(request);
    this.#inFlight++;
    try {
      if (this.#isClosing) throw serviceUnavailable('the server is shutting down');
      return withHeaders(await this.#renegotiated(context, await this.#handler(context)), context);
    } catch (error) {
      const failure = toStatusError(error);
      if (failure.code === 500) this.#logFailure(context, error);
      return withHeaders(await this.#renegotiated(context, statusResponse(failure.status)), context);
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#whenIdle?.();
    }
  }

  #renegotiated(context: RequestContext, response: ApiResponse): ApiResponse | Promise<ApiResponse> {
    if (response.type !== 'bytes' || response.json === undefined || context.request.localUser !== undefined)
      return response;
    return renegotiated(context, response, this.#forms);
  }

  #contextOf(request: ApiRequest): RequestContext {
    const auditId = request.headers['audit-id'] ?? '';
    return {
      request,
      info: parseRequestInfo(request),
      user: ANONYMOUS,
      warnings: [],
      auditAnnotations: new Map(),
      auditId: auditId === '' ? this.#deps.executor.random.uuid() : auditId.slice(0, 64),
      ...(request.cause === undefined ? {} : { cause: request.cause }),
    };
  }

  #logFailure({ request, auditId }: RequestContext, error: unknown): void {
    const stack = error instanceof Error ? error.stack : String(error);
    this.#deps.log.error('a request failed', { method: request.method, path: request.path, auditId, error: stack });
  }

  #paths(core: ServerCore, parts: Parts): Handler {
    const health = healthHandler([...this.#ownChecks(), ...(this.#deps.healthChecks ?? [])], core.metrics.health);
    const discovery = discoveryHandler(core.registry, this.#deps.options?.advertisedAddress ?? '', core.forms);
    const openApi = new OpenApi({
      registry: core.registry,
      schemas: core.schemas,
      descriptions: this.#deps.descriptions ?? (() => Promise.resolve({})),
      executor: core.executor,
    });
    const own = new Map<string, Handler>([
      ['/version', versionHandler],
      ['/metrics', core.metrics.serve],
      ['/metrics/slis', core.metrics.serveSlis],
      ...['/healthz', '/livez', '/readyz'].flatMap((path): [string, Handler][] => [
        [path, health],
        [`${path}/`, health],
      ]),
      ['/api', discovery],
      ['/api/', discovery],
      ['/apis', discovery],
      ['/apis/', discovery],
      ['/openapi/v2', (context) => openApi.serveV2(context)],
      ['/openapi/v3', (context) => openApi.serveV3(context)],
      ['/openapi/v3/', (context) => openApi.serveV3(context)],
    ]);
    const given = fromParts(this.#deps.paths ?? new Map<string, Handler>(), parts);
    own.set('/flagz', flagzHandler(this.#deps.options?.flags ?? {}));
    const known = [...own.keys(), ...given.keys(), '/statusz'];
    own.set('/statusz', statuszHandler({ clock: core.executor.clock, paths: known }));
    own.set('/', indexHandler(core.registry, known));
    return (context) => {
      const handler = handlerFor(given, context.info.path) ?? handlerFor(own, context.info.path);
      return handler === undefined ? Promise.resolve(pageNotFound()) : handler(context);
    };
  }

  #ownChecks(): HealthCheck[] {
    const everywhere = ['healthz', 'livez', 'readyz'] as const;
    return [
      { name: 'ping', endpoints: everywhere, check: () => undefined },
      { name: 'log', endpoints: everywhere, check: () => undefined },
      {
        name: 'etcd',
        endpoints: everywhere,
        check: () => this.#hub.checkStore(),
      },
      { name: 'etcd-readiness', endpoints: ['readyz'], check: () => this.#hub.checkStore() },
      { name: 'informer-sync', endpoints: ['readyz'], check: () => undefined },
      {
        name: 'shutdown',
        endpoints: ['readyz'],
        check: () => (this.#isClosing ? 'process is shutting down' : undefined),
      },
    ];
  }

  #storageOf(definition: ResourceDefinition): ResourceStorage | Promise<ResourceStorage> {
    const known = this.#storages.get(definition);
    if (known !== undefined) return known;
    const cache = this.#hub.loadedCache(definition.storagePrefix ?? '');
    if (cache !== undefined) return this.#addStorage(definition, cache);
    return this.#hub.cacheFor(definition).then((loaded) => this.#addStorage(definition, loaded));
  }

  #addStorage(definition: ResourceDefinition, cache: ResourceStorage['cache']): ResourceStorage {
    const { schemas } = this.#deps;
    const view = this.#custom?.viewOf(definition);
    const timer = this.#metrics.storage.timerOf(definition, this.#deps.executor.clock);
    const storage = new ResourceStorage({ definition, cache, hub: this.#hub, schemas, view, timer });
    this.#storages.set(definition, storage);
    return storage;
  }

  *#storageObjects(): Generator<{ resource: string; group: string; count: number }> {
    for (const { group, resource, storagePrefix = '', storedAs } of this.#deps.registry.all()) {
      const cache = this.#hub.loadedCache(storagePrefix);
      if (cache !== undefined && storedAs === undefined) yield { group, resource, count: cache.size };
    }
  }
}

class Parts implements ServerParts {
  readonly executor: ServerParts['executor'];
  readonly registry: ServerParts['registry'];
  readonly schemas: ServerParts['schemas'];
  readonly log: ServerParts['log'];
  readonly authenticator: ServerParts['authenticator'];
  readonly authorizer: ServerParts['authorizer'];
  readonly #hub: WatchHub;
  readonly #server: ApiServer;
  readonly #custom: () => CustomResources | undefined;

  constructor(
    deps: ApiServerDeps,
    hub: WatchHub,
    { server, custom }: { server: ApiServer; custom: () => CustomResources | undefined },
  ) {
    this.executor = deps.executor;
    this.registry = deps.registry;
    this.schemas = deps.schemas;
    this.log = deps.log;
    this.#hub = hub;
    this.#server = server;
    this.#custom = custom;
    this.authenticator = fromParts(deps.authenticator, this);
    this.authorizer = fromParts(deps.authorizer, this);
  }

  view(group: string, resource: string): ResourceView {
    const definition = this.registry
      .all()
      .find((candidate) => candidate.group === group && candidate.resource === resource);
    const cache = this.#hub.loadedCache(definition?.storagePrefix ?? '');
    if (cache === undefined) throw new Error(`resource "${resource}" of group "${group}" is not stored`);
    return viewOf(cache);
  }

  convertCustom(object: KubeObject, to: ResourceDefinition): KubeObject | Promise<KubeObject> {
    return this.#custom()?.convert(object, to) ?? object;
  }

  clientFor(user: Parameters<ServerParts['clientFor']>[0]): LocalClient {
    // Upstream's server calls itself by this name, whoever it acts as.
    const isServer = user.username === SERVER_ITSELF.username;
    return new LocalClient(this.#server, user, isServer ? { userAgent: 'kube-apiserver' } : {});
  }
}

function hasSubresource(definition: ResourceDefinition | undefined, name: string): boolean {
  return definition?.subresources.some((subresource) => subresource.name === name) === true;
}

function fromParts<T>(given: FromParts<T>, parts: ServerParts): T {
  // Safe: none of the values that may be given is itself a function.
  return typeof given === 'function' ? (given as (parts: ServerParts) => T)(parts) : given;
}

/** The handler of a path: exact, else the longest prefix that ends in a slash. */
function handlerFor(handlers: ReadonlyMap<string, Handler>, path: string): Handler | undefined {
  const exact = handlers.get(path);
  if (exact !== undefined) return exact;
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    const handler = handlers.get(path.slice(0, slash + 1));
    if (handler !== undefined) return handler;
  }
  return undefined;
}

/** What every answer carries. */
function withHeaders(response: ApiResponse, { auditId, warnings }: RequestContext): ApiResponse {
  if (response.type === 'upgrade') return response;
  const headers: Record<string, string> = {
    'audit-id': auditId,
    'cache-control': 'no-cache, private',
    ...response.headers,
  };
  const warning = warnings.length === 0 ? '' : warningHeader(warnings);
  if (warning !== '') headers['warning'] = warning;
  return { ...response, headers };
}
