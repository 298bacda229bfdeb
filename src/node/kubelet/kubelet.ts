import type { Pod } from '#api/generated/types.ts';
import { NODES, PODS } from '#api/generated/resources.ts';
import type { Client } from '#client/client.ts';
import { isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Host } from '../host/host.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import type { PodVolumes } from '../volume/contract.ts';
import { collectGarbage, type GarbageTimes } from './gc/garbage.ts';
import { Images } from './images/images.ts';
import { rotateLogs } from './logs/rotate.ts';
import { NodeAgent } from './node/agent.ts';
import { evacuateNode } from './node/evacuate.ts';
import { nodeCapacity, type NodeIdentity } from './node/facts.ts';
import { NodeLease } from './node/lease.ts';
import { ensureQualityCgroups } from './node/quality-cgroups.ts';
import { BackOff, CRASH_BACK_OFF } from './pod/back-off.ts';
import { podName, podNamespace, podUid } from './pod/pod.ts';
import type { EventSink } from './pod/pod-events.ts';
import type { KubeletPaths, PodObjects, PodServices } from './pod/services.ts';
import type { PodWorker } from './pod/worker.ts';
import { PodSet } from './pod/pod-set.ts';
import { Probes } from './probes/probes.ts';
import type { ProbeTransport } from './probes/contract.ts';
import { RuntimeWatch } from './runtime-watch.ts';
import { follow } from './sources/follow.ts';
import { WatchedObjects } from './sources/objects.ts';
import { type PodSource, WatchedPods } from './sources/pod-source.ts';
import { StatusWriter } from './status/status-writer.ts';

export interface KubeletOptions {
  readonly identity: NodeIdentity;
  readonly paths: KubeletPaths;
  /** Addresses of the node; absent: the machine's. */
  readonly nodeIps?: readonly string[];
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** In front of `/kubepods`: several nodes on one machine each have their own. */
  readonly cgroupRoot: string;
  readonly podsMax: number;
  /** More resources that the node offers, such as `example.com/gpu`. */
  readonly extraResources?: Record<string, string>;
  /** Where the kubelet's server listens. */
  readonly port: () => number;
  /**
   * A node that pretends: no garbage collection, no service variables, no watch of its own Node. A thousand of them
   * share a process.
   */
  readonly isSimulated?: boolean;
}

export interface KubeletDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly runtime: ContainerRuntime;
  readonly host: Host;
  readonly log: Logger;
  readonly events: EventSink;
  readonly transport: ProbeTransport;
  /** Absent: containers see no volumes. */
  readonly volumes?: (objects: PodObjects) => PodVolumes;
  /** Absent: the kubelet watches its pods itself. */
  readonly pods?: PodSource;
  /** Overrides readiness by container id, for pods whose behaviour is pretended. */
  readonly readiness?: (containerId: string) => boolean | undefined;
  readonly options: KubeletOptions;
}

/** A node's agent: takes the pods that are bound to its node and makes the runtime run them. */
export class Kubelet {
  readonly #deps: KubeletDeps;
  readonly #stopping = new AbortController();
  readonly #background: Promise<void>[] = [];
  #parts: Parts | undefined;

  constructor(deps: KubeletDeps) {
    this.#deps = deps;
  }

  /** Resolves when the kubelet is at work; the node becomes ready a little later. */
  async start(): Promise<void> {
    const parts = await buildParts(this.#deps, (uid) => this.#parts?.set.wake(uid));
    this.#parts = parts;
    await this.#shareCpu(parts);
    parts.agent.start();
    parts.lease.start();
    parts.watch.start();
    parts.source.start({
      onPod: (pod) => parts.set.apply(pod),
      onGone: (pod) => parts.set.remove(pod),
      onSynced: () => parts.set.markSynced(),
    });
    if (this.#deps.options.isSimulated === true) return;
    const { identity } = this.#deps.options;
    const signal = this.#stopping.signal;
    const own = { fieldSelector: `metadata.name=${identity.name}`, signal };
    this.#background.push(
      follow(this.#deps, NODES, own, {
        onState: ([node]) => node && parts.agent.observe(node),
        onEvent: (type, node) => type !== 'DELETED' && parts.agent.observe(node),
      }),
      this.#collect(parts, signal),
    );
  }

  /** Stops deciding; containers go on running and are found again by the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const parts = this.#parts;
    if (parts === undefined) return;
    await parts.source.stop();
    await parts.watch.stop();
    parts.services.probes.stopAll();
    await parts.set.stop();
    parts.services.status.stop();
    parts.stopObjects();
    await parts.lease.stop();
    await parts.agent.stop();
    await Promise.all(this.#background);
  }

  /** The pods on this node as their workers see them: for the server and for statistics. */
  get workers(): readonly PodWorker[] {
    return this.#parts?.set.workers ?? [];
  }

  worker(namespace: string, name: string): PodWorker | undefined {
    return this.workers.find(({ pod }) => podName(pod) === name && podNamespace(pod) === namespace);
  }

  get runtime(): ContainerRuntime {
    return this.#deps.runtime;
  }

  get services(): PodServices | undefined {
    return this.#parts?.services;
  }

