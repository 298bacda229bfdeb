import { join } from 'node:path';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { RuntimeError, type RuntimeEvent } from '../contract.ts';
import { isSameProcessAlive, readText, signalProcess } from '../linux-process.ts';
import type { EventHub } from './event-hub.ts';
import { isLaunching } from './launch-script.ts';
import { killTree } from './process-tree.ts';
import type { ContainerRecord, Records } from './records.ts';
import type { ExitRecord, StartSpec } from './supervisor/protocol.ts';
import type { SupervisorClient } from './supervisor/supervisor-client.ts';
import type { Progress } from './views.ts';

export interface ContainerProcessesDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly records: Records;
  readonly supervisor: SupervisorClient;
  readonly events: EventHub;
  /** All containers that there are records of. */
  readonly containers: ReadonlyMap<string, ContainerRecord>;
  readonly announce: (type: RuntimeEvent['type'], record: ContainerRecord) => void;
}

// Mounting a file system and a few volumes takes some ten milliseconds.
const START_TIMEOUT_MS = 10_000;
const START_POLL_MS = 3;
const STOP_POLL_MIN_MS = 5;
const STOP_POLL_MAX_MS = 100;
// A killed process that the kernel does not let go (a dead network disk) must not hold up the kubelet for ever.
const KILL_TIMEOUT_MS = 10_000;

/** Starts, watches and ends containers' processes, through the supervisor that outlives this agent. */
export class ContainerProcesses {
  readonly #deps: ContainerProcessesDeps;
  readonly #closing = new AbortController();
  #watching: Promise<void> | undefined;

  constructor(deps: ContainerProcessesDeps) {
    this.#deps = deps;
  }

  /** Takes over what an earlier agent left running. */
  async adopt(): Promise<void> {
    if (await this.#deps.supervisor.isRunning()) this.#watchSupervisor();
    else this.#endUnsupervised();
  }

  /** Stops watching; processes go on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
  }

  /** How far a container has come. */
  progress(containerId: string): Progress {
    const { records } = this.#deps;
    return { pid: records.pid(containerId), exit: records.exit(containerId) };
  }

  /** Settles when the container's own program runs; where that fails the container has ended with code 128. */
  async start(record: ContainerRecord, prepare: () => Promise<StartSpec>): Promise<void> {
    const { supervisor, announce } = this.#deps;
    try {
      const spec = await prepare();
      await supervisor.ensureRunning(() => this.#endUnsupervised());
      this.#watchSupervisor();
      announce('started', record);
      await supervisor.request({ op: 'start', spec });
      await this.#awaitEntered(record.id);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#saveExit(record.id, { exitCode: 128, reason: 'StartError', message });
      announce('stopped', record);
      throw error;
    }
  }

  /** The stop signal, and the end of the whole tree of processes when the time is over. */
  async stop(record: ContainerRecord, options: { timeoutSeconds: number }): Promise<void> {
    const { records, supervisor } = this.#deps;
    const { id } = record;
    const pid = records.pid(id);
    if (pid === undefined || records.exit(id) !== undefined) return;
    if (options.timeoutSeconds > 0) {
      signalProcess(records.mainPid(id) ?? pid.pid, record.stopSignal);
      if (await this.#awaitExit(id, options.timeoutSeconds * 1000)) return;
    }
    if (isSameProcessAlive(pid)) killTree(pid.pid);
    if (!(await supervisor.isRunning())) this.#endUnsupervised();
    if (await this.#awaitExit(id, KILL_TIMEOUT_MS)) return;
    throw new RuntimeError('DeadlineExceeded', `container ${id} does not end`);
  }

  /** Without a supervisor nobody keeps the logs or will see the exit: what still runs is ended. */
  #endUnsupervised(): void {
    const { containers, announce } = this.#deps;
    for (const record of containers.values()) {
      const { pid, exit } = this.progress(record.id);
      if (pid === undefined || exit !== undefined) continue;
      const isAlive = isSameProcessAlive(pid);
      if (isAlive) killTree(pid.pid);
      const message = isAlive ? 'killed because its supervisor was lost' : '';
      this.#saveExit(record.id, { exitCode: isAlive ? 137 : 255, reason: isAlive ? 'Error' : 'Unknown', message });
      announce('stopped', record);
    }
  }

  #watchSupervisor(): void {
    this.#watching ??= this.#followSupervisor().finally(() => {
      this.#watching = undefined;
    });
  }

  async #followSupervisor(): Promise<void> {
    const { supervisor, events, log, clock } = this.#deps;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        for await (const event of supervisor.watch(signal)) events.publish(event);
      } catch (error) {
        log.warn('lost the supervisor', { error: String(error) });
      }
      if (signal.aborted) return;
      if (!(await supervisor.isRunning())) {
        this.#endUnsupervised();
        return;
      }
      // A dying process may still accept: asked again, it tells.
      await clock.sleep(START_POLL_MS);
    }
  }

  async #awaitExit(containerId: string, timeoutMs: number): Promise<boolean> {
    const { clock, records } = this.#deps;
    const deadline = clock.monotonic() + timeoutMs;
    let delayMs = STOP_POLL_MIN_MS;
    while (records.exit(containerId) === undefined) {
      const leftMs = deadline - clock.monotonic();
      if (leftMs <= 0) return false;
      await clock.sleep(Math.min(delayMs, leftMs));
      delayMs = Math.min(STOP_POLL_MAX_MS, delayMs * 2);
    }
    return true;
  }

  /** An exec before this would find the namespaces half made. */
  async #awaitEntered(containerId: string): Promise<void> {
    const { clock, records } = this.#deps;
    const deadline = clock.monotonic() + START_TIMEOUT_MS;
    const inside = join(records.containerFolder(containerId), 'inside.sh');
    while (records.exit(containerId) === undefined && clock.monotonic() < deadline) {
      const pid = records.mainPid(containerId);
      const commandLine = pid === undefined ? undefined : readText(`/proc/${pid}/cmdline`)?.split('\0');
      const hasProc = process.platform === 'linux';
      if (pid !== undefined && (!hasProc || (commandLine !== undefined && !isLaunching(commandLine, inside)))) return;
      await clock.sleep(START_POLL_MS);
    }
  }

  #saveExit(containerId: string, exit: Omit<ExitRecord, 'finishedAtMs'>): void {
    const { records, clock } = this.#deps;
    records.saveExit(containerId, { ...exit, finishedAtMs: clock.now() });
  }
}
