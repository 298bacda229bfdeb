import type {
  Client,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectName,
  Patch,
  RawRequest,
  RawResponse,
  ResourceType,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '#client/client.ts';
import { encodeJson } from '#machinery/codec/json.ts';
import { badRequest, genericStatus, type Status, StatusError } from '#machinery/errors/status-error.ts';
import { apiVersionOf, type KubeObject, type ObjectList } from '#machinery/meta/types.ts';
import type { ApiRequest, ApiResponse, UserInfo, WatchFrame, WriteCause } from './pipeline/types.ts';

/** What a `LocalClient` needs of a server. */
interface Server {
  handle(request: ApiRequest): Promise<ApiResponse>;
}

export interface LocalClientOptions {
  /**
   * Lists and watches hand out the server's own deep-frozen objects, without managedFields, instead of copies. For
   * informers. Single objects (get, writes) are always the caller's own.
   */
  readonly frozen?: boolean;
  /** Names the field manager of writes, up to the first slash. Default: the user's name without `system:`. */
  readonly userAgent?: string;
  readonly cause?: WriteCause;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  readonly wantsFrozen?: boolean;
}

const PATCH_CONTENT_TYPES: Readonly<Record<Patch['type'], string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};
const NO_BODY = new Uint8Array(0);
const NEVER_ABORTED = new AbortController().signal;

