import { ServerResponse, STATUS_CODES, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#machinery/clock/clock.ts';
import { badRequest } from '#machinery/errors/status-error.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { answer, errorResponse, type AnswerDeps, type RequestHandler } from './answer.ts';
import { DEFAULT_LIMITS, type TransportLimits } from './limits.ts';
import { NodeRequest, type NodeRequestParts, type PeerIdentity } from './node-request.ts';
import { writeBytes, type ResponseSink } from './write-response.ts';

export interface HttpsOptions {
  readonly server: RequestHandler;
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** PEM roots that client certificates may come from: the cluster CA, the front-proxy CA. */
  readonly clientCas: readonly string[];
  readonly limits?: Partial<TransportLimits>;
  /**
   * Protocols in the order the server prefers them. HTTP/1.1 first: `node:http2` needs about half as much again of
   * the processor for a request, and clients that speak both open as many connections as they need.
   */
  readonly protocols?: readonly ('http/1.1' | 'h2')[];
}

export interface HttpServer {
  readonly port: number;
  /** Takes a renewed serving certificate; connections that are open keep theirs. */
  renew(tls: { certificate: string; key: string }): void;
  /** Stops listening, ends watches, waits for requests in flight for the grace time, then cuts what is left. */
  close(): Promise<void>;
}

/** Serves HTTPS: `https.Server` owns the port and HTTP/1.1; connections that chose h2 go to an HTTP/2 server. */
export async function listenHttps(options: HttpsOptions): Promise<HttpServer> {
  const transport = new HttpsTransport(options);
  await transport.listen();
  return transport;
}

const CHECK_INTERVAL_MS_MAX = 5_000;
const GONE = new Error('the client closed the connection');
const STOPPING = new Error('the server is stopping');

class HttpsTransport implements HttpServer {
  readonly #options: HttpsOptions;
  readonly #limits: TransportLimits;
  readonly #server: Server;
  readonly #deps: AnswerDeps;
  /** By TLS connection, and by HTTP/2 session. */
  readonly #peers = new WeakMap<object, PeerIdentity>();
  /** Requests whose answer is not written yet. */
  readonly #inFlight = new Set<NodeRequest>();
  readonly #sockets = new Set<TLSSocket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(options: HttpsOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#options = options;
    this.#limits = limits;
    this.#deps = {
      server: options.server,
      log: options.log,
      options: { clock: options.clock, drainTimeoutMs: limits.drainTimeoutMs },
    };
    this.#server = createServer({
      cert: options.certificate,
      key: options.key,
      ca: [...options.clientCas],
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: [...(options.protocols ?? ['http/1.1', 'h2'])],
      handshakeTimeout: limits.headersTimeoutMs,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      // Node looks for late requests only this often.
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS_MAX, limits.headersTimeoutMs / 2),
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      maxHeaderSize: limits.headerBytesMax,
      noDelay: true,
      keepAlive: true,
    });
    this.#server.maxConnections = limits.connectionsMax;
    this.#server.on('request', (message, response) => this.#onRequest(message, response));
    this.#server.on('upgrade', (message, socket, head) => this.#onUpgrade(message, socket, head));
    this.#routeConnections();
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#options.host, port: this.#options.port, backlog: 1024 }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#options.log.error('listener failed', { error: error.message }));
        resolve();
      });
    });
  }

  renew({ certificate, key }: { certificate: string; key: string }): void {
    this.#server.setSecureContext({ cert: certificate, key, ca: [...this.#options.clientCas], minVersion: 'TLSv1.2' });
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const request of this.#inFlight) request.abort(STOPPING);
    for (const session of this.#sessions) session.close();
    this.#server.closeIdleConnections();
    await this.#waitForIdle();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #waitForIdle(): Promise<void> {
    if (this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimeout(resolve, this.#limits.closeGraceMs);
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Decides by ALPN who serves a connection, and remembers what TLS learned of the client. */
  #routeConnections(): void {
    const http2 = createHttp2Server({
      settings: { maxConcurrentStreams: this.#limits.streamsPerConnectionMax },
      maxHeaderListPairs: 256,
    });
    let accepting: PeerIdentity = {};
    http2.on('session', (session) => {
      this.#track(this.#sessions, session);
      this.#peers.set(session, accepting);
      closeWhenIdle(session, this.#limits.keepAliveTimeoutMs);
    });
    // Safe: streams of a server session are server streams.
    http2.on('stream', (stream, headers) => this.#onStream(stream as ServerHttp2Stream, headers));
    http2.on('sessionError', (error) => this.#options.log.debug('http2 session failed', { error: String(error) }));
    // Safe: the only listeners of this event so far are node's own, which take the socket.
    const serveHttp1 = this.#server.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
    this.#server.removeAllListeners('secureConnection');
    this.#server.on('secureConnection', (socket) => {
      this.#track(this.#sockets, socket);
      const peer = peerIdentity(socket);
      this.#peers.set(socket, peer);
      socket.on('error', (error) => this.#options.log.debug('connection failed', { error: error.message }));
      if (socket.alpnProtocol === 'h2') {
        // The session event comes before this call returns.
        accepting = peer;
        http2.emit('connection', socket);
        return;
      }
      for (const serve of serveHttp1) serve.call(this.#server, socket);
    });
    this.#server.on('tlsClientError', (error) => this.#options.log.debug('TLS failed', { error: error.message }));
  }

  #track<T extends { once(event: 'close', listener: () => void): unknown }>(set: Set<T>, item: T): void {
    set.add(item);
    item.once('close', () => set.delete(item));
  }

  #onRequest(message: IncomingMessage, response: ServerResponse): void {
    const request = this.#begin({
      method: message.method ?? 'GET',
      target: message.url ?? '/',
      headers: joinedHeaders(message),
      body: message,
      peer: this.#peers.get(message.socket) ?? {},
    });
    this.#serve(request, http1Sink(response), response);
  }

  /** An upgrade is answered on the bare socket; whoever refuses it still answers as HTTP. */
  #onUpgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void {
    const response = new ServerResponse(message);
    response.shouldKeepAlive = false;
    const request = this.#begin({
      method: message.method ?? 'GET',
      target: message.url ?? '/',
      headers: joinedHeaders(message),
      body: message,
      peer: this.#peers.get(socket) ?? {},
      upgrade: { message, socket, head },
    });
    // Safe: an upgraded https connection is a TLSSocket; `assignSocket` needs no more than a net.Socket.
    const sink = lateSink(response, socket as TLSSocket);
    this.#serve(request, sink, socket);
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', (error) => this.#options.log.debug('http2 stream failed', { error: error.message }));
    const request = this.#begin({
      method: headers[':method'] ?? 'GET',
      target: headers[':path'] ?? '/',
      headers: http2Headers(headers),
      body: stream,
      peer: (stream.session === undefined ? undefined : this.#peers.get(stream.session)) ?? {},
    });
    this.#serve(request, http2Sink(stream), stream);
  }

  #begin(parts: NodeRequestParts): NodeRequest | undefined {
    try {
      return new NodeRequest(parts);
    } catch {
      // A path with a broken percent escape: answered with 400 below.
      return undefined;
    }
  }

  #serve(request: NodeRequest | undefined, sink: ResponseSink, closer: Duplex | ServerResponse): void {
    if (request === undefined) {
      const refusal = errorResponse(badRequest('invalid URL escape in path'), this.#options.log);
      if (refusal.type === 'bytes') void writeBytes(refusal, sink, { isHead: false });
      return;
    }
    this.#inFlight.add(request);
    if (this.#isClosing) request.abort(STOPPING);
    const onClose = () => request.abort(GONE);
    closer.once('close', onClose);
    void answer(request, sink, this.#deps).then(() => {
      this.#inFlight.delete(request);
      if (this.#isClosing) this.#finishOne();
    });
  }

  #finishOne(): void {
    this.#server.closeIdleConnections();
    if (this.#inFlight.size === 0) this.#onIdle?.();
  }
}

