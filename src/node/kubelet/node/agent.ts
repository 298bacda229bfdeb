import type { Node, NodeStatus } from '#api/generated/types.ts';
import { NODES } from '#api/generated/resources.ts';
import type { Client } from '#client/client.ts';
import { isAlreadyExists, isNotFound } from '#machinery/errors/status-error.ts';
import type { Timer } from '#machinery/clock/clock.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Host, MachineFacts } from '../../host/host.ts';
import type { ContainerRuntime, Image } from '../../runtime/contract.ts';
import type { EventSink } from '../pod/pod-events.ts';
import { isSame } from '../status/status-writer.ts';
import { type NodeHealth, nodeConditions } from './conditions.ts';
import { defaultLabels, initialNode, KUBELET_VERSION, type NodeCapacity, type NodeIdentity } from './facts.ts';

export interface NodeAgentDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
  readonly host: Host;
  readonly runtime: ContainerRuntime;
  readonly runtimeVersion: string;
  readonly events: EventSink;
  readonly identity: NodeIdentity;
  readonly machine: MachineFacts;
  readonly addresses: readonly string[];
  readonly capacity: NodeCapacity;
  /** Where the kubelet's server listens. */
  readonly port: () => number;
  /** Where pods and logs lie: its disk's fullness is the node's. */
  readonly rootDirectory: string;
  /** The controller gave the node its pod range. */
  readonly onPodCidr: (podCidr: string) => Promise<void>;
}

const CHECK_MS = 10_000;
// An unchanged status is sent again this rarely: the lease is the heartbeat.
const REPORT_MS = 300_000;
// While the node is not ready yet, a cluster that starts waits for it.
const STARTING_CHECK_MS = 500;
const STARTING_PERIOD_MS = 60_000;
const MEMORY_AVAILABLE_MIN_BYTES = 100 * 1024 * 1024;
const DISK_AVAILABLE_MIN_SHARE = 0.1;
const INODES_FREE_MIN_SHARE = 0.05;
const PIDS_FREE_MIN_SHARE = 0.05;
const IMAGES_MAX = 50;
const NAMES_PER_IMAGE_MAX = 5;

/** Registers the node and keeps its status true. */
export class NodeAgent {
  readonly #deps: NodeAgentDeps;
  #node: Node | undefined;
  #podCidr: string | undefined;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #startedMs = 0;
  #timer: Timer | undefined;
  #isStopped = false;
  #checking: Promise<void> = Promise.resolve();

  constructor(deps: NodeAgentDeps) {
    this.#deps = deps;
  }

  /** The node as the API server last told it. */
  get node(): Node | undefined {
    return this.#node;
  }

  start(): void {
    this.#startedMs = this.#deps.executor.clock.now();
    this.#event('Normal', { reason: 'Starting', message: 'Starting kubelet.' });
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#checking;
  }

  /** A watch saw the node change. */
  observe(node: Node): void {
    this.#node = node;
  }

