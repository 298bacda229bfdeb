import { createServer } from 'node:net';
import { join } from 'node:path';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { NODES } from '#api/generated/resources.ts';
import type { Node } from '#api/generated/types.ts';
import { formatTime, parseTime } from '#machinery/clock/clock.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { runCommand } from '#node/host/run-command.ts';
import {
  makeMachineNetwork,
  networkStands,
  removeMachineNetwork,
  usedPrefixes,
} from '#node/network/machine-network.ts';
import { type MachinePlan, planMachineNetwork } from '#node/network/machine-plan.ts';
import { PodRoutes } from '#node/network/pod-routes.ts';
import { isolationFile } from './node-paths.ts';
import { type ApiChoice, apiChoice } from '../api-choice.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { type DataDirectory, openDataDirectory } from '../data-directory.ts';
import type { Progress } from '../progress.ts';
import { addressAt, type ClusterSettings, resolveSettings } from '../settings.ts';
import { SimulatedNodes } from '../simulated-nodes.ts';
import { type EtcdFlags, resolveStoreChoice } from '../store-choice.ts';
import { AgentProcess } from './agents.ts';
import { writeNodeFiles } from './node-files.ts';
import { buildBuiltinImages } from './builtin-images.ts';
import { missingForNetwork, type RuntimeName } from './runtime-choice.ts';
import { type ClusterState, identifyProcess, isAlive, readState, removeState, writeState } from './state-file.ts';
import { sweepNodes } from './sweep.ts';

export interface UpOptions extends ApiChoice {
  readonly dataDir: string;
  readonly runtime: RuntimeName;
  readonly nodes: number;
  /** 0: any free one. Absent: the one of the last start, else 6443. */
  readonly port?: number;
  readonly podCidr?: string;
  readonly serviceCidr?: string;
  /** Where etcd is, if it is to keep the objects; empty: as last time. */
  readonly etcd?: EtcdFlags;
  /** Program and first arguments that start this command again, for agents: `[node, dist/cli.mjs]`. */
  readonly selfCommand: readonly string[];
  readonly context: string;
  readonly verbosity: number;
}

export interface UpDeps {
  readonly executor: Executor;
  readonly log: Logger;
  readonly progress: Progress;
  readonly uid: number | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

/** A whole cluster on this machine, run by this process. */
export interface MachineCluster {
  readonly url: string;
  readonly directory: DataDirectory;
  /** The admin's kubeconfig, as text. */
  readonly kubeconfig: string;
  /** Stops pods, agents, containerd and the server, and removes the network: leaves the data directory only. */
  stop(progress: Progress): Promise<void>;
}

const NODE_READY_TIMEOUT_MS = 120_000;
const NODE_POLL_MS = 50;

/** Starts the cluster of a data directory; takes over what runs on from a server that was killed. */
export async function startMachineCluster(options: UpOptions, deps: UpDeps): Promise<MachineCluster> {
  const { progress } = deps;
  const directory = openDataDirectory(options.dataDir, deps.uid);
  const earlier = readState(directory.stateFile);
  if (earlier !== undefined && isAlive(earlier.server)) {
    throw Object.assign(new Error(`a cluster is running in ${directory.root} already (pid ${earlier.server.pid})`), {
      code: 'AlreadyRunning',
    });
  }
  const hasNetwork = options.runtime !== 'simulated' && missingForNetwork(deps.environment, deps.uid).length === 0;
  const settings = await resolveSettings(directory, {
    port: options.port,
    podCidr: options.podCidr,
    serviceCidr: options.serviceCidr,
    usedPrefixes: hasNetwork ? await usedPrefixes(runCommand) : [],
    isLoopbackOnly: !hasNetwork && options.runtime === 'process',
    freePort,
  });
  const cluster = new RunningCluster({ options, deps, directory, settings, hasNetwork });
  try {
    if (hasNetwork) await progress.step('network', () => cluster.makeNetwork(earlier));
    await progress.step('control plane', () => cluster.startControlPlane());
    await cluster.startNodes(earlier);
  } catch (error) {
    await cluster.stop(progress);
    throw error;
  }
  return cluster;
}

class RunningCluster implements MachineCluster {
  readonly directory: DataDirectory;
  readonly #options: UpOptions;
  readonly #deps: UpDeps;
  readonly #settings: ClusterSettings;
  readonly #hasNetwork: boolean;
  readonly #agents: AgentProcess[] = [];
  #plan: MachinePlan | undefined;
  #ipForwardBefore: string | undefined;
  #controlPlane: ControlPlane | undefined;
  #podRoutes: PodRoutes | undefined;
  #simulated: { stop(): Promise<void> } | undefined;
  #isReady = false;
  readonly #startedAtMs: number;

