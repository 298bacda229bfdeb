import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Clock } from '#machinery/clock/clock.ts';

import { RuntimeError } from '../../contract.ts';
import { identifyProcess, isSameProcessAlive } from '../../linux-process.ts';
import type { SupervisorAnswer, SupervisorEvent, SupervisorRequest } from './protocol.ts';

const START_TIMEOUT_MS = 10_000;
const START_POLL_MS = 10;
const LINE_BYTES_MAX = 64 * 1024;
// sockaddr_un's path on macOS, less its final zero; Linux has 107.
const SOCKET_PATH_BYTES_MAX = 103;

export interface SupervisorOptions {
  /** Holds the socket and the log. */
  readonly directory: string;
  /** Program and arguments to which the socket's path is added; default: this Node on `main.ts` or its bundle. */
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The agent's end of the supervisor; starts it where none runs. */
export class SupervisorClient {
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #socketPath: string;
  #starting: Promise<void> | undefined;

  constructor(options: SupervisorOptions, deps: { clock: Clock }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#socketPath = socketPathFor(options.directory);
  }

  async isRunning(): Promise<boolean> {
    const socket = await this.#connect();
    socket?.destroy();
    return socket !== undefined;
  }

  /**
   * Starts the supervisor unless it runs; callers at the same time share one start. `beforeStart` sees the moment when
   * what an earlier one watched is lost.
   */
  ensureRunning(beforeStart: () => void): Promise<void> {
    this.#starting ??= this.#start(beforeStart).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #start(beforeStart: () => void): Promise<void> {
    if (await this.isRunning()) return;
    beforeStart();
    const child = this.#spawn();
    const deadline = this.#clock.monotonic() + START_TIMEOUT_MS;
    while (!(await this.isRunning())) {
      if (child.hasEnded || this.#clock.monotonic() > deadline) {
        throw new RuntimeError('Unavailable', `the supervisor does not start; see ${this.#logPath}`);
      }
      await this.#clock.sleep(START_POLL_MS);
    }
  }

  /** Ends the supervisor, which must have no containers left; resolves when its process is gone. */
  async shutdown(): Promise<void> {
    if (!(await this.isRunning())) return;
    const { pid = 0 } = await this.request({ op: 'ping' });
    const id = process.platform === 'linux' ? identifyProcess(pid) : undefined;
    await this.request({ op: 'shutdown' });
    const deadline = this.#clock.monotonic() + START_TIMEOUT_MS;
    while (id === undefined ? await this.isRunning() : isSameProcessAlive(id)) {
      if (this.#clock.monotonic() > deadline) throw new RuntimeError('DeadlineExceeded', 'the supervisor does not end');
      await this.#clock.sleep(START_POLL_MS);
    }
  }

  /** One request and its answer; fails with `RuntimeError` where the answer is an error or nobody answers. */
  async request(request: SupervisorRequest): Promise<{ pid?: number }> {
    const { socket, answer } = await this.#open(request);
    socket.destroy();
    return answer;
  }

  /** A connection on which frames follow; `rest` came right behind the answer. */
  async openFrames(request: SupervisorRequest): Promise<{ socket: Socket; rest: Buffer }> {
    return await this.#open(request);
  }

  /** Ends when the signal fires or the supervisor is gone. */
  async *watch(signal: AbortSignal): AsyncGenerator<SupervisorEvent> {
    const { socket, rest } = await this.#open({ op: 'watch' });
    const abort = (): void => void socket.destroy();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    let text = rest.toString();
    try {
      for await (const chunk of socket) {
        text += String(chunk);
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        // Safe: written by our own supervisor.
        for (const line of lines) yield JSON.parse(line) as SupervisorEvent;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      socket.destroy();
    }
  }

  async #open(request: SupervisorRequest): Promise<{ socket: Socket; answer: { pid?: number }; rest: Buffer }> {
    const socket = await this.#connect();
    if (socket === undefined) throw new RuntimeError('Unavailable', 'the supervisor is not running');
    socket.write(`${JSON.stringify(request)}\n`);
    const { line, rest } = await readLine(socket);
    // Safe: written by our own supervisor.
    const answer = JSON.parse(line) as SupervisorAnswer;
    if (answer.ok) return { socket, answer, rest };
    socket.destroy();
    throw new RuntimeError('Unknown', answer.error);
  }

  #connect(): Promise<Socket | undefined> {
    return new Promise((resolve) => {
      const socket = connect(this.#socketPath);
      socket.once('connect', () => resolve(socket));
      socket.once('error', () => resolve(undefined));
      // Later errors close it, which is what its reader sees.
      socket.on('error', () => socket.destroy());
    });
  }

  get #logPath(): string {
    return join(this.#options.directory, 'supervisor.log');
  }

  #spawn(): { hasEnded: boolean } {
    const [program = process.execPath, ...args] = this.#options.command ?? defaultCommand();
    const log = openSync(this.#logPath, 'a', 0o600);
    const state = { hasEnded: false };
    const onEnd = (): void => {
      state.hasEnded = true;
    };
    try {
      const child = spawn(program, [...args, this.#socketPath], {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: '/',
        env: { ...libraryPath(), ...this.#options.environment },
      });
      child.on('error', onEnd).on('exit', onEnd);
      child.unref();
      return state;
    } finally {
      closeSync(log);
    }
  }
}

/** Where this Node found its libraries, as on a machine that lacks one of them. */
function libraryPath(): Record<string, string> {
  const path = process.env['LD_LIBRARY_PATH'];
  return path === undefined ? {} : { LD_LIBRARY_PATH: path };
}

function defaultCommand(): string[] {
  // In the checkout the file beside this one, in the package the bundle that scripts/build.ts names.
  const name = import.meta.url.endsWith('.ts') ? './main.ts' : './process-supervisor.mjs';
  const main = fileURLToPath(new URL(name, import.meta.url));
  // It holds little more than line buffers; a small heap keeps it small.
  return [process.execPath, '--max-semi-space-size=1', '--max-old-space-size=96', main];
}

function socketPathFor(directory: string): string {
  const path = join(directory, 'supervisor.sock');
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  return join(tmpdir(), `tiphys-${name}.sock`);
}

function readLine(socket: Socket): Promise<{ line: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const onClose = (): void => reject(new RuntimeError('Unavailable', 'the supervisor closed the connection'));
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf(0x0a);
      if (end < 0 && bytes.length <= LINE_BYTES_MAX) return;
      socket.off('data', onData).off('close', onClose);
      socket.pause();
      resolve({ line: bytes.toString('utf8', 0, Math.max(0, end)), rest: bytes.subarray(end + 1) });
    };
    socket.on('data', onData).once('close', onClose);
  });
}
