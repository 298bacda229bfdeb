import { existsSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Random } from '#machinery/random/random.ts';

import { ImageError } from '../../image/errors.ts';
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
  type Image,
  type LinuxContainerResources,
  type PodSandbox,
  type PodSandboxConfig,
  type PodSandboxStatus,
  type PullOptions,
  RuntimeError,
  type RuntimeEvent,
  type RuntimeStatus,
} from '../contract.ts';
import { isSameProcessAlive, readText, signalProcess } from '../linux-process.ts';
import { applyLimits, canUseCgroups, type ContainerCgroup, createCgroup, removeCgroup } from './cgroup.ts';
import { containerProcess } from './container-process.ts';
import { EventHub } from './event-hub.ts';
import { describeIsolation, type Isolation, probeIsolation } from './isolation.ts';
import { isLaunching } from './launch-script.ts';
import { connectToPod } from './pod-connection.ts';
import { LoopbackNetwork, type PodNetwork } from './pod-network.ts';
import { makeRootfs, prepareLaunch } from './prepare-container.ts';
import { type ExecPlace, execSession, execToEnd } from './process-exec.ts';
import { killTree } from './process-tree.ts';
import { type ContainerRecord, Records, type SandboxRecord } from './records.ts';
import { attachSession } from './sessions.ts';
import type { ExitRecord } from './supervisor/protocol.ts';
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

// Mounting a file system and a few volumes takes some ten milliseconds.
const START_TIMEOUT_MS = 10_000;
const START_POLL_MS = 3;
const STOP_POLL_MIN_MS = 5;
const STOP_POLL_MAX_MS = 100;
// Half a second for killed processes to be reaped.
const CGROUP_ATTEMPTS_MAX = 100;
// A killed process that the kernel does not let go (a dead network disk) must not hold up the kubelet for ever.
const KILL_TIMEOUT_MS = 10_000;

/**
 * Runs containers as processes of the host, for machines without a container runtime or without root. What it
 * isolates depends on what the host allows: ask `isolationNotes`. Processes, logs and exit codes outlive the agent; the
 * next `open` on the same directory adopts them.
 */
export class ProcessRuntime implements ContainerRuntime {
  readonly images: ImageStore;
  readonly #options: ProcessRuntimeOptions;
  readonly #deps: ProcessRuntimeDeps;
  readonly #records: Records;
  readonly #isolation: Isolation;
  readonly #network: PodNetwork;
  readonly #supervisor: SupervisorClient;
  readonly #hasCgroups: boolean;
  readonly #hub = new EventHub();
  readonly #closing = new AbortController();
  readonly #sandboxes = new Map<string, SandboxRecord>();
  readonly #containers = new Map<string, ContainerRecord>();
  #watching: Promise<void> | undefined;

