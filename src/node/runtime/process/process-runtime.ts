import { existsSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Random } from '#machinery/random/random.ts';

import { ImageStore } from '../../image/image-store.ts';
import {
  type Container,
  type ContainerConfig,
  type ContainerRuntime,
  type ContainerStats,
  type ContainerStatus,
  type ExecOptions,
  type ExecSession,
  type ExecSyncResult,
  type LinuxContainerResources,
  type PodSandbox,
  type PodSandboxConfig,
  type PodSandboxStatus,
  RuntimeError,
  type RuntimeEvent,
} from '../contract.ts';
import { hasLabels, LocalRuntime, newRuntimeId } from '../local-runtime.ts';
import { applyLimits, canUseCgroups, createCgroup, removeCgroup } from './cgroup.ts';
import { containerProcess } from './container-process.ts';
import { ContainerProcesses } from './container-processes.ts';
import { EventHub } from './event-hub.ts';
import { ProcessImages } from './image-service.ts';
import { describeIsolation, type Isolation, probeIsolation } from './isolation.ts';
import { connectToPod } from './pod-connection.ts';
import { LoopbackNetwork, type PodNetwork } from './pod-network.ts';
import { makeRootfs, prepareLaunch } from './prepare-container.ts';
import { type ExecPlace, execSession, execToEnd } from './process-exec.ts';
import { type ContainerRecord, Records, type SandboxRecord } from './records.ts';
import { attachSession } from './sessions.ts';
import { SupervisorClient } from './supervisor/supervisor-client.ts';
import * as views from './views.ts';

export interface ProcessRuntimeOptions {
  /** State and containers' files. */
  readonly directory: string;
  /** Default: `images` in `directory`. */
  readonly imagesDirectory?: string;
  /** The host's PATH. */
  readonly path: string;
  /** Default: pods share the host's network. */
  readonly network?: PodNetwork;
  /** Overrides what the probe finds; for tests. */
  readonly isolation?: Isolation;
  /** How the supervisor's process is started; see `SupervisorOptions`. */
  readonly supervisorCommand?: readonly string[];
}

export interface ProcessRuntimeDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Runs containers as processes of the host, for machines without a container runtime or without root. What it
 * isolates depends on what the host allows: ask `isolationNotes`. Processes, logs and exit codes outlive the agent; the
 * next `open` on the same directory adopts them.
 */
export class ProcessRuntime extends LocalRuntime implements ContainerRuntime {
  readonly images: ImageStore;
  readonly #options: ProcessRuntimeOptions;
  readonly #deps: ProcessRuntimeDeps;
  readonly #records: Records;
  readonly #isolation: Isolation;
  readonly #network: PodNetwork;
  readonly #supervisor: SupervisorClient;
  readonly #hasCgroups: boolean;
  readonly #hub = new EventHub();
  readonly #sandboxes = new Map<string, SandboxRecord>();
  readonly #containers = new Map<string, ContainerRecord>();
  readonly #processes: ContainerProcesses;

