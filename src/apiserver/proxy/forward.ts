import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { genericStatus, type StatusError } from '#machinery/errors/status-error.ts';
import { splice } from '#net/http/splice.ts';
import type { ApiRequest, ApiResponse } from '../pipeline/types.ts';

/** Where a request is sent on to. */
export interface HttpTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Path and query, encoded. */
  readonly path: string;
  readonly tls?: { readonly certificate?: string; readonly key?: string; readonly ca?: string };
}

/** Meant for one connection and not for what lies behind it (RFC 9110, 7.6.1), and credentials meant for us. */
const DROPPED_HEADERS = new Set([
  'authorization',
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Sends requests on to kubelets, pods and services, and their answers back, without looking into either. */
export class Forwarder {
  readonly #plain = new HttpAgent({ keepAlive: true, maxFreeSockets: 32 });
  readonly #secure = new HttpsAgent({ keepAlive: true, maxFreeSockets: 32 });

  /** Resolves at the answer's head. Throws a StatusError with upstream's words where the target cannot be reached. */
  async forward(request: ApiRequest, target: HttpTarget): Promise<ApiResponse> {
    return request.upgrade === undefined ? this.#plainly(request, target) : this.#upgrading(request, target);
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  async #plainly(request: ApiRequest, target: HttpTarget): Promise<ApiResponse> {
    const outgoing = this.#open(request, target, bodyHeaders(request));
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject);
    });
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
    if (hasBody && request.bodyStream !== undefined) {
      // A target that answers before it has read everything closes the pipe; its answer counts.
      pipeline(request.bodyStream(), outgoing).catch(() => undefined);
    } else {
      outgoing.end();
    }
    return streamResponse(await orDialError(answer));
  }

  async #upgrading(request: ApiRequest, target: HttpTarget): Promise<ApiResponse> {
    const outgoing = this.#open(request, target, {
      connection: 'Upgrade',
      upgrade: request.headers['upgrade'] ?? '',
    });
    const answer = new Promise<ApiResponse>((resolve, reject) => {
      outgoing.once('upgrade', (message, socket, head) => resolve(tunnelResponse(request, { message, socket, head })));
      outgoing.once('response', (message: IncomingMessage) => resolve(streamResponse(message)));
      outgoing.once('error', reject);
    });
    outgoing.end();
    return orDialError(answer);
  }

  #open(request: ApiRequest, target: HttpTarget, extra: Record<string, string>): ClientRequest {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) {
      if (!DROPPED_HEADERS.has(name)) headers[name] = value;
    }
    if (request.remoteAddress !== undefined && request.remoteAddress !== '') {
      const before = headers['x-forwarded-for'];
      headers['x-forwarded-for'] = before === undefined ? request.remoteAddress : `${before}, ${request.remoteAddress}`;
    }
    const options = {
      host: target.host,
      port: target.port,
      method: request.method,
      path: target.path,
      headers: { ...headers, ...extra },
      signal: request.signal,
    };
    if (target.scheme === 'http') return httpRequest({ ...options, agent: this.#plain });
    const { certificate, key, ca } = target.tls ?? {};
    return httpsRequest({
      ...options,
      agent: this.#secure,
      ...(certificate !== undefined && { cert: certificate, key }),
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
    });
  }
}

function bodyHeaders(request: ApiRequest): Record<string, string> {
  const length = request.headers['content-length'];
  if (length !== undefined) return { 'content-length': length };
  return request.headers['transfer-encoding'] === undefined ? {} : { 'transfer-encoding': 'chunked' };
}

function streamResponse(message: IncomingMessage): ApiResponse {
  return { type: 'stream', status: message.statusCode ?? 502, headers: responseHeaders(message), body: message };
}

function responseHeaders(message: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value === undefined || (DROPPED_HEADERS.has(name) && name !== 'content-length')) continue;
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

interface Upgraded {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Uint8Array;
}

/** Joins the client's socket and the target's: from here on they speak to each other. */
function tunnelResponse(request: ApiRequest, backend: Upgraded): ApiResponse {
  const client = request.upgrade;
  if (client === undefined) throw new Error('a tunnel needs an upgrade request');
  const abandon = () => backend.socket.destroy();
  request.signal.addEventListener('abort', abandon, { once: true });
  backend.socket.on('error', () => client.socket.destroy());
  return {
    type: 'upgrade',
    accept: async () => {
      request.signal.removeEventListener('abort', abandon);
      client.socket.write(rawHead(backend.message));
      if (backend.head.length > 0) client.socket.write(backend.head);
      if (client.head.length > 0) backend.socket.write(client.head);
      // Ends when both sides have; it never fails.
      void splice(client.socket, backend.socket);
    },
  };
}

function rawHead({ statusCode = 101, statusMessage = 'Switching Protocols', rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

async function orDialError<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw dialError(error);
  }
}

/** In the words of Go's dialer, on which clients and people match. */
function dialError(error: unknown): StatusError {
  const text = error instanceof Error ? goWords(error) : String(error);
  return genericStatus(500, 'InternalError', `error dialing backend: ${text}`);
}

function goWords(error: Error & { code?: string; address?: string; port?: number }): string {
  const where = error.address === undefined ? '' : `dial tcp ${error.address}:${error.port ?? ''}: `;
  switch (error.code) {
    case 'ECONNREFUSED':
      return `${where}connect: connection refused`;
    case 'ETIMEDOUT':
      return `${where}i/o timeout`;
    case 'EHOSTUNREACH':
      return `${where}connect: no route to host`;
    case 'ECONNRESET':
      return 'EOF';
    default:
      return error.message;
  }
}
