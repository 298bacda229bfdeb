import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';

import type { Clock, Timer } from '#machinery/clock/clock.ts';

import { encodeFrame, FRAME, FrameReader, type SupervisorAnswer, type SupervisorRequest } from './protocol.ts';
import { Supervised } from './supervised.ts';

// With nothing to watch and nobody connected the process ends by itself.
const IDLE_EXIT_MS = 30_000;
const REQUEST_BYTES_MAX = 1024 * 1024;
// A client of `attach` that does not read loses its connection: it must not hold up the container.
const ATTACH_BACKLOG_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Runs containers' processes on behalf of the agent and outlives it: logs go on being written and exit codes are kept
 * while the agent is away. One process serves all containers of a node.
 */
export class Supervisor {
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #containers = new Map<string, Supervised>();
  readonly #connections = new Set<Socket>();
  readonly #watchers = new Set<Socket>();
  readonly #onIdle: () => void;
  #idleTimer: Timer | undefined;

  constructor(deps: { clock: Clock; onIdle: () => void }) {
    this.#clock = deps.clock;
    this.#onIdle = deps.onIdle;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Takes the place of a supervisor that is gone; the caller knows that none is alive. */
  async listen(socketPath: string): Promise<void> {
    rmSync(socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(socketPath, resolve);
    });
    this.#lookIdle();
  }

  close(): void {
    this.#idleTimer?.cancel();
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#connections.add(socket);
    this.#lookIdle();
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#watchers.delete(socket);
      this.#lookIdle();
    });
    let text = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      text = Buffer.concat([text, chunk]);
      const end = text.indexOf(0x0a);
      if (end < 0) {
        if (text.length > REQUEST_BYTES_MAX) socket.destroy();
        return;
      }
      socket.off('data', onData);
      // Safe: the socket is in a folder that only the agent's user can enter, and the agent is of the same version.
      const request = JSON.parse(text.toString('utf8', 0, end)) as SupervisorRequest;
      this.#serve(socket, request, text.subarray(end + 1));
    };
    socket.on('data', onData);
  }

  #serve(socket: Socket, request: SupervisorRequest, rest: Buffer): void {
    switch (request.op) {
      case 'ping':
        answer(socket, { ok: true, pid: process.pid });
        socket.end();
        return;
      case 'start':
        answer(socket, this.#start(request.spec));
        socket.end();
        return;
      case 'reopen':
        this.#containers.get(request.id)?.reopenLog(request.logPath);
        answer(socket, { ok: true });
        socket.end();
        return;
      case 'attach':
        this.#attach(socket, request, rest);
        return;
      case 'watch':
        this.#watchers.add(socket);
        answer(socket, { ok: true });
        socket.resume();
        return;
      case 'shutdown':
        answer(socket, { ok: true });
        socket.end();
        if (this.#containers.size === 0) this.#onIdle();
        return;
    }
  }

  #start(spec: Extract<SupervisorRequest, { op: 'start' }>['spec']): SupervisorAnswer {
    try {
      const supervised = Supervised.start(spec, {
        clock: this.#clock,
        onEnd: () => {
          this.#containers.delete(spec.id);
          const event = { type: 'stopped', containerId: spec.id, sandboxId: spec.sandboxId, podUid: spec.podUid };
          for (const watcher of this.#watchers) watcher.write(`${JSON.stringify(event)}\n`);
          this.#lookIdle();
        },
      });
      this.#containers.set(spec.id, supervised);
      this.#lookIdle();
      return { ok: true, pid: supervised.pid };
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  }

  #attach(socket: Socket, request: { id: string; stdin: boolean }, rest: Buffer): void {
    const supervised = this.#containers.get(request.id);
    if (supervised === undefined) {
      answer(socket, { ok: false, error: `container ${request.id} is not running` });
      socket.end();
      return;
    }
    answer(socket, { ok: true });
    const options = { stdin: request.stdin };
    const listener = {
      output: (stream: 'stdout' | 'stderr', chunk: Buffer): void => {
        socket.write(encodeFrame(FRAME[stream], chunk));
        if (socket.writableLength > ATTACH_BACKLOG_BYTES_MAX) socket.destroy();
      },
      ended: (exit: object): void => {
        socket.end(encodeFrame(FRAME.exit, Buffer.from(JSON.stringify(exit))));
      },
    };
    supervised.attach(listener, options);
    socket.once('close', () => supervised.detach(listener, options));
    const reader = new FrameReader();
    const onData = (chunk: Buffer): void => {
      for (const { type, payload } of reader.push(chunk)) this.#onAttachFrame(supervised, socket, { type, payload });
    };
    if (rest.length > 0) onData(rest);
    socket.on('data', onData);
  }

  #onAttachFrame(supervised: Supervised, socket: Socket, frame: { type: number; payload: Buffer }): void {
    switch (frame.type) {
      case FRAME.stdin:
        if (!supervised.writeInput(frame.payload)) {
          socket.pause();
          supervised.onInputDrain(() => socket.resume());
        }
        return;
      case FRAME.stdinEnd:
        if (supervised.spec.stdinOnce) supervised.closeInput();
        return;
      case FRAME.resize: {
        // Safe: written by our own client.
        const { width, height } = JSON.parse(frame.payload.toString()) as { width: number; height: number };
        supervised.resize({ width, height });
        return;
      }
      default:
        return;
    }
  }

  #lookIdle(): void {
    const isIdle = this.#containers.size === 0 && this.#connections.size === 0;
    if (!isIdle) {
      this.#idleTimer?.cancel();
      this.#idleTimer = undefined;
    } else this.#idleTimer ??= this.#clock.setTimeout(this.#onIdle, IDLE_EXIT_MS);
  }
}

function answer(socket: Socket, value: SupervisorAnswer): void {
  socket.write(`${JSON.stringify(value)}\n`);
}