  private constructor(init: { options: ProcessRuntimeOptions; deps: ProcessRuntimeDeps; isolation: Isolation }) {
    const { options, deps } = init;
    const images = new ImageStore(options.imagesDirectory ?? join(options.directory, 'images'));
    super(new ProcessImages(images));
    this.images = images;
    this.#options = options;
    this.#deps = deps;
    this.#isolation = init.isolation;
    this.#records = new Records(options.directory);
    this.#network = options.network ?? new LoopbackNetwork({ random: deps.random });
    this.#hasCgroups = canUseCgroups();
    this.#supervisor = new SupervisorClient(
      {
        directory: options.directory,
        environment: { PATH: options.path },
        ...(options.supervisorCommand === undefined ? {} : { command: options.supervisorCommand }),
      },
      deps,
    );
    this.#processes = new ContainerProcesses({
      ...deps,
      records: this.#records,
      supervisor: this.#supervisor,
      events: this.#hub,
      containers: this.#containers,
      announce: (type, record) => this.#announce(type, record),
    });
  }

  /** Finds out what the host allows and takes over what an earlier agent left running. */
  static async open(options: ProcessRuntimeOptions, deps: ProcessRuntimeDeps): Promise<ProcessRuntime> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    const isolation = options.isolation ?? (await probeIsolation(options.directory, options.path));
    const runtime = new ProcessRuntime({ options, deps, isolation });
    await runtime.#adopt();
    return runtime;
  }

  /** What a container is not kept apart from, for one line of `tiphys up`. */
  isolationNotes(): string[] {
    return describeIsolation(this.#isolation, {
      hasPodNetwork: this.#network.isIsolated,
      hasCgroups: this.#hasCgroups,
    });
  }

  version(): Promise<{ runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }> {
    return Promise.resolve({ runtimeName: 'process', runtimeVersion: '0.1.0', runtimeApiVersion: 'v1' });
  }

  updatePodCidr(): Promise<void> {
    return Promise.resolve();
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    const id = newRuntimeId(this.#deps.random);
    const isHostNetwork = config.linux.securityContext.namespaceOptions.network === 'NODE';
    const address = isHostNetwork ? { ip: '', additionalIps: [] } : await this.#network.attach(id, config.metadata);
    const record: SandboxRecord = { id, config, createdAtMs: this.#deps.clock.now(), address, isStopped: false };
    this.#records.saveSandbox(record);
    if (config.dnsConfig !== undefined) {
      writeFileSync(join(this.#records.sandboxFolder(id), 'resolv.conf'), renderResolvConf(config.dnsConfig), {
        mode: 0o644,
      });
    }
    this.#sandboxes.set(id, record);
    return id;
  }

  async stopPodSandbox(sandboxId: string): Promise<void> {
    const record = this.#sandboxes.get(sandboxId);
    if (record === undefined) return;
    const running = [...this.#containers.values()].filter((container) => container.sandboxId === sandboxId);
    await Promise.all(running.map(({ id }) => this.stopContainer(id, { timeoutSeconds: 0 })));
    await this.#network.detach(sandboxId);
    const stopped = { ...record, isStopped: true };
    this.#records.saveSandbox(stopped);
    this.#sandboxes.set(sandboxId, stopped);
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    const record = this.#sandboxes.get(sandboxId);
    if (record === undefined) return;
    await this.stopPodSandbox(sandboxId);
    for (const container of this.#containers.values()) {
      if (container.sandboxId === sandboxId) await this.removeContainer(container.id);
    }
    this.#sandboxes.delete(sandboxId);
    await this.#records.removeSandbox(sandboxId);
  }

  podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus | undefined> {
    const record = this.#sandboxes.get(sandboxId);
    return Promise.resolve(record === undefined ? undefined : views.sandboxStatusView(record, sandboxState(record)));
  }

  listPodSandboxes(filter: { labels?: Record<string, string> } = {}): Promise<PodSandbox[]> {
    const records = [...this.#sandboxes.values()].filter(({ config }) => hasLabels(config.labels, filter.labels));
    return Promise.resolve(records.map((record) => views.sandboxView(record, sandboxState(record))));
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string> {
    if (!this.#sandboxes.has(sandboxId)) throw notFound('sandbox', sandboxId);
    const image = await this.images.find(config.image.image);
    if (image === undefined)
      throw new RuntimeError('NotFound', `image ${JSON.stringify(config.image.image)}: not found`);
    const id = newRuntimeId(this.#deps.random);
    const run = containerProcess(config, image, sandbox);
    const folder = this.#records.containerFolder(id);
    await mkdir(folder, { mode: 0o711 });
    await makeRootfs(folder, image.rootfs, this.#isolation);
    const parent = sandbox.linux.cgroupParent === '' ? '/tiphys' : sandbox.linux.cgroupParent;
    const record: ContainerRecord = {
      id,
      sandboxId,
      createdAtMs: this.#deps.clock.now(),
      config,
      imageId: image.id,
      imageName: image.names[0] ?? image.id,
      lower: image.rootfs,
      logPath: join(sandbox.logDirectory, config.logPath),
      ...run,
      ...(this.#hasCgroups ? { cgroup: createCgroup(parent, id, config.linux.resources) } : {}),
    };
    this.#records.saveContainer(record);
    this.#containers.set(id, record);
    this.#announce('created', record);
    return id;
  }

  async startContainer(containerId: string): Promise<void> {
    const record = this.#container(containerId);
    const sandbox = this.#sandboxes.get(record.sandboxId);
    if (sandbox === undefined) throw notFound('sandbox', record.sandboxId);
    if (views.stateOf(this.#processes.progress(containerId)) !== 'CREATED') {
      throw new RuntimeError('FailedPrecondition', `container ${containerId} was started before`);
    }
    const resolvConf = join(this.#records.sandboxFolder(sandbox.id), 'resolv.conf');
    const launch = {
      record,
      sandbox,
      isolation: this.#isolation,
      folder: this.#records.containerFolder(containerId),
      hostPath: this.#options.path,
      ...(existsSync(resolvConf) ? { resolvConf } : {}),
    };
    await this.#processes.start(record, () => prepareLaunch(launch));
  }

  async stopContainer(containerId: string, options: { timeoutSeconds: number }): Promise<void> {
    const record = this.#containers.get(containerId);
    if (record !== undefined) await this.#processes.stop(record, options);
  }

  async removeContainer(containerId: string): Promise<void> {
    const record = this.#containers.get(containerId);
    if (record === undefined) return;
    await this.stopContainer(containerId, { timeoutSeconds: 0 });
    this.#containers.delete(containerId);
    await this.#records.removeContainer(containerId);
    if (record.cgroup !== undefined) await removeCgroup(record.cgroup, this.#deps);
    this.#announce('deleted', record);
  }

  containerStatus(containerId: string): Promise<ContainerStatus | undefined> {
    const record = this.#containers.get(containerId);
    return Promise.resolve(
      record === undefined ? undefined : views.containerStatusView(record, this.#processes.progress(containerId)),
    );
  }

  listContainers(filter: { labels?: Record<string, string>; sandboxId?: string } = {}): Promise<Container[]> {
    const records = [...this.#containers.values()].filter(
      (record) =>
        hasLabels(record.config.labels, filter.labels) &&
        (filter.sandboxId === undefined || record.sandboxId === filter.sandboxId),
    );
    return Promise.resolve(records.map((record) => views.containerView(record, this.#processes.progress(record.id))));
  }

  updateContainerResources(containerId: string, resources: LinuxContainerResources): Promise<void> {
    const { cgroup } = this.#container(containerId);
    if (cgroup !== undefined) applyLimits(cgroup, resources);
    return Promise.resolve();
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    const { logPath } = this.#container(containerId);
    await this.#supervisor.request({ op: 'reopen', id: containerId, logPath });
  }

  containerStats(filter: { labels?: Record<string, string> } = {}): Promise<ContainerStats[]> {
    const nowMs = this.#deps.clock.now();
    const stats = [...this.#containers.values()]
      .filter(({ config }) => hasLabels(config.labels, filter.labels))
      .flatMap((record) => {
        const progress = this.#processes.progress(record.id);
        if (progress.pid === undefined || progress.exit !== undefined) return [];
        return [views.statsView(record, progress.pid.pid, nowMs)];
      });
    return Promise.resolve(stats);
  }

  async execSync(
    containerId: string,
    command: readonly string[],
    options: { timeoutMs: number },
  ): Promise<ExecSyncResult> {
    return await execToEnd(this.#execPlace(containerId), command, { ...options, clock: this.#deps.clock });
  }

  exec(containerId: string, options: ExecOptions): Promise<ExecSession> {
    return Promise.resolve().then(() => execSession(this.#execPlace(containerId), options));
  }

  async attach(containerId: string, options: Omit<ExecOptions, 'command'>): Promise<ExecSession> {
    this.#container(containerId);
    return await attachSession(this.#supervisor, containerId, options);
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const record = this.#sandboxes.get(sandboxId);
    if (record === undefined) throw notFound('sandbox', sandboxId);
    return await connectToPod(record.address, port, this.#options.path);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#hub.subscribe(signal);
  }

  /** Leaves containers running, for the next `open`. */
  async close(): Promise<void> {
    await this.#processes.close();
  }

  /** Removes all pods and ends the supervisor: nothing stays but images. */
  async removeAll(): Promise<void> {
    await Promise.all([...this.#sandboxes.keys()].map((id) => this.removePodSandbox(id)));
    await this.close();
    await this.#supervisor.shutdown();
  }

  async #adopt(): Promise<void> {
    const { sandboxes, containers } = await this.#records.load();
    for (const record of sandboxes) {
      this.#sandboxes.set(record.id, record);
      if (this.#network instanceof LoopbackNetwork && !record.isStopped)
        this.#network.adopt(record.id, record.address.ip);
    }
    for (const record of containers) this.#containers.set(record.id, record);
    await this.#processes.adopt();
  }

  #execPlace(containerId: string): ExecPlace {
    const record = this.#container(containerId);
    const mainPid = this.#records.mainPid(containerId);
    if (mainPid === undefined || views.stateOf(this.#processes.progress(containerId)) !== 'RUNNING') {
      throw new RuntimeError('Unknown', `container ${containerId} is not running`);
    }
    const folder = this.#records.containerFolder(containerId);
    const hasOwnNetwork = this.#sandboxes.get(record.sandboxId)?.address.networkNamespace !== undefined;
    return { record, isolation: this.#isolation, folder, mainPid, hostPath: this.#options.path, hasOwnNetwork };
  }

  #announce(type: RuntimeEvent['type'], record: ContainerRecord): void {
    const podUid = this.#sandboxes.get(record.sandboxId)?.config.metadata.uid ?? '';
    this.#hub.publish({ type, containerId: record.id, sandboxId: record.sandboxId, podUid });
  }

  #container(containerId: string): ContainerRecord {
    const record = this.#containers.get(containerId);
    if (record === undefined) throw notFound('container', containerId);
    return record;
  }
}

/** After a reboot the sandbox's network namespace is gone. */
function sandboxState(record: SandboxRecord): 'READY' | 'NOTREADY' {
  const { networkNamespace } = record.address;
  const isGone = networkNamespace !== undefined && !existsSync(networkNamespace);
  return record.isStopped || isGone ? 'NOTREADY' : 'READY';
}

function renderResolvConf(dns: NonNullable<PodSandboxConfig['dnsConfig']>): string {
  const lines = dns.servers.map((server) => `nameserver ${server}`);
  if (dns.searches.length > 0) lines.unshift(`search ${dns.searches.join(' ')}`);
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

function notFound(what: string, id: string): RuntimeError {
  return new RuntimeError('NotFound', `an error occurred when try to find ${what} ${JSON.stringify(id)}: not found`);
}