/** A client in the server's own process: the whole pipeline as one user, without sockets. Bytes in, bytes out. */
export class LocalClient implements Client {
  readonly #server: Server;
  readonly #user: UserInfo;
  readonly #options: LocalClientOptions;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(server: Server, user: UserInfo, options: LocalClientOptions = {}) {
    this.#server = server;
    this.#user = user;
    this.#options = options;
    this.#headers = { accept: 'application/json', 'user-agent': options.userAgent ?? agentOf(user) };
  }

  /** The same client, whose writes record what made them. */
  withCause(cause: WriteCause): LocalClient {
    return new LocalClient(this.#server, this.#user, { ...this.#options, cause });
  }

  async get<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName, options: GetOptions = {}): Promise<T> {
    const query = queryOf({ resourceVersion: options.resourceVersion });
    const path = objectPath(resource, name, options.subresource);
    return this.#object<T>({ method: 'GET', path, query, signal: options.signal });
  }

  async list<T extends KubeObject>(resource: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const path = collectionPath(resource, options.namespace);
    return this.#object<ObjectList<T>>({
      method: 'GET',
      path,
      query: listQuery(options),
      signal: options.signal,
      wantsFrozen: this.#options.frozen === true,
    });
  }

  async create<T extends KubeObject>(resource: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const namespace = object.metadata.namespace ?? options.namespace;
    const { name = '' } = object.metadata;
    const path =
      options.subresource === undefined
        ? collectionPath(resource, namespace)
        : objectPath(resource, { name, ...(namespace === undefined ? {} : { namespace }) }, options.subresource);
    return this.#object<T>({ method: 'POST', path, query: writeQuery(options), body: object, signal: options.signal });
  }

  async update<T extends KubeObject>(resource: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { name = '', namespace = options.namespace } = object.metadata;
    const path = objectPath(resource, { name, ...(namespace === undefined ? {} : { namespace }) }, options.subresource);
    return this.#object<T>({ method: 'PUT', path, query: writeQuery(options), body: object, signal: options.signal });
  }

  async patch<T extends KubeObject>(
    resource: ResourceType<T>,
    name: ObjectName,
    patch: Patch,
    options: WriteOptions & { force?: boolean } = {},
  ): Promise<T> {
    const query = writeQuery(options);
    if (options.force === true) query.set('force', 'true');
    return this.#object<T>({
      method: 'PATCH',
      path: objectPath(resource, name, options.subresource),
      query,
      body: patch.type === 'json' ? patch.operations : patch.body,
      contentType: PATCH_CONTENT_TYPES[patch.type],
      signal: options.signal,
    });
  }

  async delete<T extends KubeObject>(
    resource: ResourceType<T>,
    name: ObjectName,
    options: DeleteOptions = {},
  ): Promise<T> {
    return this.#object<T>({
      method: 'DELETE',
      path: objectPath(resource, name),
      body: deleteBody(options),
      signal: options.signal,
    });
  }

  async deleteCollection(resource: ResourceType, options: DeleteOptions & ListOptions = {}): Promise<void> {
    await this.#send({
      method: 'DELETE',
      path: collectionPath(resource, options.namespace),
      query: listQuery(options),
      body: deleteBody(options),
      signal: options.signal,
    });
  }

  async *watch<T extends KubeObject>(
    resource: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    if (options.signal.aborted) return;
    const query = listQuery(options);
    query.set('watch', 'true');
    if (options.allowWatchBookmarks === true) query.set('allowWatchBookmarks', 'true');
    if (options.timeoutSeconds !== undefined) query.set('timeoutSeconds', String(options.timeoutSeconds));
    const isFrozen = this.#options.frozen === true;
    const path = collectionPath(resource, options.namespace);
    const response = await this.#send({ method: 'GET', path, query, signal: options.signal });
    if (response.type !== 'watch') throw unexpected(response.type);
    const source = response.watch;
    try {
      for (;;) {
        const batch = await source.next();
        if (batch === undefined || options.signal.aborted) return;
        for (const frame of batch) yield eventOf<T>(frame, isFrozen);
      }
    } finally {
      source.close();
    }
  }

  async createSubresource<T extends KubeObject>(
    resource: ResourceType,
    name: ObjectName,
    subresource: string,
    body: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#object<T>({
      method: 'POST',
      path: objectPath(resource, name, subresource),
      query: writeQuery(options),
      body,
      signal: options.signal,
    });
  }

  async raw(request: RawRequest): Promise<RawResponse> {
    const mark = request.path.indexOf('?');
    const path = decodeURIComponent(mark < 0 ? request.path : request.path.slice(0, mark));
    const query = new URLSearchParams(mark < 0 ? '' : request.path.slice(mark + 1));
    const bytes = request.body ?? NO_BODY;
    const headers: Record<string, string> = { ...this.#headers };
    for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value;
    const { signal } = request;
    const call = this.#request({ method: request.method.toUpperCase(), path, query, signal }, { bytes, headers });
    const response = await this.#server.handle(call);
    if (response.type === 'watch' || response.type === 'upgrade') throw unexpected(response.type);
    const body = await collect(response);
    if (response.status >= 300) throw failureOf(response.status, body);
    return { status: response.status, headers: response.headers, body };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #object<T>(call: Call): Promise<T> {
    const response = await this.#send(call);
    // Safe: what a server answers to this request is of the type that the resource names.
    if (response.type === 'bytes' && response.value !== undefined) return response.value as T;
    if (response.type === 'watch' || response.type === 'upgrade') throw unexpected(response.type);
    return JSON.parse(textOf(await collect(response))) as T;
  }

  async #send(call: Call): Promise<ApiResponse> {
    call.signal?.throwIfAborted();
    const bytes = call.body === undefined ? NO_BODY : encodeJson(call.body);
    const contentType = call.contentType ?? 'application/json';
    const headers = call.body === undefined ? this.#headers : { ...this.#headers, 'content-type': contentType };
    const response = await this.#server.handle(this.#request(call, { bytes, headers }));
    if ((response.type !== 'bytes' && response.type !== 'stream') || response.status < 300) return response;
    throw failureOf(response.status, await collect(response));
  }

  #request(
    call: Call,
    { bytes, headers }: { bytes: Uint8Array; headers: Readonly<Record<string, string>> },
  ): ApiRequest {
    const { cause } = this.#options;
    return {
      method: call.method,
      path: call.path,
      query: call.query ?? new URLSearchParams(),
      headers,
      readBody: (limitBytes) =>
        bytes.length > limitBytes ? Promise.reject(tooLarge(limitBytes)) : Promise.resolve(bytes),
      signal: call.signal ?? NEVER_ABORTED,
      localUser: this.#user,
      ...(call.wantsFrozen === true ? { wantsFrozen: true } : {}),
      ...(cause === undefined ? {} : { cause }),
    };
  }
}