  private constructor(init: { options: ProcessRuntimeOptions; deps: ProcessRuntimeDeps; isolation: Isolation }) {
    const { options, deps } = init;
    this.#options = options;
    this.#deps = deps;
    this.#isolation = init.isolation;
    this.#records = new Records(options.directory);
    this.images = new ImageStore(options.imagesDirectory ?? join(options.directory, 'images'));
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

  status(): Promise<RuntimeStatus> {
    const condition = (type: string): RuntimeStatus['conditions'][number] => ({
      type,
      status: true,
      reason: '',
      message: '',
    });
    return Promise.resolve({ conditions: [condition('RuntimeReady'), condition('NetworkReady')] });
  }

  updatePodCidr(): Promise<void> {
    return Promise.resolve();
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    const id = this.#newId();
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
    const records = [...this.#sandboxes.values()].filter(({ config }) => views.hasLabels(config.labels, filter.labels));
    return Promise.resolve(records.map((record) => views.sandboxView(record, sandboxState(record))));
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string> {
    if (!this.#sandboxes.has(sandboxId)) throw notFound('sandbox', sandboxId);
    const image = await this.images.find(config.image.image);
    if (image === undefined)
      throw new RuntimeError('NotFound', `image ${JSON.stringify(config.image.image)}: not found`);
    const id = this.#newId();
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
    if (views.stateOf(this.#progress(containerId)) !== 'CREATED') {
      throw new RuntimeError('FailedPrecondition', `container ${containerId} was started before`);
    }
    const resolvConf = join(this.#records.sandboxFolder(sandbox.id), 'resolv.conf');
    try {
      const spec = await prepareLaunch({
        record,
        sandbox,
        isolation: this.#isolation,
        folder: this.#records.containerFolder(containerId),
        hostPath: this.#options.path,
        ...(existsSync(resolvConf) ? { resolvConf } : {}),
      });
      await this.#supervisor.ensureRunning(() => this.#endUnsupervised());
      this.#watchSupervisor();
      this.#announce('started', record);
      await this.#supervisor.request({ op: 'start', spec });
      await this.#awaitEntered(containerId);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#saveExit(containerId, { exitCode: 128, reason: 'StartError', message });
      this.#announce('stopped', record);
      throw error;
    }
  }

  async stopContainer(containerId: string, options: { timeoutSeconds: number }): Promise<void> {
    const record = this.#containers.get(containerId);
    const pid = this.#records.pid(containerId);
    if (record === undefined || pid === undefined || this.#records.exit(containerId) !== undefined) return;
    if (options.timeoutSeconds > 0) {
      signalProcess(this.#records.mainPid(containerId) ?? pid.pid, record.stopSignal);
      if (await this.#awaitExit(containerId, options.timeoutSeconds * 1000)) return;
    }
    if (isSameProcessAlive(pid)) killTree(pid.pid);
    if (!(await this.#supervisor.isRunning())) this.#endUnsupervised();
    if (await this.#awaitExit(containerId, KILL_TIMEOUT_MS)) return;
    throw new RuntimeError('DeadlineExceeded', `container ${containerId} does not end`);
  }

  async removeContainer(containerId: string): Promise<void> {
    const record = this.#containers.get(containerId);
    if (record === undefined) return;
    await this.stopContainer(containerId, { timeoutSeconds: 0 });
    this.#containers.delete(containerId);
    await this.#records.removeContainer(containerId);
    if (record.cgroup !== undefined) await this.#removeCgroup(record.cgroup);
    this.#announce('deleted', record);
  }

  containerStatus(containerId: string): Promise<ContainerStatus | undefined> {
    const record = this.#containers.get(containerId);
    return Promise.resolve(
      record === undefined ? undefined : views.containerStatusView(record, this.#progress(containerId)),
    );
  }

  listContainers(filter: { labels?: Record<string, string>; sandboxId?: string } = {}): Promise<Container[]> {
    const records = [...this.#containers.values()].filter(
      (record) =>
        views.hasLabels(record.config.labels, filter.labels) &&
        (filter.sandboxId === undefined || record.sandboxId === filter.sandboxId),
    );
    return Promise.resolve(records.map((record) => views.containerView(record, this.#progress(record.id))));
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
      .filter(({ config }) => views.hasLabels(config.labels, filter.labels))
      .flatMap((record) => {
        const progress = this.#progress(record.id);
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

  async imageStatus(image: string): Promise<Image | undefined> {
    const found = await this.images.find(image);
    return found === undefined ? undefined : views.imageView(found);
  }

  async listImages(): Promise<Image[]> {
    return (await this.images.list()).map(views.imageView);
  }

  async pullImage(image: string, options: PullOptions): Promise<string> {
    try {
      return await this.images.pull(image, options.auth === undefined ? {} : { auth: options.auth });
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      throw new RuntimeError(error.code === 'not-found' ? 'NotFound' : 'Unknown', error.message, { cause: error });
    }
  }

  async removeImage(imageId: string): Promise<void> {
    await this.images.remove(imageId);
  }

  async imageFsInfo(): Promise<{ mountpoint: string; usedBytes: number; inodesUsed: number }[]> {
    const usedBytes = (await this.images.list()).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return [{ mountpoint: this.images.directory, usedBytes, inodesUsed: 0 }];
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#hub.subscribe(signal);
  }

  /** Leaves containers running, for the next `open`. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
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
    if (await this.#supervisor.isRunning()) this.#watchSupervisor();
    else this.#endUnsupervised();
  }

  /** Without a supervisor nobody keeps the logs or will see the exit: what still runs is ended. */
  #endUnsupervised(): void {
    for (const record of this.#containers.values()) {
      const { pid, exit } = this.#progress(record.id);
      if (pid === undefined || exit !== undefined) continue;
      const isAlive = isSameProcessAlive(pid);
      if (isAlive) killTree(pid.pid);
      const message = isAlive ? 'killed because its supervisor was lost' : '';
      this.#saveExit(record.id, { exitCode: isAlive ? 137 : 255, reason: isAlive ? 'Error' : 'Unknown', message });
      this.#announce('stopped', record);
    }
  }

  #watchSupervisor(): void {
    this.#watching ??= this.#followSupervisor().finally(() => {
      this.#watching = undefined;
    });
  }

  async #followSupervisor(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        for await (const event of this.#supervisor.watch(signal)) this.#hub.publish(event);
      } catch (error) {
        this.#deps.log.warn('lost the supervisor', { error: String(error) });
      }
      if (signal.aborted) return;
      if (!(await this.#supervisor.isRunning())) {
        this.#endUnsupervised();
        return;
      }
      // A dying process may still accept: asked again, it tells.
      await this.#deps.clock.sleep(START_POLL_MS);
    }
  }

  #execPlace(containerId: string): ExecPlace {
    const record = this.#container(containerId);
    const mainPid = this.#records.mainPid(containerId);
    if (mainPid === undefined || views.stateOf(this.#progress(containerId)) !== 'RUNNING') {
      throw new RuntimeError('Unknown', `container ${containerId} is not running`);
    }
    const folder = this.#records.containerFolder(containerId);
    const hasOwnNetwork = this.#sandboxes.get(record.sandboxId)?.address.networkNamespace !== undefined;
    return { record, isolation: this.#isolation, folder, mainPid, hostPath: this.#options.path, hasOwnNetwork };
  }

  async #awaitExit(containerId: string, timeoutMs: number): Promise<boolean> {
    const deadline = this.#deps.clock.monotonic() + timeoutMs;
    let delayMs = STOP_POLL_MIN_MS;
    while (this.#records.exit(containerId) === undefined) {
      const leftMs = deadline - this.#deps.clock.monotonic();
      if (leftMs <= 0) return false;
      await this.#deps.clock.sleep(Math.min(delayMs, leftMs));
      delayMs = Math.min(STOP_POLL_MAX_MS, delayMs * 2);
    }
    return true;
  }

  /** An exec before this would find the namespaces half made. */
  async #awaitEntered(containerId: string): Promise<void> {
    const deadline = this.#deps.clock.monotonic() + START_TIMEOUT_MS;
    const inside = join(this.#records.containerFolder(containerId), 'inside.sh');
    while (this.#records.exit(containerId) === undefined && this.#deps.clock.monotonic() < deadline) {
      const pid = this.#records.mainPid(containerId);
      const commandLine = pid === undefined ? undefined : readText(`/proc/${pid}/cmdline`)?.split('\0');
      const hasProc = process.platform === 'linux';
      if (pid !== undefined && (!hasProc || (commandLine !== undefined && !isLaunching(commandLine, inside)))) return;
      await this.#deps.clock.sleep(START_POLL_MS);
    }
  }

  async #removeCgroup(cgroup: ContainerCgroup): Promise<void> {
    for (let attempt = 0; !removeCgroup(cgroup); attempt += 1) {
      if (attempt >= CGROUP_ATTEMPTS_MAX) {
        this.#deps.log.warn('a cgroup stays behind', { folders: Object.values(cgroup.folders) });
        return;
      }
      await this.#deps.clock.sleep(STOP_POLL_MIN_MS);
    }
  }

  #saveExit(containerId: string, exit: Omit<ExitRecord, 'finishedAtMs'>): void {
    this.#records.saveExit(containerId, { ...exit, finishedAtMs: this.#deps.clock.now() });
  }

  #announce(type: RuntimeEvent['type'], record: ContainerRecord): void {
    const podUid = this.#sandboxes.get(record.sandboxId)?.config.metadata.uid ?? '';
    this.#hub.publish({ type, containerId: record.id, sandboxId: record.sandboxId, podUid });
  }

  #progress(containerId: string): views.Progress {
    return { pid: this.#records.pid(containerId), exit: this.#records.exit(containerId) };
  }

  #container(containerId: string): ContainerRecord {
    const record = this.#containers.get(containerId);
    if (record === undefined) throw notFound('container', containerId);
    return record;
  }

  #newId(): string {
    return Buffer.from(this.#deps.random.bytes(32)).toString('hex');
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
