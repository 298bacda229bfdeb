import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Kubelet } from '../kubelet.ts';
import { bearerToken, certificateUser, type KubeletAuth, type KubeletUser } from './authentication.ts';
import { containerOf, type FoundContainer, type FoundPod, HttpProblem, podOf } from './find.ts';
import { serveLogs } from './logs.ts';
import { actionOf, type KubeletRoute, parseRoute } from './routes.ts';
import { Statistics } from './statistics.ts';

/** Carries exec, attach and port-forward over an upgraded connection, whatever its protocol. */
export interface StreamServer {
  exec(upgrade: Upgrade, container: FoundContainer): Promise<void>;
  attach(upgrade: Upgrade, container: FoundContainer): Promise<void>;
  portForward(upgrade: Upgrade, pod: FoundPod): Promise<void>;
  /** Refuses an upgrade with an ordinary answer. */
  refuse(upgrade: Upgrade, status: number, text: string): void;
}

export interface Upgrade {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface KubeletServerOptions {
  /** Several where simulated nodes share a server: a pod is looked for in all of them. */
  readonly kubelets: () => readonly Kubelet[];
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
  readonly streams: StreamServer;
  readonly clock: Clock;
  readonly log: Logger;
  /** Asked about everyone but the API server's own client. Absent: nobody else may. */
  readonly auth?: KubeletAuth;
  /** Common names of client certificates that may do everything. */
  readonly trusted?: readonly string[];
  /** Logs of containers that have no files. */
  readonly readLog?: (containerId: string) => string | undefined;
}

const TRUSTED = ['kube-apiserver-kubelet-client'];
// `/run` answers in one piece; longer output needs exec.
const RUN_TIMEOUT_MS = 60_000;

/** The kubelet's HTTPS face: logs, exec and the like for the API server, statistics for autoscalers. */
export class KubeletServer {
  readonly #options: KubeletServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #statistics = new Map<Kubelet, Statistics>();

  constructor(options: KubeletServerOptions) {
    this.#options = options;
    const { cert, key, clientCa } = options.tls;
    const tls = {
      cert,
      key,
      ca: clientCa,
      requestCert: true,
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
    try {
      const url = new URL(request.url ?? '/', 'https://kubelet');
      const route = await this.#admit(request, url);
      if (route.type === 'exec' || route.type === 'attach' || route.type === 'portForward') {
        throw new HttpProblem(400, 'Upgrade request required');
      }
      await this.#answer(route, { request, response, url });
    } catch (error) {
      const status = error instanceof HttpProblem ? error.status : 500;
      const text = error instanceof Error ? error.message : String(error);
      if (status === 500) this.#options.log.warn('kubelet request failed', { url: request.url, error: text });
      if (response.headersSent) response.destroy();
      else send(response, { status, type: 'text/plain; charset=utf-8', body: text });
    }
  }

  async #upgrade(upgrade: Upgrade): Promise<void> {
    const { streams } = this.#options;
    try {
      const url = new URL(upgrade.message.url ?? '/', 'https://kubelet');
      const route = await this.#admit(upgrade.message, url);
      const kubelets = this.#options.kubelets();
      if (route.type === 'exec') await streams.exec(upgrade, containerOf(kubelets, route.target));
      else if (route.type === 'attach') await streams.attach(upgrade, containerOf(kubelets, route.target));
      else if (route.type === 'portForward') await streams.portForward(upgrade, podOf(kubelets, route.target));
      else streams.refuse(upgrade, 400, 'this path takes no upgrade');
    } catch (error) {
      const status = error instanceof HttpProblem ? error.status : 500;
      streams.refuse(upgrade, status, error instanceof Error ? error.message : String(error));
    }
  }

  /** Who asks, what for, and whether they may. */
  async #admit(request: IncomingMessage, url: URL): Promise<KubeletRoute> {
    const { auth, trusted = TRUSTED } = this.#options;
    const token = bearerToken(request);
    const user: KubeletUser | undefined =
      certificateUser(request) ?? (token === undefined ? undefined : await auth?.authenticate(token));
    if (user === undefined) throw new HttpProblem(401, 'Unauthorized');
    const route = parseRoute(url.pathname);
    if (route === undefined) throw new HttpProblem(404, '404 page not found');
    if (trusted.includes(user.name)) return route;
    const action = actionOf(route, request.method ?? 'GET');
    if (auth !== undefined && (await auth.authorize(user, action))) return route;
    const { verb, subresource } = action;
    throw new HttpProblem(
      403,
      `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresource}])\n`,
    );
  }

  async #answer(
    route: Exclude<KubeletRoute, { type: 'exec' | 'attach' | 'portForward' }>,
    exchange: { request: IncomingMessage; response: ServerResponse; url: URL },
  ): Promise<void> {
    const { response, url } = exchange;
    const { kubelets, clock, readLog } = this.#options;
    const text = (body: string) => send(response, { status: 200, type: 'text/plain; charset=utf-8', body });
    switch (route.type) {
      case 'healthz':
        return text('ok');
      case 'pods':
      case 'runningPods': {
        const workers = kubelets().flatMap((one) => one.workers);
        const wanted = route.type === 'pods' ? workers : workers.filter((worker) => worker.isActive);
        const items = wanted.map((worker) => ({ ...worker.pod, status: worker.status }));
        return json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
      }
      case 'stats':
        return json(response, await this.#statisticsOf(kubelets()[0]).summary());
      case 'metrics': {
        const statistics = this.#statisticsOf(kubelets()[0]);
        return text(route.what === 'resource' ? await statistics.resourceMetrics() : statistics.kubeletMetrics());
      }
      case 'logs':
        return serveLogs(podOf(kubelets(), route.target), {
          container: route.target.container,
          query: url.searchParams,
          response,
          clock,
          ...(readLog === undefined ? {} : { readLog }),
        });
      case 'run': {
        const found = containerOf(kubelets(), route.target);
        const command = (url.searchParams.get('cmd') ?? '').split(' ');
        const result = await found.kubelet.runtime.execSync(found.containerId, command, { timeoutMs: RUN_TIMEOUT_MS });
        return text(Buffer.concat([result.stdout, result.stderr]).toString());
      }
    }
  }

  #statisticsOf(kubelet: Kubelet | undefined): Statistics {
    if (kubelet === undefined) throw new HttpProblem(503, 'the kubelet has not started yet');
    let statistics = this.#statistics.get(kubelet);
    if (statistics === undefined) {
      statistics = new Statistics(kubelet, this.#options.clock);
      this.#statistics.set(kubelet, statistics);
    }
    return statistics;
  }
}

function send(response: ServerResponse, answer: { status: number; type: string; body: string }): void {
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status, { 'Content-Type': answer.type, 'Content-Length': body.length });
  response.end(body);
}

function json(response: ServerResponse, value: unknown): void {
  send(response, { status: 200, type: 'application/json', body: JSON.stringify(value) });
}
