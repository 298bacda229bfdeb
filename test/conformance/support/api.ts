import { Agent as PlainAgent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { type Collection, collectionOf } from './collection.ts';
import type { Connection } from './kubeconfig.ts';
import type { Kind, KubeObject } from './kinds.ts';
import { decodeBody, encodeBody as encodeProtobuf, messageOf, PROTOBUF } from './protobuf.ts';
import { Watch } from './watch.ts';

export interface Answer<T = unknown> {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: T;
}

export interface RequestInit {
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
}

export interface StatusBody {
  readonly kind?: string;
  readonly status?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What the client prefers, as `--kube-api-content-type` of the official suite does. */
export type Encoding = 'json' | 'protobuf';

/** What the server answered instead of a success. */
export class ApiError extends Error {
  readonly code: number;
  readonly status: StatusBody;
  constructor(request: string, answer: Answer) {
    // Safe: an API server's failures are Status objects; the fields are all optional.
    const status = (typeof answer.body === 'object' && answer.body !== null ? answer.body : {}) as StatusBody;
    super(`${request}: ${answer.code} ${status.reason ?? ''}: ${status.message ?? answer.text.slice(0, 300)}`);
    this.code = answer.code;
    this.status = status;
  }
}

/** Enough for a burst of creates; watches have connections of their own. */
const SOCKETS_MAX = 16;

/** Long enough for a busy machine, short enough to fail inside a test's own time. */
const REQUEST_TIMEOUT_MS = 30_000;

/** A client of any Kubernetes API server: HTTPS, JSON or protobuf, and nothing that it would share with the server. */
export class Api {
  readonly #connection: Connection;
  readonly #agent: Agent | PlainAgent;
  readonly #watches = new Set<Watch>();
  readonly #encoding: Encoding;

  constructor(connection: Connection, encoding: Encoding = 'json') {
    this.#connection = connection;
    this.#encoding = encoding;
    // A proxy in front of the cluster may do without TLS.
    const options = { keepAlive: true, maxSockets: SOCKETS_MAX };
    this.#agent = connection.server.protocol === 'http:' ? new PlainAgent(options) : new Agent(options);
  }

  get server(): URL {
    return this.#connection.server;
  }

  /** The collection of one kind: in a namespace, or where none is given in all (or of the cluster). */
  of<T extends KubeObject>(kind: Kind<T>, namespace?: string): Collection<T> {
    return collectionOf(this, kind, namespace);
  }

  /** Any request, whatever the answer. */
  async raw<T = unknown>(method: string, path: string, init: RequestInit = {}): Promise<Answer<T>> {
    const { bytes, contentType } = this.#encode(init);
    const headers = {
      accept: init.accept ?? (this.#encoding === 'json' ? 'application/json' : `${PROTOBUF}, application/json`),
      ...(bytes === undefined ? {} : { 'content-type': contentType }),
      ...(bytes === undefined ? {} : { 'content-length': bytes.length }),
    };
    const response = await this.#open({ method, path: withQuery(path, init.query), headers }, bytes);
    const chunks: Buffer[] = [];
    // Safe: no encoding is set, so chunks are buffers.
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const whole = Buffer.concat(chunks);
    const text = whole.toString('utf8');
    const type = response.headers['content-type'] ?? '';
    const decoded: unknown = type.startsWith(PROTOBUF)
      ? decodeBody(whole)
      : type.includes('json') && text !== ''
        ? JSON.parse(text)
        : text;
    // Safe: the caller says what it expects; a wrong shape fails its assertions.
    const body = decoded as T;
    return { code: response.statusCode ?? 0, headers: response.headers, text, body };
  }

  /** A request that must succeed. */
  async call<T>(method: string, path: string, init: RequestInit = {}): Promise<T> {
    const answer = await this.raw<T>(method, path, init);
    if (answer.code >= 400) throw new ApiError(`${method} ${path}`, answer);
    return answer.body;
  }

  async watch<T extends KubeObject>(path: string, query: RequestInit['query'] = {}): Promise<Watch<T>> {
    const full = withQuery(path, { ...query, watch: true });
    const response = await this.#open(
      {
        method: 'GET',
        path: full,
        headers: {
          accept: this.#encoding === 'json' ? 'application/json' : `${PROTOBUF};stream=watch, application/json`,
        },
        agent: false,
      },
      undefined,
    );
    if (response.statusCode !== 200) {
      response.destroy();
      throw new Error(`watch of ${full}: ${response.statusCode}`);
    }
    const watch = new Watch<T>(response, full);
    this.#watches.add(watch);
    return watch;
  }

  /** A client of the same server that proves itself by a token, or by nothing. */
  as(token: string | undefined): Api {
    const { cert: _, key: __, token: ___, ...rest } = this.#connection;
    return new Api(token === undefined ? rest : { ...rest, token }, this.#encoding);
  }

  #encode({ body, contentType }: RequestInit): { bytes?: Buffer; contentType: string } {
    if (body === undefined) return { contentType: '' };
    const isPlain = contentType === undefined && typeof body === 'object' && body !== null;
    // Safe: every object has string keys.
    const object = body as Record<string, unknown>;
    if (this.#encoding === 'protobuf' && isPlain && messageOf(String(object['apiVersion']), String(object['kind']))) {
      return { bytes: encodeProtobuf(object), contentType: PROTOBUF };
    }
    return { bytes: Buffer.from(encodeBody(body)), contentType: contentType ?? 'application/json' };
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#agent.destroy();
  }

  #open(init: RequestOptions, bytes: Buffer | undefined): Promise<IncomingMessage> {
    const { server, ca, cert, key, token, isInsecure } = this.#connection;
    return new Promise((resolve, reject) => {
      const send = server.protocol === 'http:' ? httpRequest : httpsRequest;
      const request = send(
        {
          agent: this.#agent,
          ...init,
          host: server.hostname,
          port: server.port === '' ? 443 : Number(server.port),
          rejectUnauthorized: !isInsecure,
          ...(ca === undefined ? {} : { ca }),
          ...(cert === undefined ? {} : { cert }),
          ...(key === undefined ? {} : { key }),
          headers: { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
        },
        (response) => {
          request.setTimeout(0);
          resolve(response);
        },
      );
      request.setTimeout(REQUEST_TIMEOUT_MS, () =>
        request.destroy(new Error(`no answer: ${init.method} ${init.path}`)),
      );
      request.on('error', reject);
      request.end(bytes);
    });
  }
}

function encodeBody(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

function withQuery(path: string, query: RequestInit['query']): string {
  const given = Object.entries(query ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}
