import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Kubelet } from '../kubelet.ts';
import type { KubeletAnswer, StreamServer, Upgrade } from './answer.ts';
import { containerOf, HttpProblem, podOf } from './find.ts';
import { logAnswer } from './logs.ts';
import { nodeLogAnswer } from './node-logs.ts';
import { type KubeletRoute, parseRoute } from './routes.ts';
import { Statistics } from './statistics.ts';

/** A request to the kubelet, whatever brought it. Who asks has been settled before. */
export interface KubeletRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
  readonly upgrade?: { readonly message: IncomingMessage; readonly socket: Duplex; readonly head: Uint8Array };
}

export interface KubeletEndpointOptions {
  /** Several where simulated nodes share a server: a pod is looked for in all of them. */
  readonly kubelets: () => readonly Kubelet[];
  readonly streams: StreamServer;
  readonly clock: Clock;
  /** What `/logs/` shows. Absent: nothing. */
  readonly logDirectory?: string;
  /** Logs of containers that have no files. */
  readonly readLog?: (containerId: string) => string | undefined;
}

// `/run` answers in one piece; longer output needs exec.
const RUN_TIMEOUT_MS = 60_000;

/**
 * What the kubelet answers to, without sockets: behind `KubeletServer`, or called by an API server in the same process
 * (it has the shape of its `LocalKubelet`).
 */
export class KubeletEndpoint {
  readonly #options: KubeletEndpointOptions;
  readonly #statistics = new Map<Kubelet, Statistics>();

  constructor(options: KubeletEndpointOptions) {
    this.#options = options;
  }

  /** Never rejects for what the client did wrong. */
  async handle(request: KubeletRequest): Promise<KubeletAnswer> {
    try {
      const route = parseRoute(request.path);
      if (route === undefined) throw new HttpProblem(404, '404 page not found');
      return await this.#answer(route, request);
    } catch (error) {
      return problemAnswer(error);
    }
  }

  async #answer(route: KubeletRoute, request: KubeletRequest): Promise<KubeletAnswer> {
    const { clock, readLog } = this.#options;
    const kubelets = this.#options.kubelets();
    switch (route.type) {
      case 'healthz':
        return text('ok');
      case 'pods':
      case 'runningPods': {
        const workers = kubelets.flatMap((one) => one.workers);
        const wanted = route.type === 'pods' ? workers : workers.filter((worker) => worker.isActive);
        const items = wanted.map((worker) => ({ ...worker.pod, status: worker.status }));
        return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
      }
      case 'stats':
        return json(await this.#statisticsOf(kubelets[0]).summary());
      case 'metrics': {
        const statistics = this.#statisticsOf(kubelets[0]);
        return text(route.what === 'resource' ? await statistics.resourceMetrics() : statistics.kubeletMetrics());
      }
      case 'nodeLogs':
        if (this.#options.logDirectory === undefined) throw new HttpProblem(404, '404 page not found');
        return nodeLogAnswer(this.#options.logDirectory, route.path);
      case 'logs':
        return logAnswer(podOf(kubelets, route.target), {
          container: route.target.container,
          query: request.query,
          signal: request.signal,
          clock,
          ...(readLog === undefined ? {} : { readLog }),
        });
      case 'run': {
        const found = containerOf(kubelets, route.target);
        const command = (request.query.get('cmd') ?? '').split(' ');
        const result = await found.kubelet.runtime.execSync(found.containerId, command, { timeoutMs: RUN_TIMEOUT_MS });
        return text(Buffer.concat([result.stdout, result.stderr]).toString());
      }
      case 'exec':
      case 'attach':
      case 'portForward':
        return this.#upgrade(route, request);
    }
  }

  #upgrade(route: KubeletRoute & { type: 'exec' | 'attach' | 'portForward' }, request: KubeletRequest): KubeletAnswer {
    if (request.upgrade === undefined) throw new HttpProblem(400, 'Upgrade request required');
    const { streams } = this.#options;
    const kubelets = this.#options.kubelets();
    const { message, socket, head } = request.upgrade;
    const upgrade: Upgrade = { message, socket, head: Buffer.from(head) };
    if (route.type === 'portForward') {
      const pod = podOf(kubelets, route.target);
      return { type: 'upgrade', accept: () => streams.portForward(upgrade, pod) };
    }
    const container = containerOf(kubelets, route.target);
    return route.type === 'exec'
      ? { type: 'upgrade', accept: () => streams.exec(upgrade, container) }
      : { type: 'upgrade', accept: () => streams.attach(upgrade, container) };
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

/** The answer to a request that failed, as plain text. */
export function problemAnswer(error: unknown): KubeletAnswer & { type: 'bytes' } {
  const body = error instanceof Error ? error.message : String(error);
  return answer(error instanceof HttpProblem ? error.status : 500, { type: 'text/plain; charset=utf-8', body });
}

function text(body: string): KubeletAnswer {
  return answer(200, { type: 'text/plain; charset=utf-8', body });
}

function json(value: unknown): KubeletAnswer {
  return answer(200, { type: 'application/json', body: JSON.stringify(value) });
}

function answer(status: number, content: { type: string; body: string }): KubeletAnswer & { type: 'bytes' } {
  const body = Buffer.from(content.body);
  const headers = { 'content-type': content.type, 'content-length': String(body.length) };
  return { type: 'bytes', status, headers, body: [body] };
}