  constructor(init: {
    options: UpOptions;
    deps: UpDeps;
    directory: DataDirectory;
    settings: ClusterSettings;
    hasNetwork: boolean;
  }) {
    this.#options = init.options;
    this.#deps = init.deps;
    this.directory = init.directory;
    this.#settings = init.settings;
    this.#hasNetwork = init.hasNetwork;
    this.#startedAtMs = init.deps.executor.clock.now();
  }

  get url(): string {
    return `https://127.0.0.1:${this.#settings.port}`;
  }

  get kubeconfig(): string {
    return this.#started().adminKubeconfig({ server: this.url, context: this.#options.context });
  }

  get #nodeNames(): string[] {
    if (this.#options.runtime === 'simulated') return [];
    return Array.from({ length: this.#options.nodes }, (_, index) => `node-${index + 1}`);
  }

  async makeNetwork(earlier: ClusterState | undefined): Promise<void> {
    const hasNodes = earlier?.nodes.some((node) => isAlive(node.agent) || isAlive(node.containerd)) === true;
    const reusable = earlier?.network;
    const sameNodes = reusable?.nodes.map((node) => node.nodeName).join() === this.#nodeNames.join();
    if (reusable !== undefined && sameNodes && (await networkStands(reusable, runCommand))) {
      this.#plan = reusable;
      this.#ipForwardBefore = earlier?.ipForwardBefore;
      return;
    }
    // Pods of another network cannot be taken over: end what is left of them first.
    if (earlier !== undefined && hasNodes) await sweepNodes(this.directory, earlier, this.#deps);
    if (reusable !== undefined) await removeMachineNetwork(reusable, runCommand);
    this.#plan = planMachineNetwork({
      clusterId: this.directory.root,
      nodeNames: this.#nodeNames,
      podCidr: this.#settings.podCidr,
      serviceCidr: this.#settings.serviceCidr,
      usedPrefixes: await usedPrefixes(runCommand),
    });
    const made = await makeMachineNetwork(this.#plan, runCommand);
    this.#ipForwardBefore = earlier?.ipForwardBefore ?? made.ipForwardBefore;
    this.#save();
  }

  async startControlPlane(): Promise<void> {
    mkdirSync(this.directory.runDirectory, { recursive: true, mode: 0o700 });
    const { port, serviceCidr, podCidr } = this.#settings;
    const gateway = this.#plan?.gateway;
    this.#controlPlane = await startControlPlane(
      {
        directory: this.directory,
        listen: [{ host: '127.0.0.1', port }, ...(gateway === undefined ? [] : [{ host: gateway, port }])],
        advertise: { host: gateway ?? '127.0.0.1', port },
        serviceCidr,
        podCidr,
        clusterDns: addressAt(serviceCidr, 10),
        store: await resolveStoreChoice(this.directory, this.#options.etcd ?? {}),
        ...apiChoice(this.#options),
      },
      { executor: this.#deps.executor, log: this.#deps.log },
    );
    writeFileSync(`${this.directory.kubeconfig}.tmp`, this.kubeconfig, { mode: 0o600 });
    renameSync(`${this.directory.kubeconfig}.tmp`, this.directory.kubeconfig);
    this.#save();
  }

  async startNodes(earlier: ClusterState | undefined): Promise<void> {
    const { progress } = this.#deps;
    if (this.#options.runtime === 'simulated') {
      await progress.step(`${this.#options.nodes} simulated nodes`, () => this.#startSimulated());
    } else {
      await this.#startAgents(earlier);
    }
    this.#isReady = true;
    this.#save();
  }

  async stop(progress: Progress): Promise<void> {
    const { executor } = this.#deps;
    if (this.#agents.length > 0) {
      await progress.step('pods and nodes stopped', () => Promise.all(this.#agents.map((agent) => agent.stop())));
    }
    await this.#simulated?.stop();
    await this.#podRoutes?.stop();
    if (this.#controlPlane !== undefined) {
      const controlPlane = this.#controlPlane;
      await progress.step('control plane stopped', () => controlPlane.close());
    }
    const state = this.#state();
    // Whatever an agent did not manage to clean up before it was ended.
    if (this.#options.runtime !== 'simulated') {
      await sweepNodes(this.directory, state, {
        executor,
        log: this.#deps.log,
        uid: this.#deps.uid,
        environment: this.#deps.environment,
      });
    }
    const plan = this.#plan;
    if (plan !== undefined) {
      const before = this.#ipForwardBefore === undefined ? undefined : { ipForwardBefore: this.#ipForwardBefore };
      await progress.step('network removed', () => removeMachineNetwork(plan, runCommand, before));
    }
    rmSync(this.directory.runDirectory, { recursive: true, force: true });
    removeState(this.directory.stateFile);
  }

  async #startSimulated(): Promise<void> {
    const controlPlane = this.#started();
    const { executor, log } = this.#deps;
    const nodes = new SimulatedNodes({
      clientFor: (user) => controlPlane.clientFor(user),
      executor,
      log,
      localKubelets: controlPlane.localKubelets,
    });
    this.#simulated = nodes;
    for (let index = 1; index <= this.#options.nodes; index += 1) await nodes.add({ name: `node-${index}` });
    await this.#waitReady(`node-${this.#options.nodes}`);
  }

  async #startAgents(earlier: ClusterState | undefined): Promise<void> {
    const { progress, log, executor } = this.#deps;
    const images = await progress.step('images', () => buildBuiltinImages(this.directory, this.#deps.environment));
    for (const image of images.notes) progress.note(image);
    const controlPlane = this.#started();
    if (this.#hasNetwork) {
      const informers = controlPlane.informersFor('system:kube-proxy');
      this.#podRoutes = new PodRoutes({ nodes: informers.informer(NODES), run: runCommand, executor, log });
      informers.start();
    }
    const title = this.#nodeNames.length === 1 ? 'node ready' : `${this.#nodeNames.length} nodes ready`;
    await progress.step(title, async () => {
      for (const [index, nodeName] of this.#nodeNames.entries()) {
        const place = this.#plan?.nodes[index];
        const configFile = writeNodeFiles({
          directory: this.directory,
          controlPlane,
          nodeName,
          index,
          nodeIp: place?.ip ?? '127.0.0.1',
          serverUrl: `https://${this.#plan?.gateway ?? '127.0.0.1'}:${this.#settings.port}`,
          runtime: this.#options.runtime === 'containerd' ? 'containerd' : 'process',
          settings: this.#settings,
          ownsNetwork: place !== undefined,
          images: images.archives,
          verbosity: this.#options.verbosity,
        });
        const enter = place === undefined ? [] : ['nsenter', `--net=/run/netns/${place.namespace}`];
        const [command, ...args] = [...enter, ...this.#options.selfCommand, 'agent', '--config', configFile];
        const agent = new AgentProcess(
          { nodeName, command, args, logFile: join(this.directory.logs, `agent-${nodeName}.log`) },
          { clock: executor.clock, log, onChange: () => this.#save() },
        );
        this.#agents.push(agent);
        await agent.start(earlier?.nodes.find((node) => node.name === nodeName)?.agent);
        this.#save();
      }
      await Promise.all(this.#nodeNames.map((name) => this.#waitReady(name)));
    });
    if (this.#options.runtime === 'process') progress.note(`not isolated: ${this.#isolationNotes()}`);
  }

  #isolationNotes(): string {
    const file = isolationFile(this.directory.node(this.#nodeNames[0] ?? ''));
    return existsSync(file) ? readFileSync(file, 'utf8') : 'unknown';
  }

  async #waitReady(nodeName: string): Promise<void> {
    const { clock } = this.#deps.executor;
    const client = this.#started().admin;
    const deadline = clock.monotonic() + NODE_READY_TIMEOUT_MS;
    for (;;) {
      const node: Node | undefined = await client.get(NODES, { name: nodeName }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      const ready = node?.status?.conditions?.find((condition) => condition.type === 'Ready');
      const heartbeatMs = parseTime(ready?.lastHeartbeatTime ?? '') ?? 0;
      // A condition of an earlier run says nothing about this one, unless the agent runs on.
      const isAdopted = this.#agents.find((agent) => agent.spec.nodeName === nodeName)?.isAdopted === true;
      if (ready?.status === 'True' && (isAdopted || heartbeatMs >= this.#startedAtMs - 1_000)) return;
      if (clock.monotonic() > deadline) {
        const why = ready?.message ?? 'it has not registered';
        throw new Error(`node ${nodeName} did not become ready: ${why}; see "tiphys logs agent-${nodeName}"`);
      }
      await clock.sleep(NODE_POLL_MS);
    }
  }

  #started(): ControlPlane {
    if (this.#controlPlane === undefined) throw new Error('the control plane has not been started');
    return this.#controlPlane;
  }

  #state(): ClusterState {
    return {
      server: identifyProcess(process.pid) ?? { pid: process.pid, startTicks: 0 },
      url: this.url,
      context: this.#options.context,
      runtime: this.#options.runtime,
      startedAt: formatTime(this.#startedAtMs),
      isReady: this.#isReady,
      nodes: this.#nodeNames.map((name, index) => {
        const agent = this.#agents[index]?.id;
        return { name, ...(agent === undefined ? {} : { agent }) };
      }),
      ...(this.#plan === undefined ? {} : { network: this.#plan }),
      ...(this.#ipForwardBefore === undefined ? {} : { ipForwardBefore: this.#ipForwardBefore }),
    };
  }

  #save(): void {
    mkdirSync(this.directory.root, { recursive: true });
    writeState(this.directory.stateFile, this.#state());
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
