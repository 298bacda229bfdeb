import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Clock, Timer } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';

import { RuntimeError } from '../contract.ts';
import { findProgram } from '../find-program.ts';
import { identifyProcess, isSameProcessAlive, type ProcessId, readText, signalProcess } from '../linux-process.ts';
import { removeAllPods, removeLeftovers } from './containerd-cleanup.ts';
import { type ContainerdConfig, renderContainerdConfig } from './containerd-config.ts';
import { CriRuntime } from './cri-runtime.ts';
import { canMountOverlay, findCniBinDir, hasSysResource } from './host-probe.ts';

export interface ContainerdOptions {
  /** Images and snapshots. */
  readonly rootDir: string;
  /** Keep it short: the socket inside must fit into 107 bytes. */
  readonly stateDir: string;
  readonly cniConfDir: string;
  readonly cniBinDir?: string;
  readonly sandboxImage: string;
  /** A network namespace to run in, such as `/run/netns/node-1`. Its loopback must be up. */
  readonly networkNamespace?: string;
  readonly snapshotter?: 'overlayfs' | 'native';
  /** The environment's PATH and, for image pulls, proxy settings. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface ContainerdDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

// A first start makes its database and a few folders; a loaded machine may take long over it.
const READY_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 20;
const STOP_TIMEOUT_MS = 10_000;
// An adopted process is not our child: its end must be looked for.
const ADOPTED_POLL_MS = 1000;
const RESTART_DELAY_MAX_MS = 10_000;
// One old file is kept beside it.
const LOG_BYTES_MAX = 16 * 1024 * 1024;
// sockaddr_un's path, less its final zero.
const SOCKET_PATH_BYTES_MAX = 107;

/** A node's own containerd: started, watched, started again when it dies, and stopped with or without its containers. */
export class Containerd {
  readonly endpoint: string;
  readonly #options: ContainerdOptions;
  readonly #deps: ContainerdDeps;
  readonly #command: readonly string[];
  readonly #config: ContainerdConfig;
  #process: ProcessId | undefined;
  #timer: Timer | undefined;
  #isStopping = false;
  #restarts = 0;

  private constructor(init: {
    options: ContainerdOptions;
    deps: ContainerdDeps;
    command: readonly string[];
    config: ContainerdConfig;
  }) {
    this.#options = init.options;
    this.#deps = init.deps;
    this.#command = init.command;
    this.#config = init.config;
    this.endpoint = `unix://${init.config.socketPath}`;
  }

