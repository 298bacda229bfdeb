import { PODS } from '#api/generated/resources.ts';
import type { LocalKubelet } from '#apiserver/proxy/kubelet-connection.ts';
import type { Client } from '#client/client.ts';
import { EventRecorder } from '#client/events/event-recorder.ts';
import { InformerFactory } from '#client/informer/informer-factory.ts';
import type { UserInfo } from '#apiserver/pipeline/types.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Kubelet } from '#node/kubelet/kubelet.ts';
import { simulatedNode } from '#node/kubelet/simulated.ts';
import { SharedPods } from '#node/kubelet/sources/pod-source.ts';
import type { SimulatedAnswers } from '#node/runtime/simulated/simulated-runtime.ts';
import { SIMULATOR_USER } from './addons.ts';
import { componentUser } from './component-user.ts';

export interface SimulatedNodesDeps {
  readonly clientFor: (user: UserInfo) => Client;
  readonly executor: Executor;
  readonly log: Logger;
  /** What containers of these nodes answer to exec and port-forward. */
  readonly answers?: SimulatedAnswers;
  /** Where logs, exec and the like find the kubelets of this process. */
  readonly localKubelets?: Map<string, LocalKubelet>;
}

export interface SimulatedNodeOptions {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { key: string; value?: string; effect: string }[];
  readonly cpuCount?: number;
  readonly memoryBytes?: number;
  readonly podsMax?: number;
}

interface SimulatedNode {
  readonly kubelet: Kubelet;
  readonly events: EventRecorder;
}

/** Nodes in this process: real kubelets, each its own user, on a runtime that pretends. */
export class SimulatedNodes {
  readonly #deps: SimulatedNodesDeps;
  readonly #informers: InformerFactory;
  readonly #pods: SharedPods;
  readonly #nodes = new Map<string, SimulatedNode>();
  // Names of dead nodes come back; their addresses do not.
  #added = 0;
  readonly #stopping = new AbortController();

  constructor(deps: SimulatedNodesDeps) {
    const { executor, log } = deps;
    this.#deps = deps;
    // The pods informer is one for all nodes, so it acts as a user that sees all pods, and nothing else.
    this.#informers = new InformerFactory({ client: deps.clientFor(componentUser(SIMULATOR_USER)), executor, log });
    this.#pods = new SharedPods(this.#informers.informer(PODS));
  }

  get names(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  /** Starts a node's kubelet; the node registers itself and becomes ready a little later. */
  async add(options: SimulatedNodeOptions): Promise<void> {
    const { clientFor, executor, log } = this.#deps;
    const { name } = options;
    if (this.#nodes.has(name)) throw new Error(`a simulated node is named ${name} already`);
    const client = clientFor({ username: `system:node:${name}`, groups: ['system:nodes', 'system:authenticated'] });
    const { clock, random } = executor;
    const events = new EventRecorder({ client, clock, random, component: 'kubelet', host: name, log });
    const { labels, taints, podsMax, cpuCount, memoryBytes } = options;
    const { answers } = this.#deps;
    const index = this.#added++;
    const { kubelet, endpoint } = simulatedNode({
      client,
      executor,
      log: log.with({ node: name }),
      events,
      nodeName: name,
      pods: this.#pods.forNode(name),
      nodeIp: addressOf(index),
      podCidr: podRangeOf(index),
      machine: {
        ...(cpuCount === undefined ? {} : { cpuCount }),
        ...(memoryBytes === undefined ? {} : { memoryBytes }),
      },
      ...(labels === undefined ? {} : { labels }),
      ...(taints === undefined ? {} : { taints }),
      ...(podsMax === undefined ? {} : { podsMax }),
      ...(answers === undefined ? {} : { answers }),
    });
    this.#nodes.set(name, { kubelet, events });
    this.#informers.start();
    await this.#informers.waitForSync(this.#stopping.signal);
    this.#deps.localKubelets?.set(name, endpoint);
    await kubelet.start();
  }

  /** The node falls silent, as when its power goes: nothing is told to anybody. */
  async kill(name: string): Promise<void> {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no simulated node is named ${name}`);
    this.#nodes.delete(name);
    this.#deps.localKubelets?.delete(name);
    await node.kubelet.stop();
    await node.events.close();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#nodes.keys()].map((name) => this.kill(name)));
    await this.#informers.stop();
  }
}

/** Addresses of nodes that nobody can reach: 10.0.x.y. */
function addressOf(index: number): string {
  return `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`;
}

/**
 * The pods' addresses of a node, from its index rather than from the controller: so the first pod of a new node need not
 * wait, and more nodes than a cluster range holds work. Of 10.244.0.0/16 first, as the controller would.
 */
function podRangeOf(index: number): string {
  const block = Math.floor(index / 256);
  const second = block < 12 ? 244 + block : 128 + ((block - 12) % 100);
  return `10.${second}.${index % 256}.0/24`;
}
