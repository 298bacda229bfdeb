import type { Duplex } from 'node:stream';
import type { Timer } from '#machinery/clock/clock.ts';
import type { Executor } from '#machinery/executor/executor.ts';
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
import { LocalRuntime, newRuntimeId } from '../local-runtime.ts';
import { AddressPool } from './address-pool.ts';
import { type Behaviour, behaviourOf } from './behaviour.ts';
import { EventStream } from './event-stream.ts';
import { SimulatedImages } from './images.ts';
import { type ContainerEntry, PodBooks, UID_LABEL } from './pod-books.ts';
import { textSession } from './sessions.ts';

/** Answers where a test wants a container to say something; what it leaves out has a dull default. */
export interface SimulatedAnswers {
  exec?(container: ContainerStatus, command: readonly string[]): ExecAnswer | undefined;
  portForward?(sandbox: PodSandboxStatus, port: number): Duplex | undefined;
  stats?(container: ContainerStatus): { cpuUsageCoreNanoSeconds: number; memoryBytes: number } | undefined;
}

export interface ExecAnswer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exitCode?: number;
}

interface Entry extends ContainerEntry {
  behaviour: Behaviour;
  exitTimer: Timer | undefined;
  /** Resolved when the container has ended. */
  ended: PromiseWithResolvers<void>;
  log: string[];
}

export interface SimulatedRuntimeOptions {
  readonly executor: Executor;
  /** Absent: pods get addresses once the node has been given its range. */
  readonly podCidr?: string;
  readonly answers?: SimulatedAnswers;
}

/** Exit code of a process that was killed, and of one that obeyed the stop signal. */
const KILLED = 137;
const TERMINATED = 143;

/**
 * A container runtime that only keeps books: containers are records with times, images are always there. It runs by the
 * clock and the events of its own, costs a few kilobytes a pod, and does the same on each run.
 */
export class SimulatedRuntime extends LocalRuntime implements ContainerRuntime {
  readonly #executor: Executor;
  readonly #answers: SimulatedAnswers;
  readonly #events = new EventStream<RuntimeEvent>();
  readonly #books = new PodBooks<Entry>();
  #podCidr: string | undefined;
  #addresses: AddressPool | undefined;

  constructor(options: SimulatedRuntimeOptions) {
    super(new SimulatedImages());
    this.#executor = options.executor;
    this.#answers = options.answers ?? {};
    if (options.podCidr !== undefined) this.#useCidr(options.podCidr);
  }

