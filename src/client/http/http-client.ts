import type { IncomingMessage } from 'node:http';
import type { Clock } from '#machinery/clock/clock.ts';
import type { KubeObject, ObjectList } from '#machinery/meta/types.ts';
import {
  type Client,
  ConnectionError,
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type ObjectName,
  type Patch,
  type RawRequest,
  type RawResponse,
  type ResourceType,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from '../client.ts';
import type { ClientConfig } from './client-config.ts';
import { Credentials } from './credentials.ts';
import { deleteBody, listPath, listQuery, objectPath, requestPath, watchPath } from './request-path.ts';
import { responseError } from './response-error.ts';
import { Transport } from './transport.ts';
import { watchFrames } from './watch-frames.ts';

// What one JSON text may take: the longest string of the JavaScript engine. Larger lists are read in pages.
const RESPONSE_BYTES_MAX = 512 * 1024 * 1024;
// A server that is overloaded says when to come back; upstream's clients try as often.
const RETRIES_MAX = 10;
const RETRY_AFTER_SECONDS_MAX = 60;

const CONTENT_TYPES: Readonly<Record<Patch['type'], string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  // JSON is YAML.
  apply: 'application/apply-patch+yaml',
};

interface JsonRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** A client of an API server over HTTP/1.1 with JSON. */
export class HttpClient implements Client {
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #credentials: Credentials;

  constructor(config: ClientConfig, deps: { clock: Clock }) {
    this.#clock = deps.clock;
    this.#transport = new Transport(config);
    this.#credentials = new Credentials(deps, config);
  }

  get<T extends KubeObject>(resource: ResourceType<T>, name: ObjectName, options: GetOptions = {}): Promise<T> {
    return this.#json({ method: 'GET', path: objectPath(resource, name, options), signal: options.signal });
  }

  list<T extends KubeObject>(resource: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    return this.#json({ method: 'GET', path: listPath(resource, options), signal: options.signal });
  }

  create<T extends KubeObject>(resource: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const namespace = object.metadata.namespace ?? options.namespace;
    // Only subresources are created under the object's name.
    const name = options.subresource === undefined ? undefined : object.metadata.name;
    const path = requestPath(resource, { namespace, name, subresource: options.subresource }, writeQuery(options));
    return this.#json({ method: 'POST', path, body: object, signal: options.signal });
  }

  update<T extends KubeObject>(resource: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { name = '', namespace = options.namespace } = object.metadata;
    const path = requestPath(resource, { namespace, name, subresource: options.subresource }, writeQuery(options));
    return this.#json({ method: 'PUT', path, body: object, signal: options.signal });
  }

