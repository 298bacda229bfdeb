import { Agent as HttpAgent, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions, request as httpsRequest } from 'node:https';
import { ConnectionError } from '../client.ts';
import type { ClientConfig } from './client-config.ts';

const CONNECTIONS_MAX = 64;
// Below common servers' and balancers' idle limits, so that a reused connection is seldom one that just ended.
const IDLE_SOCKET_MS = 45_000;
const TCP_KEEP_ALIVE_MS = 30_000;

export interface TransportRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The answer goes on for long: it gets a connection of its own. */
  readonly isStream?: boolean;
}

/** Sends requests over HTTP/1.1 with kept-alive connections. Knows nothing of Kubernetes. */
export class Transport {
  readonly #base: URL;
  readonly #basePath: string;
  readonly #agent: HttpAgent;
  readonly #streamAgent: HttpAgent;

  constructor(config: ClientConfig) {
    this.#base = new URL(config.server);
    this.#basePath = this.#base.pathname.replace(/\/+$/, '');
    const isSecure = this.#base.protocol === 'https:';
    const keepAlive: AgentOptions = {
      keepAlive: true,
      keepAliveMsecs: TCP_KEEP_ALIVE_MS,
      timeout: IDLE_SOCKET_MS,
      maxSockets: config.connectionsMax ?? CONNECTIONS_MAX,
      maxFreeSockets: config.connectionsMax ?? CONNECTIONS_MAX,
    };
    const own: AgentOptions = { keepAlive: false };
    const tls = tlsOptions(config);
    this.#agent = isSecure ? new HttpsAgent({ ...keepAlive, ...tls }) : new HttpAgent(keepAlive);
    this.#streamAgent = isSecure ? new HttpsAgent({ ...own, ...tls }) : new HttpAgent(own);
  }

  /**
   * The answer, whatever its status; its body is not read yet. Rejects with the signal's reason where that fired, else
   * with a `ConnectionError`.
   */
  async send(request: TransportRequest): Promise<IncomingMessage> {
    const { method, path, headers, body, signal, isStream = false } = request;
    signal?.throwIfAborted();
    const options: RequestOptions = {
      host: unbracketed(this.#base.hostname),
      port: this.#base.port === '' ? undefined : this.#base.port,
      method,
      path: `${this.#basePath}${path}`,
      agent: isStream ? this.#streamAgent : this.#agent,
      headers: { ...headers, host: this.#base.host, ...(body === undefined ? {} : { 'content-length': body.length }) },
      ...(signal === undefined ? {} : { signal }),
    };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = this.#base.protocol === 'https:' ? httpsRequest(options) : httpRequest(options);
    sent.on('response', resolve);
    sent.on('socket', (socket) => {
      // The agent's time limit is for idle connections; an answer may take as long as it takes.
      socket.setTimeout(0);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    });
    sent.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new ConnectionError(`${method} ${path}: the server switched protocols unasked`));
    });
    sent.on('error', (error) => {
      reject(signal?.aborted === true ? signal.reason : this.connectionError(request, error));
    });
    sent.end(body);
    return promise;
  }

  connectionError({ method, path }: { method: string; path: string }, cause: unknown): ConnectionError {
    const text = cause instanceof Error ? causeText(cause) : String(cause);
    return new ConnectionError(`${method} ${this.#base.origin}${path.replace(/\?.*/, '')}: ${text}`, { cause });
  }

  close(): void {
    this.#agent.destroy();
    this.#streamAgent.destroy();
  }
}

function tlsOptions(config: ClientConfig): AgentOptions {
  const { certificateAuthority, clientCertificate, clientKey, tlsServerName, insecureSkipTlsVerify } = config;
  return {
    minVersion: 'TLSv1.2',
    ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate }),
    ...(clientKey === undefined ? {} : { key: clientKey }),
    ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
    ...(insecureSkipTlsVerify === true ? { rejectUnauthorized: false } : {}),
  };
}

function unbracketed(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** Connecting to a name with several addresses fails with a bundle of errors that itself says nothing. */
function causeText(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message;
  return error.errors.map((one) => (one instanceof Error ? one.message : String(one))).join(', ');
}
