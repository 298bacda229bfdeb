/**
 * What the agent and the supervisor say to each other over a unix socket: one request a connection, as a line of JSON,
 * answered by a line of JSON. `watch` goes on with lines of events, `attach` with frames.
 */
export type SupervisorRequest =
  | { readonly op: 'ping' }
  | { readonly op: 'start'; readonly spec: StartSpec }
  | { readonly op: 'reopen'; readonly id: string; readonly logPath: string }
  | { readonly op: 'attach'; readonly id: string; readonly stdin: boolean }
  | { readonly op: 'watch' }
  | { readonly op: 'shutdown' };

export interface StartSpec {
  readonly id: string;
  readonly sandboxId: string;
  readonly podUid: string;
  /** Holds `launch.sh`; `pid.json` and `exit.json` are written there. */
  readonly directory: string;
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** The shell that runs `launch.sh`, and `script` for terminals. */
  readonly shell: string;
  readonly script?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Files that count kills for lack of memory, where the container has a cgroup. */
  readonly oomFiles: readonly string[];
}

export type SupervisorAnswer =
  | { readonly ok: true; readonly pid?: number }
  | { readonly ok: false; readonly error: string };

export interface SupervisorEvent {
  readonly type: 'stopped';
  readonly containerId: string;
  readonly sandboxId: string;
  readonly podUid: string;
}

/** `pid.json`: the launcher, whose end is the container's. */
export interface PidRecord {
  readonly pid: number;
  readonly startTicks: string;
  readonly startedAtMs: number;
}

/** `exit.json`. */
export interface ExitRecord {
  readonly exitCode: number;
  readonly finishedAtMs: number;
  readonly reason: string;
  readonly message: string;
}

export const FRAME = { stdin: 0, stdout: 1, stderr: 2, exit: 3, resize: 4, stdinEnd: 5 } as const;

const HEADER_BYTES = 5;
// Both ends cut at far less; more is not from us.
const FRAME_BYTES_MAX = 1024 * 1024;

export function encodeFrame(type: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt8(type);
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  *push(chunk: Buffer): Generator<{ type: number; payload: Buffer }> {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(1);
      if (length > FRAME_BYTES_MAX) throw new Error('frame is too large');
      if (rest.length < HEADER_BYTES + length) break;
      yield { type: rest.readUInt8(0), payload: rest.subarray(HEADER_BYTES, HEADER_BYTES + length) };
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#pending = Buffer.from(rest);
  }
}
