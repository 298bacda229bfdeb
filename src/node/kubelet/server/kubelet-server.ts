import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '#machinery/log/logger.ts';
import type { KubeletAnswer, Upgrade } from './answer.ts';
import { bearerToken, certificateUser, type KubeletAuth, type KubeletUser } from './authentication.ts';
import { HttpProblem } from './find.ts';
import { KubeletEndpoint, type KubeletEndpointOptions, problemAnswer } from './kubelet-endpoint.ts';
import { actionOf, parseRoute } from './routes.ts';

export interface KubeletServerOptions extends KubeletEndpointOptions {
  readonly tls: {
    readonly cert: string;
    readonly key: string;
    /** Empty: nobody comes by certificate. */
    readonly clientCa: string;
  };
  readonly log: Logger;
  /** Asked about everyone but the API server's own client. Absent: nobody else may. */
  readonly auth?: KubeletAuth;
  /** Common names of client certificates that may do everything. */
  readonly trusted?: readonly string[];
}

const TRUSTED = ['kube-apiserver-kubelet-client'];

/** The kubelet's HTTPS face: logs, exec and the like for the API server, statistics for autoscalers. */
export class KubeletServer {
  readonly #options: KubeletServerOptions;
  readonly #endpoint: KubeletEndpoint;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  constructor(options: KubeletServerOptions) {
    this.#options = options;
    this.#endpoint = new KubeletEndpoint(options);
    const { cert, key, clientCa } = options.tls;
    const tls = {
      cert,
      key,
      // Without a CA of its own TLS would believe the public ones.
      ...(clientCa === '' ? {} : { ca: clientCa }),
      requestCert: clientCa !== '',
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    } as const;
    this.#server = createServer(tls, (request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (message, socket, head) => void this.#upgrade({ message, socket, head }));
    this.#server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      // A client that goes away in the middle is no failure of ours.
      socket.on('error', () => socket.destroy());
    });
  }

  /** Port 0 lets the system choose. */
  async listen(options: { host: string; port: number }): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(options.port, options.host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    // Safe: a server that listens on a port has this form of address.
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      const answer = await this.#ask({ message: request, signal: gone.signal });
      if (answer.type !== 'upgrade') await send(response, answer, gone.signal);
    } catch (error) {
      // Half an answer cannot be taken back; the client sees a broken one.
      this.#options.log.warn('kubelet request failed', { url: request.url, error: String(error) });
      response.destroy();
    }
  }

  async #upgrade(upgrade: Upgrade): Promise<void> {
    const { streams, log } = this.#options;
    const gone = new AbortController();
    upgrade.socket.on('close', () => gone.abort());
    try {
      const answer = await this.#ask({ message: upgrade.message, signal: gone.signal, upgrade });
      if (answer.type === 'upgrade') await answer.accept();
      else if (answer.type === 'bytes') streams.refuse(upgrade, answer.status, Buffer.concat(answer.body).toString());
      else streams.refuse(upgrade, 400, 'this path takes no upgrade');
    } catch (error) {
      log.warn('kubelet stream failed', { url: upgrade.message.url, error: String(error) });
      upgrade.socket.destroy();
    }
  }

  async #ask(request: { message: IncomingMessage; signal: AbortSignal; upgrade?: Upgrade }): Promise<KubeletAnswer> {
    const { message, ...rest } = request;
    const url = new URL(message.url ?? '/', 'https://kubelet');
    const method = message.method ?? 'GET';
    try {
      await this.#admit(message, url);
    } catch (error) {
      return problemAnswer(error);
    }
    return this.#endpoint.handle({ ...rest, method, path: url.pathname, query: url.searchParams });
  }

  /** Who asks, what for, and whether they may. */
  async #admit(request: IncomingMessage, url: URL): Promise<void> {
    const { auth, trusted = TRUSTED } = this.#options;
    const token = bearerToken(request);
    const user: KubeletUser | undefined =
      certificateUser(request) ?? (token === undefined ? undefined : await auth?.authenticate(token));
    if (user === undefined) throw new HttpProblem(401, 'Unauthorized');
    const route = parseRoute(url.pathname);
    if (route === undefined) throw new HttpProblem(404, '404 page not found');
    if (trusted.includes(user.name)) return;
    const { verb, subresources } = actionOf(route, request.method ?? 'GET');
    for (const subresource of subresources) {
      if (auth !== undefined && (await auth.authorize(user, { verb, subresource }))) return;
    }
    const what = `verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}]`;
    throw new HttpProblem(403, `Forbidden (user=${user.name}, ${what})\n`);
  }
}

async function send(
  response: ServerResponse,
  answer: Exclude<KubeletAnswer, { type: 'upgrade' }>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(answer.status, answer.headers);
  if (answer.type === 'bytes') {
    response.end(Buffer.concat(answer.body));
    return;
  }
  // kubectl logs -f waits for the headers before it says anything.
  response.flushHeaders();
  for await (const piece of answer.body) if (!response.write(piece)) await drained(response, signal);
  response.end();
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done);
  });
}