  /**
   * Resolves when containerd answers CRI calls. A containerd of an earlier run with the same configuration is taken
   * over with its containers. Fails with `RuntimeError` that says what is missing or what containerd's log says.
   */
  static async start(options: ContainerdOptions, deps: ContainerdDeps): Promise<Containerd> {
    const programs = findPrograms(options.environment['PATH'] ?? '');
    const socketPath = join(options.stateDir, 'containerd.sock');
    if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
      throw new RuntimeError('InvalidArgument', `cannot start containerd: socket path is too long: ${socketPath}`);
    }
    await mkdir(options.rootDir, { recursive: true, mode: 0o711 });
    await mkdir(options.stateDir, { recursive: true, mode: 0o711 });
    const overlay = options.snapshotter ?? ((await canMountOverlay(options.rootDir)) ? 'overlayfs' : 'native');
    const config: ContainerdConfig = {
      rootDir: options.rootDir,
      stateDir: options.stateDir,
      socketPath,
      sandboxImage: options.sandboxImage,
      snapshotter: overlay,
      cniBinDir: options.cniBinDir ?? findCniBinDir() ?? '/opt/cni/bin',
      cniConfDir: options.cniConfDir,
      runtimeBinary: programs.runc,
      restrictOomScoreAdj: !hasSysResource(),
    };
    const enter = options.networkNamespace === undefined ? [] : [programs.nsenter, `--net=${options.networkNamespace}`];
    const command = [...enter, programs.containerd, '--config', join(options.stateDir, 'config.toml')];
    const containerd = new Containerd({ options, deps, command, config });
    try {
      await containerd.#begin();
    } catch (error) {
      await containerd.stop({ containers: 'keep' });
      throw error;
    }
    return containerd;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /**
   * `keep`: containers run on under their shims, for the next start to adopt. `remove`: all pods are removed first, and no
   * process, mount, cgroup or socket stays; images do.
   */
  async stop(options: { containers: 'keep' | 'remove' }): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    if (options.containers === 'remove') await removeAllPods(this.endpoint, this.#deps);
    await this.#terminate();
    if (options.containers === 'remove') await removeLeftovers(this.#config, this.#deps);
  }

  async #begin(): Promise<void> {
    const text = renderContainerdConfig(this.#config);
    const path = join(this.#config.stateDir, 'config.toml');
    const isSameConfig = readText(path) === text;
    this.#process = this.#readPidFile();
    if (this.#process !== undefined) {
      if (isSameConfig) {
        this.#deps.log.info('adopting the running containerd', { pid: this.#process.pid });
        this.#watchAdopted(this.#process);
        await this.#waitReady();
        return;
      }
      await this.#terminate();
    }
    await writeFile(path, text, { mode: 0o600 });
    await this.#launch();
  }

  async #launch(): Promise<void> {
    rotateLog(this.#logPath);
    const log = openSync(this.#logPath, 'a', 0o600);
    try {
      const [program = '', ...args] = this.#command;
      // Detached: a Ctrl-C at the terminal must reach the agent only, which then stops things in order.
      const child = spawn(program, args, {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: '/',
        env: { ...this.#options.environment },
      });
      child.unref();
      child.once('error', (error) => this.#deps.log.error('cannot run containerd', { error: error.message }));
      if (child.pid === undefined) throw new RuntimeError('Unavailable', `cannot run ${program}`);
      const started = identifyProcess(child.pid);
      this.#process = started;
      child.once('exit', () => {
        if (this.#process === started) this.#onExit();
      });
      await writeFile(this.#pidPath, JSON.stringify(started ?? {}), { mode: 0o600 });
    } finally {
      closeSync(log);
    }
    await this.#waitReady();
  }

  #onExit(): void {
    this.#process = undefined;
    if (this.#isStopping) return;
    const delayMs = Math.min(RESTART_DELAY_MAX_MS, 250 * 2 ** this.#restarts);
    this.#restarts += 1;
    this.#deps.log.error('containerd ended; starting it again', { delayMs, lastWords: this.#lastWords() });
    this.#timer = this.#deps.clock.setTimeout(() => {
      // A failed launch is reported through the exit of its process, which schedules the next try.
      this.#launch().then(
        () => {
          this.#restarts = 0;
        },
        (error: unknown) => this.#deps.log.error('containerd did not come back', { error: String(error) }),
      );
    }, delayMs);
  }

  #watchAdopted(adopted: ProcessId): void {
    const look = (): void => {
      if (this.#process !== adopted) return;
      if (isSameProcessAlive(adopted))
        this.#timer = this.#deps.clock.setTimeout(look, ADOPTED_POLL_MS, { unref: true });
      else this.#onExit();
    };
    look();
  }

  async #waitReady(): Promise<void> {
    const deadline = this.#deps.clock.monotonic() + READY_TIMEOUT_MS;
    for (;;) {
      const state = await probe(this.endpoint, this.#deps.clock);
      if (state === 'ready') return;
      if (state === 'broken') throw new RuntimeError('Unavailable', `containerd has no CRI: ${this.#lastWords()}`);
      if (this.#process === undefined || !isSameProcessAlive(this.#process)) {
        throw new RuntimeError('Unavailable', `containerd ended while starting: ${this.#lastWords()}`);
      }
      if (this.#deps.clock.monotonic() > deadline) {
        throw new RuntimeError('Unavailable', `containerd is not ready after 30s: ${this.#lastWords()}`);
      }
      await this.#deps.clock.sleep(READY_POLL_MS);
    }
  }

  async #terminate(): Promise<void> {
    const running = this.#process;
    if (running !== undefined) {
      signalProcess(running.pid, 'SIGTERM');
      const deadline = this.#deps.clock.monotonic() + STOP_TIMEOUT_MS;
      while (isSameProcessAlive(running)) {
        if (this.#deps.clock.monotonic() > deadline) signalProcess(running.pid, 'SIGKILL');
        await this.#deps.clock.sleep(READY_POLL_MS);
      }
    }
    this.#process = undefined;
    await rm(this.#pidPath, { force: true });
  }

  #readPidFile(): ProcessId | undefined {
    const text = readText(this.#pidPath);
    if (text === undefined) return undefined;
    const { pid, startTicks }: { pid?: unknown; startTicks?: unknown } = JSON.parse(text || '{}');
    if (typeof pid !== 'number' || typeof startTicks !== 'string') return undefined;
    const recorded = { pid, startTicks };
    return isSameProcessAlive(recorded) ? recorded : undefined;
  }

  #lastWords(): string {
    const lines = (readText(this.#logPath) ?? '').trimEnd().split('\n');
    const errors = lines.filter((line) =>
      /level=(error|fatal|panic)|^containerd:|panic:|failed to load plugin \S+cri"/.test(line),
    );
    return (errors.at(-1) ?? lines.at(-1) ?? '').slice(0, 1000);
  }

  get #logPath(): string {
    return join(this.#config.rootDir, 'containerd.log');
  }

  get #pidPath(): string {
    return join(this.#config.stateDir, 'containerd.pid');
  }
}

/** What `Containerd.start` would miss on this machine: program names, empty where all is there. */
export function missingPrograms(path: string): string[] {
  const missing = ['containerd', 'runc', 'containerd-shim-runc-v2', 'ctr'].filter(
    (name) => findProgram(name, path) === undefined,
  );
  if (findCniBinDir() === undefined) missing.push('CNI plugins (containernetworking-plugins)');
  return missing;
}

function findPrograms(path: string): { containerd: string; runc: string; nsenter: string } {
  const missing = missingPrograms(path).filter((name) => name !== 'ctr');
  if (missing.length > 0) {
    throw new RuntimeError('FailedPrecondition', `cannot start containerd: not found: ${missing.join(', ')}`);
  }
  return {
    containerd: findProgram('containerd', path) ?? 'containerd',
    runc: findProgram('runc', path) ?? 'runc',
    nsenter: findProgram('nsenter', path) ?? 'nsenter',
  };
}

/** `broken`: containerd serves, but its CRI plugin did not load. */
async function probe(endpoint: string, clock: Clock): Promise<'ready' | 'not-yet' | 'broken'> {
  if (!existsSync(endpoint.replace('unix://', ''))) return 'not-yet';
  try {
    const runtime = await CriRuntime.connect(endpoint, { clock });
    try {
      const { conditions } = await runtime.status();
      const isReady = conditions.some((condition) => condition.type === 'RuntimeReady' && condition.status);
      return isReady ? 'ready' : 'not-yet';
    } finally {
      await runtime.close();
    }
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    // The server answers Unknown ("server is not initialized yet") until the plugin has looked at what runs.
    return error.code === 'Unimplemented' ? 'broken' : 'not-yet';
  }
}

function rotateLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
}