  /**
   * Stops the kubelet and everything that it ran, and leaves nothing on the host: for a node that goes away in order. The
   * API keeps the pods; a kubelet that starts again runs them anew.
   */
  async evacuate(): Promise<void> {
    await this.stop();
    const { services } = this.#parts ?? {};
    if (services !== undefined)
      await evacuateNode(
        services,
        this.workers.map((worker) => worker.pod),
      );
  }

  async #shareCpu({ services, set }: Parts): Promise<void> {
    await ensureQualityCgroups(services.host.cgroups, {
      root: services.cgroupRoot,
      cpuMillis: services.node.allocatable.cpuMillis,
      pods: set.workers.filter((worker) => worker.isActive).map((worker) => worker.pod),
    });
  }

  async #collect(parts: Parts, signal: AbortSignal): Promise<void> {
    const times: GarbageTimes = {};
    await parts.set.synced;
    for (let round = 0; !signal.aborted; round += 1) {
      try {
        await this.#shareCpu(parts);
        await rotateLogs(parts.services, parts.set);
        if (round % GC_ROUNDS === 0) await collectGarbage(parts.services, parts.set, times);
      } catch (error) {
        if (!signal.aborted) this.#deps.log.warn('garbage collection failed', { error: String(error) });
      }
      await this.#deps.executor.clock.sleep(HOUSEKEEPING_MS, { signal }).catch(() => undefined);
    }
  }
}

// Upstream looks at logs every ten seconds, and collects garbage every minute.
const HOUSEKEEPING_MS = 10_000;
const GC_ROUNDS = 6;

interface Parts {
  readonly services: PodServices;
  readonly set: PodSet;
  readonly agent: NodeAgent;
  readonly lease: NodeLease;
  readonly watch: RuntimeWatch;
  readonly source: PodSource;
  readonly stopObjects: () => void;
}

async function buildParts(deps: KubeletDeps, wake: (uid: string) => void): Promise<Parts> {
  const { client, executor, runtime, host, log, events, transport, options } = deps;
  const { clock, random } = executor;
  const machine = await host.facts.machine();
  const rootDirectory = options.paths.pods;
  const isSimulated = options.isSimulated === true;
  if (!isSimulated) await host.files.makeDirectory(rootDirectory, { mode: 0o750 });
  const disk = await host.facts.diskUsage(rootDirectory);
  const capacity = nodeCapacity(machine, {
    diskBytes: disk.totalBytes,
    podsMax: options.podsMax,
    ...(options.extraResources === undefined ? {} : { extra: options.extraResources }),
  });
  const { runtimeName, runtimeVersion } = await runtime.version();
  // One family unless both are asked for: a second address would make pods dual-stack halfway.
  const hostIps = options.nodeIps ?? machine.addresses.slice(0, 1);
  const objects = new WatchedObjects({ client, executor, log, onChange: wake, withServices: !isSimulated });
  const volumes = deps.volumes?.(objects);
  const watch = new RuntimeWatch({ runtime, executor, log, onChange: wake });
  const services: PodServices = {
    clock,
    random,
    executor,
    log,
    host,
    runtime,
    runtimeName,
    events,
    images: new Images({ runtime, clock, events }),
    probes: new Probes({
      clock,
      executor,
      runtime,
      transport,
      events,
      onChange: wake,
      nodeIp: hostIps[0] ?? '127.0.0.1',
    }),
    transport,
    objects,
    status: new StatusWriter({ client, executor, log }),
    crashBackOff: new BackOff(CRASH_BACK_OFF),
    ...(volumes === undefined ? {} : { volumes }),
    node: {
      name: options.identity.name,
      hostIps,
      allocatable: capacity.forPods,
      memoryBytes: machine.memoryBytes,
    },
    paths: options.paths,
    dns: {
      clusterDns: options.clusterDns,
      clusterDomain: options.clusterDomain,
      nodeResolvConf: machine.resolvConf,
    },
    cgroupRoot: options.cgroupRoot,
    deletePod: (pod) => deletePod(client, pod),
    onActed: () => watch.hurry(),
    ...(deps.readiness === undefined ? {} : { readiness: deps.readiness }),
  };
  const nodeName = options.identity.name;
  const agent = new NodeAgent({
    client,
    executor,
    log,
    host,
    runtime,
    runtimeVersion: `${runtimeName}://${runtimeVersion}`,
    events,
    identity: options.identity,
    machine,
    addresses: hostIps,
    capacity,
    port: options.port,
    rootDirectory,
    onPodCidr: (podCidr) => runtime.updatePodCidr(podCidr),
  });
  return {
    services,
    set: new PodSet({ services, capacity, agent, operatingSystem: machine.operatingSystem }),
    agent,
    lease: new NodeLease({ client, executor, log, nodeName }, () => agent.node),
    watch,
    source: deps.pods ?? new WatchedPods({ client, executor, log, nodeName }),
    stopObjects: () => objects.stop(),
  };
}

async function deletePod(client: Client, pod: Pod): Promise<void> {
  const name = { namespace: podNamespace(pod), name: podName(pod) };
  try {
    await client.delete(PODS, name, { gracePeriodSeconds: 0, preconditions: { uid: podUid(pod) } });
  } catch (error) {
    // Gone already, or another pod has its name by now: either way it is not ours to delete any more.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
