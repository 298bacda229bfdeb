import type { FeatureState } from '#api/features/feature-gates.ts';
import type { ResourceRegistry } from '#api/registry/registry.ts';
import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Client } from '#client/client.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { Store } from '#store/store.ts';
import type { ProtobufSource } from './protobuf-forms.ts';
import type {
  AdmissionPlugin,
  Authenticator,
  Authorizer,
  Handler,
  RequestContext,
  UserInfo,
} from './pipeline/types.ts';

/** One change of a stored object, as the server's own parts see it. Objects are deep-frozen, without managedFields. */
export interface ViewChange {
  readonly object?: KubeObject;
  readonly previous?: KubeObject;
}

/**
 * A synchronous, always current view of one resource's stored objects: the watch cache itself. Objects are deep-frozen
 * and carry their resourceVersion.
 */
export interface ResourceView {
  get(name: string, namespace?: string): KubeObject | undefined;
  list(namespace?: string): KubeObject[];
  /** Called for every change after this moment, in revision order, before the writer gets its answer. */
  onChange(listener: (change: ViewChange) => void): Disposable;
}

/** What parts of the server (authorizer, admission, special handlers) may use of it. */
export interface ServerParts {
  readonly executor: Executor;
  readonly registry: ResourceRegistry;
  readonly schemas: SchemaSet;
  readonly log: Logger;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** The objects of a stored resource, whatever version is asked for. Throws for a resource that is not stored. */
  view(group: string, resource: string): ResourceView;
  /** A custom resource in another version, as its definition says it is converted. */
  convertCustom(object: KubeObject, to: ResourceDefinition): KubeObject | Promise<KubeObject>;
  /** A client in this process that acts as `user` through the whole pipeline. */
  clientFor(user: UserInfo): Client;
}

/** One write about to happen, after admission and strategy and before validation. */
export interface PendingWrite {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  /** May be changed in place (except for DELETE, where it is the object that goes). */
  readonly object: KubeObject;
  readonly oldObject?: KubeObject;
  readonly dryRun: boolean;
}

/**
 * Allocates what a write needs (service IPs, node ports) and gets told how it ended. Throws a StatusError to refuse.
 * Returns what to call with the outcome, if anything.
 */
export type WriteHook = (write: PendingWrite) => ((outcome: 'committed' | 'failed') => void) | undefined;

/** Values, or a function that makes them once the server's parts exist. */
export type FromParts<T> = T | ((parts: ServerParts) => T);

export interface ApiServerDeps {
  readonly store: Store;
  readonly executor: Executor;
  readonly registry: ResourceRegistry;
  readonly schemas: SchemaSet;
  /** Descriptions of definitions and fields for OpenAPI (`#api/generated/descriptions.json`). */
  readonly descriptions?: () => Promise<unknown>;
  /** How protobuf bodies are read; absent: they are refused with 415. */
  readonly protobuf?: ProtobufSource;
  readonly log: Logger;
  /** Asked when the request is not a `LocalClient`'s. Undefined result: anonymous where allowed, else 401. */
  readonly authenticator: FromParts<Authenticator>;
  readonly authorizer: FromParts<Authorizer>;
  /** Run in this order; all `mutate`, later all `validate`. */
  readonly admission?: FromParts<readonly AdmissionPlugin[]>;
  /**
   * Handlers of resources and subresources the generic storage does not serve, by `group/resource[/subresource]`; the
   * core group is empty: `/pods/log`, `authorization.k8s.io/subjectaccessreviews`. They serve every verb and get the
   * request after authorization. A handler here wins over the generic endpoint.
   */
  readonly special?: FromParts<ReadonlyMap<string, Handler>>;
  /** Handlers of non-resource paths: exact (`/openid/v1/jwks`), or every path below where it ends in `/`. */
  readonly paths?: FromParts<ReadonlyMap<string, Handler>>;
  /** By `group/resource`: `/services`. */
  readonly writeHooks?: FromParts<ReadonlyMap<string, WriteHook>>;
  /** Extra named checks of `/readyz` (and `/livez`), besides the server's own. */
  readonly healthChecks?: readonly HealthCheck[];
  /** Components besides the store, for `componentstatuses`. */
  readonly componentChecks?: readonly ComponentCheck[];
  readonly audit?: AuditHook;
  readonly options?: ApiServerOptions;
}

/** Undefined where the component is healthy, else the reason. */
export interface ComponentCheck {
  readonly name: string;
  readonly check: () => string | undefined | Promise<string | undefined>;
}

export interface HealthCheck {
  readonly name: string;
  readonly endpoints: readonly ('livez' | 'readyz' | 'healthz')[];
  /** Undefined where healthy, else the reason. */
  readonly check: () => string | undefined | Promise<string | undefined>;
}

/** Told of every request when it arrived and when it was answered. Never throws, never waits. */
export interface AuditHook {
  received(context: RequestContext): void;
  answered(context: RequestContext, status: number): void;
}

export interface ApiServerOptions {
  /** Requests that are neither watches nor long streams end after this. Default 60 s, as upstream. */
  readonly requestTimeoutMs?: number;
  /** Concurrent reading and writing requests before 429. Defaults 400 and 200, as upstream. */
  readonly maxReadsInFlight?: number;
  readonly maxWritesInFlight?: number;
  /** Whether a request without credentials is `system:anonymous` (else 401). Default true. */
  readonly anonymous?: boolean;
  /** `https://host:port` for discovery's serverAddressByClientCIDRs, without scheme: `127.0.0.1:6443`. */
  readonly advertisedAddress?: string;
  /** The feature gates and their states, for `/metrics`. */
  readonly features?: readonly FeatureState[];
  /** What the server was started with, under the names of upstream's flags, for `/flagz`. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Feature gate CBORServingAndStorage: bodies and answers may be CBOR. Default false, as upstream. */
  readonly servesCbor?: boolean;
  /** Bytes of encoded objects, other than stored JSON, that are kept for the next reader. Default 64 MB. */
  readonly formsBytesMax?: number;
}
