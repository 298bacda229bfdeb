import { spawn } from 'node:child_process';
import { PassThrough, Writable } from 'node:stream';

import type { ExecOptions, ExecSession } from '../contract.ts';
import { quote } from './launch-script.ts';
import { killTree } from './process-tree.ts';
import { resizeTerminal } from './terminal.ts';
import { encodeFrame, FRAME, FrameReader } from './supervisor/protocol.ts';
import type { SupervisorClient } from './supervisor/supervisor-client.ts';

type Exit = Awaited<ExecSession['exit']>;

// Frames of one input chunk; well below what the supervisor accepts.
const INPUT_FRAME_BYTES_MAX = 256 * 1024;

/**
 * Runs a host command as a session. A terminal comes from `script`; without that program a terminal session is plain
 * pipes.
 */
export function spawnSession(
  command: readonly string[],
  options: Omit<ExecOptions, 'command'> & { script: string | undefined; path: string; cwd: string },
): ExecSession {
  const hasTerminal = options.tty && options.script !== undefined;
  const [program = '', ...args] = hasTerminal
    ? [options.script ?? 'script', '-q', '-e', '-f', '-c', command.map(quote).join(' '), '/dev/null']
    : command;
  const child = spawn(program, args, {
    detached: true,
    cwd: options.cwd,
    env: { PATH: options.path },
    stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const exit = new Promise<Exit>((resolve) => {
    child.once('error', (error) => resolve({ type: 'failed', message: error.message }));
    child.once('close', (code, signal) =>
      resolve({ type: 'exited', exitCode: code ?? (signal === 'SIGKILL' ? 137 : 143) }),
    );
  });
  // Streams that nobody asked for must not fill up.
  if (!options.stdout) child.stdout?.resume();
  if (!options.stderr) child.stderr?.resume();
  child.stdin?.on('error', () => undefined);
  return {
    ...(child.stdin === null ? {} : { stdin: child.stdin }),
    ...(options.stdout && child.stdout !== null ? { stdout: child.stdout } : {}),
    ...(options.stderr && !options.tty && child.stderr !== null ? { stderr: child.stderr } : {}),
    resize: (size) => {
      if (hasTerminal && child.pid !== undefined && child.exitCode === null) resizeTerminal(child.pid, size);
    },
    exit,
    close: () => {
      if (child.pid !== undefined && child.exitCode === null) killTree(child.pid);
    },
  };
}

/** A session that could not begin; its streams are empty. */
export function failedSession(options: Omit<ExecOptions, 'command'>, message: string): ExecSession {
  const empty = (): PassThrough => new PassThrough().end();
  return {
    ...(options.stdin ? { stdin: new PassThrough().resume() } : {}),
    ...(options.stdout ? { stdout: empty() } : {}),
    ...(options.stderr && !options.tty ? { stderr: empty() } : {}),
    resize: () => undefined,
    exit: Promise.resolve({ type: 'failed', message }),
    close: () => undefined,
  };
}

/** Follows a running container's own streams. */
export async function attachSession(
  supervisor: SupervisorClient,
  containerId: string,
  options: Omit<ExecOptions, 'command'>,
): Promise<ExecSession> {
  const { socket, rest } = await supervisor.openFrames({ op: 'attach', id: containerId, stdin: options.stdin });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const { promise: exit, resolve: settle } = Promise.withResolvers<Exit>();
  const reader = new FrameReader();
  const deliver = (to: PassThrough, isWanted: boolean, payload: Buffer): void => {
    if (isWanted && !to.write(payload)) {
      socket.pause();
      to.once('drain', () => socket.resume());
    }
  };
  const onData = (chunk: Buffer): void => {
    for (const { type, payload } of reader.push(chunk)) {
      if (type === FRAME.stdout) deliver(stdout, options.stdout, payload);
      else if (type === FRAME.stderr) deliver(options.tty ? stdout : stderr, options.stderr || options.tty, payload);
      else if (type === FRAME.exit) {
        // Safe: written by our own supervisor.
        const { exitCode } = JSON.parse(payload.toString()) as { exitCode: number };
        settle({ type: 'exited', exitCode });
      }
    }
  };
  if (rest.length > 0) onData(rest);
  socket.on('data', onData);
  socket.once('close', () => {
    stdout.end();
    stderr.end();
    settle({ type: 'failed', message: 'the container is no longer supervised' });
  });
  socket.resume();
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      for (let start = 0; start < chunk.length; start += INPUT_FRAME_BYTES_MAX) {
        socket.write(encodeFrame(FRAME.stdin, chunk.subarray(start, start + INPUT_FRAME_BYTES_MAX)));
      }
      if (!socket.writableNeedDrain || socket.destroyed) {
        done();
        return;
      }
      const proceed = (): void => {
        socket.off('drain', proceed).off('close', proceed);
        done();
      };
      socket.on('drain', proceed).on('close', proceed);
    },
    final: (done) => {
      socket.write(encodeFrame(FRAME.stdinEnd, new Uint8Array()));
      done();
    },
  });
  return {
    ...(options.stdin ? { stdin } : {}),
    ...(options.stdout ? { stdout } : {}),
    ...(options.stderr && !options.tty ? { stderr } : {}),
    resize: (size) => void socket.write(encodeFrame(FRAME.resize, Buffer.from(JSON.stringify(size)))),
    exit,
    close: () => void socket.destroy(),
  };
}