/** A silent connection is closed, unless a request is under way on it, such as a watch without events. */
function closeWhenIdle(session: ServerHttp2Session, timeoutMs: number): void {
  let open = 0;
  session.on('stream', (stream) => {
    open += 1;
    stream.once('close', () => {
      open -= 1;
    });
  });
  session.setTimeout(timeoutMs, () => {
    if (open === 0) session.close();
  });
}

function peerIdentity(socket: TLSSocket): PeerIdentity {
  const address = socket.remoteAddress === undefined ? {} : { remoteAddress: socket.remoteAddress };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return address;
  if (socket.authorized) return { ...address, certificate: certificate.raw };
  return { ...address, certificateError: String(socket.authorizationError) };
}

function joinedHeaders(message: IncomingMessage): Readonly<Record<string, string>> {
  // Safe: node joins repeated headers; only `set-cookie`, which no client sends, is an array.
  return message.headers as Record<string, string>;
}

function http2Headers(headers: IncomingHttpHeaders): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value === undefined || name.startsWith(':')) continue;
    plain[name] = typeof value === 'string' ? value : value.join(', ');
  }
  const authority = headers[':authority'];
  if (authority !== undefined) plain['host'] = authority;
  return plain;
}

function http1Sink(response: ServerResponse): ResponseSink {
  return {
    writable: response,
    sendHead: (status, headers, { hasBody }) => {
      response.writeHead(status, headers);
      if (hasBody && headers['content-length'] === undefined) response.flushHeaders();
    },
  };
}

/** A response on an upgrade's socket, attached only when somebody answers as HTTP. */
function lateSink(response: ServerResponse, socket: TLSSocket): ResponseSink {
  return {
    writable: response,
    sendHead: (status, headers, { hasBody }) => {
      response.assignSocket(socket);
      response.once('finish', () => socket.end());
      response.writeHead(status, STATUS_CODES[status] ?? '', { ...headers, connection: 'close' });
      if (hasBody && headers['content-length'] === undefined) response.flushHeaders();
    },
  };
}

function http2Sink(stream: ServerHttp2Stream): ResponseSink {
  return {
    writable: stream,
    sendHead: (status, headers, { hasBody }) => {
      const { connection: _, 'transfer-encoding': __, ...allowed } = headers;
      stream.respond({ ':status': status, ...allowed }, { endStream: !hasBody });
    },
  };
}
