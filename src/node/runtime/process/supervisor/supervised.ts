import { type ChildProcess, spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

import type { Clock } from '#machinery/clock/clock.ts';

import { identifyProcess, readText } from '../../linux-process.ts';
import { killTree } from '../process-tree.ts';
import { resizeTerminal } from '../terminal.ts';
import { LogWriter } from './log-writer.ts';
import type { ExitRecord, PidRecord, StartSpec } from './protocol.ts';

// Output that a background process still holds open after the container's end is not waited for longer.
const DRAIN_TIMEOUT_MS = 1000;

/** Gets a container's output as it comes. */
export interface Listener {
  output(stream: 'stdout' | 'stderr', chunk: Buffer): void;
  ended(exit: ExitRecord): void;
}

/** One running container: its process, its log and those attached to it. */
export class Supervised {
  readonly spec: StartSpec;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #log: LogWriter;
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  #stdinUsers = 0;

  private constructor(spec: StartSpec, child: ChildProcess, deps: { clock: Clock; pid: number }) {
    this.spec = spec;
    this.pid = deps.pid;
    this.#child = child;
    this.#clock = deps.clock;
    this.#log = new LogWriter(spec.logPath, deps);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.on('data', (chunk: Buffer) => this.#onOutput(name, chunk));
      // A broken pipe of a dying process; its exit tells the rest.
      child[name]?.on('error', () => undefined);
    }
    child.stdin?.on('error', () => undefined);
  }

  /** Throws where the launcher itself cannot be started. */
  static start(spec: StartSpec, deps: { clock: Clock; onEnd: (supervised: Supervised) => void }): Supervised {
    const launch = join(spec.directory, 'launch.sh');
    const [program, args] =
      spec.tty && spec.script !== undefined
        ? [spec.script, ['-q', '-e', '-f', '-c', `exec ${spec.shell} ${launch}`, '/dev/null']]
        : [spec.shell, [launch]];
    const child = spawn(program, args, {
      // A session of its own: signals to the agent's group do not reach it, and the whole group can be killed.
      detached: true,
      cwd: '/',
      env: { ...spec.environment },
      stdio: [spec.stdin || spec.tty ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`cannot run ${program}`);
    const supervised = new Supervised(spec, child, { clock: deps.clock, pid });
    const started: PidRecord = {
      pid,
      startTicks: identifyProcess(pid)?.startTicks ?? '',
      startedAtMs: deps.clock.now(),
    };
    writeAtomically(join(spec.directory, 'pid.json'), started);
    child.once('exit', (code, signal) => supervised.#onExit(code, signal, deps.onEnd));
    return supervised;
  }

  /** Whether a client may write to the container's input. */
  attach(listener: Listener, options: { stdin: boolean }): void {
    this.#listeners.add(listener);
    if (options.stdin) this.#stdinUsers += 1;
  }

  detach(listener: Listener, options: { stdin: boolean }): void {
    if (!this.#listeners.delete(listener) || !options.stdin) return;
    this.#stdinUsers -= 1;
    if (this.spec.stdinOnce && this.#stdinUsers === 0) this.closeInput();
  }

  /** False when the container does not read; `onInputDrain` tells when it does. */
  writeInput(chunk: Buffer): boolean {
    return this.#child.stdin?.write(chunk) ?? true;
  }

  onInputDrain(callback: () => void): void {
    this.#child.stdin?.once('drain', callback);
  }

  closeInput(): void {
    this.#child.stdin?.end();
  }

  reopenLog(path: string): void {
    this.#log.reopen(path);
  }

  resize(size: { width: number; height: number }): void {
    if (this.spec.tty) resizeTerminal(this.pid, size);
  }

  #onOutput(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#log.write(stream, chunk);
    for (const listener of this.#listeners) listener.output(stream, chunk);
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null, onEnd: (supervised: Supervised) => void): void {
    killTree(this.pid);
    const finishedAtMs = this.#clock.now();
    let isDone = false;
    const finish = (): void => {
      if (isDone) return;
      isDone = true;
      timer.cancel();
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
      this.#log.end();
      const exit = this.#exitRecord({ code, signal, finishedAtMs });
      writeAtomically(join(this.spec.directory, 'exit.json'), exit);
      for (const listener of this.#listeners) listener.ended(exit);
      onEnd(this);
    };
    const timer = this.#clock.setTimeout(finish, DRAIN_TIMEOUT_MS);
    this.#child.once('close', finish);
    if (this.#child.stdout?.closed === true && this.#child.stderr?.closed === true) finish();
  }

  #exitRecord(end: { code: number | null; signal: NodeJS.Signals | null; finishedAtMs: number }): ExitRecord {
    const signalNumber = end.signal === null ? 0 : constants.signals[end.signal];
    const exitCode = end.code ?? 128 + signalNumber;
    const isOomKilled = exitCode === 137 && this.spec.oomFiles.some(countsOomKill);
    const reason = isOomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
    return { exitCode, finishedAtMs: end.finishedAtMs, reason, message: '' };
  }
}

/** `oom_kill N` in cgroup v1's memory.oom_control and v2's memory.events. */
function countsOomKill(path: string): boolean {
  return Number(/^oom_kill (\d+)/m.exec(readText(path) ?? '')?.[1] ?? 0) > 0;
}

function writeAtomically(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}