  patch<T extends KubeObject>(
    resource: ResourceType<T>,
    { name, namespace }: ObjectName,
    patch: Patch,
    options: WriteOptions & { force?: boolean } = {},
  ): Promise<T> {
    const { subresource, force, signal } = options;
    const query = { ...writeQuery(options), ...(patch.type === 'apply' ? { force } : {}) };
    return this.#json({
      method: 'PATCH',
      path: requestPath(resource, { namespace, name, subresource }, query),
      body: patch.type === 'json' ? patch.operations : patch.body,
      contentType: CONTENT_TYPES[patch.type],
      signal,
    });
  }

  delete<T extends KubeObject>(
    resource: ResourceType<T>,
    { name, namespace }: ObjectName,
    options: DeleteOptions = {},
  ): Promise<T> {
    const path = requestPath(resource, { namespace, name });
    return this.#json({ method: 'DELETE', path, body: deleteBody(options), signal: options.signal });
  }

  async deleteCollection(resource: ResourceType, options: DeleteOptions & ListOptions = {}): Promise<void> {
    const path = requestPath(resource, { namespace: options.namespace }, listQuery(options));
    await this.#json({ method: 'DELETE', path, body: deleteBody(options), signal: options.signal });
  }

  async *watch<T extends KubeObject>(resource: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const { signal } = options;
    if (signal.aborted) return;
    const request = { method: 'GET', path: watchPath(resource, options), signal, isStream: true };
    let response: IncomingMessage | undefined;
    try {
      response = await this.#send(request);
      yield* watchFrames<T>(response);
    } catch (error) {
      if (signal.aborted) return;
      // What the body's stream raises is Node's; everything else has its type already.
      throw isSystemError(error) ? this.#transport.connectionError(request, error) : error;
    } finally {
      response?.destroy();
    }
  }

  createSubresource<T extends KubeObject>(
    resource: ResourceType,
    { name, namespace }: ObjectName,
    subresource: string,
    body: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const path = requestPath(resource, { namespace, name, subresource }, writeQuery(options));
    return this.#json({ method: 'POST', path, body, signal: options.signal });
  }

  async raw({ method, path, headers = {}, body, signal }: RawRequest): Promise<RawResponse> {
    const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
    const response = await this.#send({ method, path, headers: Object.fromEntries(lowerCase), body, signal });
    const bytes = await this.#read(response, { method, path, signal });
    const flat = Object.entries(response.headers).map(([name, value]) => [name, [value].flat().join(', ')] as const);
    return { status: response.statusCode ?? 0, headers: Object.fromEntries(flat), body: bytes };
  }

  async close(): Promise<void> {
    this.#transport.close();
  }

  async #json<T>({ method, path, body, contentType = 'application/json', signal }: JsonRequest): Promise<T> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = { accept: 'application/json', ...(bytes === undefined ? {} : { 'content-type': contentType }) };
    const response = await this.#send({ method, path, headers, body: bytes, signal });
    const answer = await this.#read(response, { method, path, signal });
    try {
      return JSON.parse(answer.toString());
    } catch (error) {
      throw this.#transport.connectionError({ method, path }, error);
    }
  }

  /** An answer that is 2xx; others become errors, after as many attempts as the server asks for. */
  async #send(request: {
    method: string;
    path: string;
    headers?: Readonly<Record<string, string>>;
    body?: Uint8Array | undefined;
    signal?: AbortSignal | undefined;
    isStream?: boolean;
  }): Promise<IncomingMessage> {
    for (let attempt = 0; ; attempt++) {
      const headers = { ...(await this.#credentials.headers()), ...request.headers };
      const response = await this.#transport.send({ ...request, headers });
      const code = response.statusCode ?? 0;
      if (code >= 200 && code < 300) return response;
      const body = await this.#read(response, request);
      const delayMs = retryDelayMs(response);
      const isRefused = code === 401 && attempt === 0 && this.#credentials.refuse();
      if (!isRefused && (delayMs === undefined || attempt >= RETRIES_MAX)) throw responseError(code, body);
      const { signal } = request;
      if (delayMs !== undefined) await this.#clock.sleep(delayMs, signal === undefined ? {} : { signal });
    }
  }

  async #read(
    response: IncomingMessage,
    request: { method: string; path: string; signal?: AbortSignal | undefined },
  ): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > RESPONSE_BYTES_MAX) throw new Error(`the answer is larger than ${RESPONSE_BYTES_MAX} bytes`);
      }
    } catch (error) {
      request.signal?.throwIfAborted();
      throw this.#transport.connectionError(request, error);
    }
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
  }
}

function writeQuery({ dryRun, fieldManager, fieldValidation }: WriteOptions) {
  return { dryRun: dryRun === true ? 'All' : undefined, fieldManager, fieldValidation };
}

/** How long to wait before trying again, where the server says so: it has not begun to work on the request then. */
function retryDelayMs({ statusCode = 0, headers }: IncomingMessage): number | undefined {
  const seconds = Number(headers['retry-after']);
  if (headers['retry-after'] === undefined || !Number.isInteger(seconds) || seconds < 0) return undefined;
  if (statusCode !== 429 && statusCode < 500) return undefined;
  return Math.min(seconds, RETRY_AFTER_SECONDS_MAX) * 1000;
}

function isSystemError(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && !(error instanceof ConnectionError) && error.name !== 'StatusError'
  );
}