function eventOf<T extends KubeObject>(frame: WatchFrame, isFrozen: boolean): WatchEvent<T> {
  // Safe: an ERROR frame's object is a Status.
  if (frame.type === 'ERROR') throw new StatusError(frame.object as unknown as Status);
  // Safe: frames of a watch carry objects of the resource that was asked for.
  if (isFrozen) return { type: frame.type, object: frame.object } as WatchEvent<T>;
  const bytes = frame.bytes.length === 1 ? frame.bytes[0] : Buffer.concat(frame.bytes);
  return JSON.parse(textOf(bytes ?? NO_BODY)) as WatchEvent<T>;
}

async function collect(response: ApiResponse & { type: 'bytes' | 'stream' }): Promise<Uint8Array> {
  if (response.type === 'bytes') {
    return response.body.length === 1 ? (response.body[0] ?? NO_BODY) : Buffer.concat(response.body);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function failureOf(code: number, body: Uint8Array): StatusError {
  const text = textOf(body);
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === 'object' && status !== null && 'kind' in status && status.kind === 'Status') {
      // Safe: the server's own Status.
      return new StatusError(status as unknown as Status);
    }
  } catch (error) {
    return genericFailure(code, text, error);
  }
  return genericFailure(code, text);
}

function genericFailure(code: number, text: string, cause?: unknown): StatusError {
  const reason = code === 404 ? 'NotFound' : code === 503 ? 'ServiceUnavailable' : 'InternalError';
  const message = code === 404 ? 'the server could not find the requested resource' : text.trim();
  const error = genericStatus(code, reason, message);
  if (cause !== undefined) error.cause = cause;
  return error;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function collectionPath(resource: ResourceType, namespace: string | undefined): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
  if (!resource.namespaced || namespace === undefined || namespace === '') return `${root}/${resource.resource}`;
  return `${root}/namespaces/${namespace}/${resource.resource}`;
}

function objectPath(resource: ResourceType, { name, namespace }: ObjectName, subresource?: string): string {
  if (name === '') throw badRequest('resource name may not be empty');
  const path = `${collectionPath(resource, namespace)}/${name}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

function queryOf(values: Readonly<Record<string, string | number | undefined>>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value));
  return query;
}

function listQuery(options: ListOptions | WatchOptions): URLSearchParams {
  const { labelSelector, fieldSelector, resourceVersion } = options;
  const page = 'limit' in options || 'continue' in options || 'resourceVersionMatch' in options ? options : {};
  return queryOf({
    labelSelector,
    fieldSelector,
    resourceVersion,
    limit: page.limit,
    continue: page.continue,
    resourceVersionMatch: page.resourceVersionMatch,
  });
}

function writeQuery(options: WriteOptions): URLSearchParams {
  return queryOf({
    dryRun: options.dryRun === true ? 'All' : undefined,
    fieldManager: options.fieldManager,
    fieldValidation: options.fieldValidation,
  });
}

function deleteBody(options: DeleteOptions): unknown {
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = options;
  const isPlain = [gracePeriodSeconds, propagationPolicy, preconditions].every((value) => value === undefined);
  if (isPlain && dryRun !== true) return undefined;
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(dryRun === true ? { dryRun: ['All'] } : {}),
  };
}

/** `system:kube-scheduler` writes as `kube-scheduler`, a service account as its name. */
function agentOf({ username }: UserInfo): string {
  return username.split(':').at(-1) ?? username;
}

function tooLarge(limitBytes: number): StatusError {
  return genericStatus(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);
}

function unexpected(type: string): Error {
  return new Error(`cannot use an answer of type "${type}" here`);
}