  async version() {
    return { runtimeName: 'simulated', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' };
  }

  async updatePodCidr(podCidr: string): Promise<void> {
    if (podCidr !== this.#podCidr) this.#useCidr(podCidr);
  }

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    const isHost = config.linux.securityContext.namespaceOptions.network === 'NODE';
    const ip = isHost ? undefined : this.#addresses?.take();
    if (!isHost && ip === undefined) {
      const why =
        this.#addresses === undefined ? 'the node has no pod range yet' : 'no address is left in the pod range';
      throw new RuntimeError('Unavailable', `failed to setup network for sandbox: ${why}`);
    }
    const id = newRuntimeId(this.#executor.random);
    const { metadata, labels, annotations } = config;
    const status: PodSandboxStatus = {
      id,
      metadata,
      state: 'READY',
      createdAtMs: this.#executor.clock.now(),
      labels,
      annotations,
      ...(ip === undefined ? {} : { ip }),
      additionalIps: [],
    };
    this.#books.addSandbox({ status, config });
    this.#emit('started', { containerId: id, sandboxId: id, podUid: metadata.uid });
    return id;
  }

  async stopPodSandbox(sandboxId: string): Promise<void> {
    const sandbox = this.#books.sandbox(sandboxId);
    if (sandbox === undefined || sandbox.status.state !== 'READY') return;
    for (const entry of this.#books.containersIn(sandboxId)) this.#end(entry, { exitCode: KILLED });
    if (sandbox.status.ip !== undefined) this.#addresses?.free(sandbox.status.ip);
    sandbox.status = { ...sandbox.status, state: 'NOTREADY' };
    this.#emit('stopped', { containerId: sandboxId, sandboxId, podUid: sandbox.status.metadata.uid });
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    const sandbox = this.#books.sandbox(sandboxId);
    if (sandbox === undefined) return;
    await this.stopPodSandbox(sandboxId);
    for (const entry of this.#books.containersIn(sandboxId)) await this.removeContainer(entry.status.id);
    this.#books.removeSandbox(sandbox);
    this.#emit('deleted', { containerId: sandboxId, sandboxId, podUid: sandbox.status.metadata.uid });
  }

  async podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus | undefined> {
    return this.#books.sandbox(sandboxId)?.status;
  }

  async listPodSandboxes(filter: { labels?: Record<string, string> } = {}): Promise<PodSandbox[]> {
    return this.#books.sandboxes(filter.labels).map(({ status }) => status);
  }

  async createContainer(sandboxId: string, config: ContainerConfig, _sandbox: PodSandboxConfig): Promise<string> {
    const sandbox = this.#books.sandbox(sandboxId);
    if (sandbox?.status.state !== 'READY') {
      throw new RuntimeError('NotFound', `sandbox ${sandboxId} is not running`);
    }
    const behaviour = behaviourOf(sandbox.config.annotations, config.metadata.name);
    if (behaviour.createError !== undefined) throw new RuntimeError('Unknown', behaviour.createError);
    const id = newRuntimeId(this.#executor.random);
    const status: ContainerStatus = {
      id,
      podSandboxId: sandboxId,
      metadata: config.metadata,
      image: config.image.userSpecifiedImage,
      imageRef: config.image.image,
      state: 'CREATED',
      createdAtMs: this.#executor.clock.now(),
      labels: config.labels,
      annotations: config.annotations,
      startedAtMs: 0,
      finishedAtMs: 0,
      exitCode: 0,
      reason: '',
      message: '',
      mounts: config.mounts,
      logPath: `${sandbox.config.logDirectory}/${config.logPath}`,
    };
    const ended = Promise.withResolvers<void>();
    this.#books.addContainer({ status, sandboxId, behaviour, exitTimer: undefined, ended, log: [] });
    this.#emitOf(status, 'created');
    return id;
  }

  async startContainer(containerId: string): Promise<void> {
    const entry = this.#entry(containerId);
    const { behaviour } = entry;
    if (behaviour.startDelayMs > 0) await this.#executor.clock.sleep(behaviour.startDelayMs);
    if (entry.status.state !== 'CREATED') {
      throw new RuntimeError('FailedPrecondition', `container ${containerId} is in state ${entry.status.state}`);
    }
    if (behaviour.startError !== undefined) {
      this.#end(entry, { exitCode: 128, reason: 'StartError', message: behaviour.startError });
      throw new RuntimeError('Unknown', behaviour.startError);
    }
    entry.status = { ...entry.status, state: 'RUNNING', startedAtMs: this.#executor.clock.now() };
    if (behaviour.logText !== undefined) this.writeLog(containerId, behaviour.logText);
    if (behaviour.exitAfterMs !== undefined) {
      entry.exitTimer = this.#executor.clock.setTimeout(() => this.#endByItself(entry), behaviour.exitAfterMs, {
        unref: true,
      });
    }
    this.#emitOf(entry.status, 'started');
    if (behaviour.readyAfterMs === 0) return;
    // Becoming ready changes no state, but somebody has to look.
    const { status } = entry;
    const { clock } = this.#executor;
    clock.setTimeout(() => this.#emitOf(status, 'started'), behaviour.readyAfterMs, { unref: true });
  }

  async stopContainer(containerId: string, options: { timeoutSeconds: number }): Promise<void> {
    const entry = this.#books.container(containerId);
    if (entry === undefined || entry.status.state === 'EXITED') return;
    const { stopDelayMs } = entry.behaviour;
    const isKilled = stopDelayMs > options.timeoutSeconds * 1000;
    const waitMs = Math.min(stopDelayMs, options.timeoutSeconds * 1000);
    // An obedient container is given an exit code that says that it was told to end.
    const end = () => this.#end(entry, { exitCode: isKilled ? KILLED : TERMINATED });
    if (waitMs === 0) end();
    else this.#executor.clock.setTimeout(end, waitMs, { unref: true });
    await entry.ended.promise;
  }

  async removeContainer(containerId: string): Promise<void> {
    const entry = this.#books.container(containerId);
    if (entry === undefined) return;
    this.#end(entry, { exitCode: KILLED });
    this.#books.removeContainer(entry);
    this.#emitOf(entry.status, 'deleted');
  }

  async containerStatus(containerId: string): Promise<ContainerStatus | undefined> {
    return this.#books.container(containerId)?.status;
  }

  async listContainers(filter: { labels?: Record<string, string>; sandboxId?: string } = {}): Promise<Container[]> {
    const found = this.#books.containers(filter.labels);
    const wanted = filter.sandboxId;
    return found.filter((one) => wanted === undefined || one.sandboxId === wanted).map(({ status }) => status);
  }

  async updateContainerResources(_containerId: string, _resources: LinuxContainerResources): Promise<void> {}

  async reopenContainerLog(_containerId: string): Promise<void> {}

  async containerStats(filter: { labels?: Record<string, string> } = {}): Promise<ContainerStats[]> {
    return this.#books
      .containers(filter.labels)
      .map(({ status }) => status)
      .filter((one) => one.state === 'RUNNING')
      .map((status) => {
        const usage = this.#answers.stats?.(status) ?? { cpuUsageCoreNanoSeconds: 0, memoryBytes: 0 };
        return {
          containerId: status.id,
          labels: status.labels,
          name: status.metadata.name,
          timestampMs: this.#executor.clock.now(),
          cpuUsageCoreNanoSeconds: usage.cpuUsageCoreNanoSeconds,
          memoryWorkingSetBytes: usage.memoryBytes,
          memoryUsageBytes: usage.memoryBytes,
          writableLayerBytes: 0,
        };
      });
  }

  async execSync(
    containerId: string,
    command: readonly string[],
    _options: { timeoutMs: number },
  ): Promise<ExecSyncResult> {
    const answer = this.#exec(containerId, command);
    return {
      stdout: Buffer.from(answer.stdout ?? ''),
      stderr: Buffer.from(answer.stderr ?? ''),
      exitCode: answer.exitCode ?? 0,
      timedOut: false,
    };
  }

  async exec(containerId: string, options: ExecOptions): Promise<ExecSession> {
    return textSession(this.#exec(containerId, options.command), options);
  }

  async attach(containerId: string, options: Omit<ExecOptions, 'command'>): Promise<ExecSession> {
    const { log } = this.#entry(containerId);
    return textSession({ stdout: log.join('') }, options);
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const sandbox = this.#books.sandbox(sandboxId);
    const answer = sandbox === undefined ? undefined : this.#answers.portForward?.(sandbox.status, port);
    if (answer === undefined) throw new RuntimeError('Unavailable', `connection refused: nothing listens on ${port}`);
    return answer;
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#events.listen(signal);
  }

  async close(): Promise<void> {
    for (const entry of this.#books.containers()) entry.exitTimer?.cancel();
  }

  /** Whether the container would answer a probe now. */
  isAnswering(containerId: string): boolean {
    const entry = this.#books.container(containerId);
    if (entry?.status.state !== 'RUNNING' || !entry.behaviour.isReady) return false;
    return this.#executor.clock.now() - entry.status.startedAtMs >= entry.behaviour.readyAfterMs;
  }

  /** The same of any container behind a pod's address. */
  isAnsweringAt(podIp: string): boolean {
    for (const { status } of this.#books.sandboxes()) {
      if (status.ip !== podIp || status.state !== 'READY') continue;
      const running = this.#books.containersIn(status.id).filter((one) => one.status.state === 'RUNNING');
      return running.length > 0 && running.every((one) => this.isAnswering(one.status.id));
    }
    return false;
  }

  /** Ends a container as if its process had. */
  exit(containerId: string, options: { exitCode: number; reason?: string; message?: string }): void {
    this.#end(this.#entry(containerId), options);
  }

  /** Adds lines to a container's log. */
  writeLog(containerId: string, text: string): void {
    this.#entry(containerId).log.push(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** The whole log of a container; undefined where there is no such container. */
  readLog(containerId: string): string | undefined {
    return this.#books.container(containerId)?.log.join('');
  }

  #exec(containerId: string, command: readonly string[]): ExecAnswer {
    const { status } = this.#entry(containerId);
    if (status.state !== 'RUNNING') throw new RuntimeError('FailedPrecondition', 'container not running');
    const answer = this.#answers.exec?.(status, command);
    if (answer !== undefined) return answer;
    return this.isAnswering(containerId) ? {} : { exitCode: 1, stderr: 'not ready\n' };
  }

  #endByItself(entry: Entry): void {
    const { exitCode, isOomKilled, terminationMessage } = entry.behaviour;
    this.#end(entry, {
      exitCode: isOomKilled ? KILLED : exitCode,
      ...(isOomKilled ? { reason: 'OOMKilled' } : {}),
      ...(terminationMessage === undefined ? {} : { message: terminationMessage }),
    });
  }

  #end(entry: Entry, options: { exitCode: number; reason?: string; message?: string }): void {
    if (entry.status.state === 'EXITED') return;
    entry.exitTimer?.cancel();
    const nowMs = this.#executor.clock.now();
    entry.status = {
      ...entry.status,
      state: 'EXITED',
      startedAtMs: entry.status.startedAtMs === 0 ? nowMs : entry.status.startedAtMs,
      finishedAtMs: nowMs,
      exitCode: options.exitCode,
      reason: options.reason ?? (options.exitCode === 0 ? 'Completed' : 'Error'),
      message: options.message ?? '',
    };
    entry.ended.resolve();
    this.#emitOf(entry.status, 'stopped');
  }

  #entry(containerId: string): Entry {
    const entry = this.#books.container(containerId);
    if (entry === undefined) throw new RuntimeError('NotFound', `container ${containerId} not found`);
    return entry;
  }

  #emitOf(status: ContainerStatus, type: RuntimeEvent['type']): void {
    const podUid = status.labels[UID_LABEL] ?? '';
    this.#emit(type, { containerId: status.id, sandboxId: status.podSandboxId, podUid });
  }

  #emit(type: RuntimeEvent['type'], event: Omit<RuntimeEvent, 'type'>): void {
    this.#events.emit({ type, ...event });
  }

  #useCidr(podCidr: string): void {
    this.#podCidr = podCidr;
    this.#addresses = new AddressPool(podCidr);
  }
}