  /** Reads the node anew, where it matters that nothing is missed. A failure leaves what is known. */
  async refresh(): Promise<void> {
    const { client, identity, log } = this.#deps;
    try {
      this.#node = await client.get(NODES, { name: identity.name });
    } catch (error) {
      log.warn('cannot read node', { node: identity.name, error: String(error) });
    }
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    const { executor } = this.#deps;
    this.#timer = executor.clock.setTimeout(
      () => {
        this.#checking = executor.run('node', () => this.#check());
      },
      delayMs,
      { unref: true },
    );
  }

  async #check(): Promise<void> {
    let isSettled = false;
    try {
      const status = await this.#measure();
      this.#node = this.#node === undefined ? await this.#register(status) : await this.#report(this.#node, status);
      await this.#learnPodCidr();
      const isReady = status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
      isSettled = isReady && this.#podCidr !== undefined;
    } catch (error) {
      if (isNotFound(error)) this.#node = undefined;
      if (!this.#isStopped) {
        this.#deps.log.warn('cannot report node', { node: this.#deps.identity.name, error: String(error) });
      }
    }
    const isStarting = this.#deps.executor.clock.now() - this.#startedMs < STARTING_PERIOD_MS;
    this.#schedule(!isSettled && isStarting ? STARTING_CHECK_MS : CHECK_MS);
  }

  async #register(status: NodeStatus): Promise<Node> {
    const { client, identity, machine, executor } = this.#deps;
    try {
      const created = await client.create(NODES, { ...initialNode(identity, machine), status });
      this.#reportedMs = executor.clock.now();
      // A server that takes no status with a new node is told it at once.
      return await this.#report(created, status);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    let node = await client.get(NODES, { name: identity.name });
    const labels = { ...defaultLabels(identity.name, machine), ...identity.labels };
    const isLabelled = Object.entries(labels).every(([key, value]) => node.metadata.labels?.[key] === value);
    if (!isLabelled) {
      const body = { metadata: { labels } };
      node = await client.patch(NODES, { name: identity.name }, { type: 'strategic', body });
    }
    return this.#report(node, await this.#measure(node));
  }

  async #report(node: Node, status: NodeStatus): Promise<Node> {
    const { client, executor, identity } = this.#deps;
    const before = node.status ?? {};
    const changed = changedFields(before, status);
    const isDue = executor.clock.now() - this.#reportedMs >= REPORT_MS;
    if (Object.keys(changed).length === 0 && !isDue) return node;
    const body = { status: { ...changed, conditions: status.conditions } };
    const written = await client.patch(
      NODES,
      { name: identity.name },
      { type: 'strategic', body },
      { subresource: 'status' },
    );
    this.#reportedMs = executor.clock.now();
    return written;
  }

  async #learnPodCidr(): Promise<void> {
    const podCidr = this.#node?.spec.podCIDR ?? this.#deps.identity.podCidr;
    if (podCidr === undefined || podCidr === this.#podCidr) return;
    await this.#deps.onPodCidr(podCidr);
    this.#podCidr = podCidr;
  }

  async #measure(node: Node | undefined = this.#node): Promise<NodeStatus> {
    const { machine, capacity, executor, identity, runtimeVersion } = this.#deps;
    const health = await this.#health();
    const previous = node?.status?.conditions ?? [];
    const { conditions, events } = nodeConditions(health, previous, executor.clock.now());
    for (const reason of events) {
      this.#event('Normal', { reason, message: `Node ${identity.name} status is now: ${reason}` });
    }
    return {
      capacity: capacity.capacity,
      allocatable: capacity.allocatable,
      conditions,
      addresses: [
        ...this.#deps.addresses.slice(0, 2).map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: identity.name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: this.#deps.port() } },
      nodeInfo: {
        machineID: machine.machineId,
        systemUUID: machine.systemUuid,
        bootID: machine.bootId,
        kernelVersion: machine.kernelVersion,
        osImage: machine.osImage,
        containerRuntimeVersion: runtimeVersion,
        kubeletVersion: KUBELET_VERSION,
        kubeProxyVersion: '',
        operatingSystem: machine.operatingSystem,
        architecture: machine.architecture,
      },
      images: await this.#images(),
    };
  }

  async #health(): Promise<NodeHealth> {
    const { host, runtime, rootDirectory } = this.#deps;
    const problems: string[] = [];
    try {
      const { conditions } = await runtime.status();
      for (const one of conditions.filter((condition) => !condition.status)) {
        const what =
          one.type === 'NetworkReady' ? 'container runtime network not ready' : 'container runtime not ready';
        problems.push(`${what}: ${one.type}=false reason:${one.reason} message:${one.message}`);
      }
    } catch (error) {
      problems.push(`container runtime is down: ${error instanceof Error ? error.message : String(error)}`);
    }
    const disk = await host.facts.diskUsage(rootDirectory).catch(() => undefined);
    const pids = await host.facts.processCount();
    return {
      hasMemoryPressure: (await host.facts.availableMemoryBytes()) < MEMORY_AVAILABLE_MIN_BYTES,
      hasDiskPressure:
        disk !== undefined &&
        (disk.availableBytes < disk.totalBytes * DISK_AVAILABLE_MIN_SHARE ||
          (disk.totalInodes > 0 && disk.freeInodes < disk.totalInodes * INODES_FREE_MIN_SHARE)),
      hasPidPressure: pids.max - pids.running < pids.max * PIDS_FREE_MIN_SHARE,
      problems,
    };
  }

  async #images(): Promise<NonNullable<NodeStatus['images']>> {
    let images: Image[];
    try {
      images = await this.#deps.runtime.listImages();
    } catch {
      // The runtime is away: its images are not what the status is about.
      return [...(this.#node?.status?.images ?? [])];
    }
    return images
      .sort((left, right) => right.sizeBytes - left.sizeBytes || (left.id < right.id ? -1 : 1))
      .slice(0, IMAGES_MAX)
      .map((image) => ({
        names: [...image.repoDigests, ...image.repoTags].slice(0, NAMES_PER_IMAGE_MAX),
        sizeBytes: image.sizeBytes,
      }));
  }

  #event(type: 'Normal', event: { reason: string; message: string }): void {
    const { name } = this.#deps.identity;
    // Node events name the node by its name where others carry the uid: upstream's habit, which kubectl relies on.
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } };
    this.#deps.events.event(node, { type, ...event });
  }
}

/** The fields that differ, apart from the times of conditions' heartbeats. */
function changedFields(before: NodeStatus, after: NodeStatus): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(after)) {
    const old: unknown = Reflect.get(before, key);
    if (key === 'conditions') {
      if (!isSame(withoutHeartbeats(before), withoutHeartbeats(after))) changed[key] = value;
    } else if (!isSame(old, value)) {
      const isReplaced = key === 'addresses' && Array.isArray(value) && Array.isArray(old);
      changed[key] = isReplaced ? [...value, { $patch: 'replace' }] : value;
    }
  }
  return changed;
}

/** Only the kubelet's own conditions: others may add theirs. */
function withoutHeartbeats(status: NodeStatus): unknown[] {
  const own = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'];
  return own.map((type) => {
    const found = status.conditions?.find((one) => one.type === type);
    return { type, status: found?.status, reason: found?.reason, message: found?.message };
  });
}
