import type { SimulatedRuntime } from './simulated-runtime.ts';

/** One attempt's outcome, as the kubelet's probes know it. */
type Outcome = { readonly result: 'success' | 'failure'; readonly output: string };

/** Network probes of pretended pods: they succeed where the pod's behaviour says that it answers. */
export class SimulatedProbeTransport {
  readonly #runtime: SimulatedRuntime;

  constructor(runtime: SimulatedRuntime) {
    this.#runtime = runtime;
  }

  async http({ host }: { host: string }): Promise<Outcome> {
    return this.#ask(host, 'HTTP probe failed with statuscode: 503');
  }

  async tcp({ host, port }: { host: string; port: number }): Promise<Outcome> {
    return this.#ask(host, `dial tcp ${host}:${port}: connect: connection refused`);
  }

  async grpc({ host }: { host: string }): Promise<Outcome> {
    return this.#ask(host, 'service unhealthy (responded with "NOT_SERVING")');
  }

  #ask(host: string, failure: string): Outcome {
    return this.#runtime.isAnsweringAt(host)
      ? { result: 'success', output: 'ok' }
      : { result: 'failure', output: failure };
  }
}
