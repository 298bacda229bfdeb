import type { KubeObject, ObjectList } from '#machinery/meta/types.ts';

/**
 * The client contract: what a component can do with an API server, in the same process (`LocalClient`) or over HTTPS
 * (`HttpClient`). Both pass `testClientContract` (client/contract-suite.ts). Failures are `StatusError`s; where no
 * server answered, a `ConnectionError`.
 */
export interface Client {
  get<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName, options?: GetOptions): Promise<T>;
  list<T extends KubeObject>(resource: ResourceType<T>, options?: ListOptions): Promise<ObjectList<T>>;
  create<T extends KubeObject>(resource: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Replaces the object named in its metadata. */
  update<T extends KubeObject>(resource: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: ResourceType<T>,
    name: ObjectName,
    patch: Patch,
    options?: WriteOptions & { force?: boolean },
  ): Promise<T>;
  /** The deleted object, or the object on its way out where deletion is not immediate. */
  delete<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName, options?: DeleteOptions): Promise<T>;
  deleteCollection(resource: ResourceType, options?: DeleteOptions & ListOptions): Promise<void>;
  /** Ends when the signal fires or the server ends it; a 410 is thrown as a StatusError (`isExpired`). */
  watch<T extends KubeObject>(resource: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /**
   * Creates through a subresource that takes another kind: `pods/binding`, `pods/eviction`, `serviceaccounts/token`.
   * `resource` names the parent.
   */
  createSubresource<T extends KubeObject>(
    resource: ResourceType,
    name: ObjectName,
    subresource: string,
    body: KubeObject,
    options?: WriteOptions,
  ): Promise<T>;
  /** Any path: discovery, `/readyz`, `/openapi/v3`. Throws a StatusError unless the status is 2xx. */
  raw(request: RawRequest): Promise<RawResponse>;
  close(): Promise<void>;
}

/**
 * Names a resource for a client; the constants of the built-in ones are generated into `#api/generated/resources.ts`.
 * The type parameter is the kind of its objects.
 */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never present; carries the type. */
  readonly objectType?: T;
}

export interface ObjectName {
  readonly name: string;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
}

export interface GetOptions {
  readonly resourceVersion?: string;
  readonly subresource?: string;
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  /** Absent: all namespaces (or cluster scope). */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  readonly signal?: AbortSignal;
}

export interface WriteOptions {
  /** For `create`: where to, when the object does not say. */
  readonly namespace?: string;
  readonly subresource?: string;
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  readonly signal?: AbortSignal;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export type Patch =
  | { readonly type: 'json'; readonly operations: readonly JsonPatchOperation[] }
  | { readonly type: 'merge'; readonly body: unknown }
  | { readonly type: 'strategic'; readonly body: unknown }
  | { readonly type: 'apply'; readonly body: unknown };

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version; absent: start with the current state as ADDED events. */
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly timeoutSeconds?: number;
  readonly signal: AbortSignal;
}

export type WatchEvent<T extends KubeObject = KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly object: KubeObject };

export interface RawRequest {
  readonly method: string;
  /** Path and query, from the server's root. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** No answer from a server: refused, reset, timed out, or not HTTP. Whether a write happened is unknown. */
export class ConnectionError extends Error {
  readonly code = 'Connection';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectionError';
  }
}
