import type { Readable, Writable } from 'node:stream';

/** What is asked of a command's streams. */
export interface StreamOptions {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface RemoteCommandOptions extends StreamOptions {
  readonly command: readonly string[];
}

export type SessionExit =
  | { readonly type: 'exited'; readonly exitCode: number }
  | { readonly type: 'failed'; readonly message: string };

/** A running command and its streams, whatever carries them. */
export interface RemoteSession {
  readonly stdin?: Writable;
  readonly stdout?: Readable;
  /** Absent with a tty. */
  readonly stderr?: Readable;
  resize(size: { width: number; height: number }): void;
  /** Settles after the streams have ended; never rejects. */
  readonly exit: Promise<SessionExit>;
  /** Ends the session (client gone). */
  close(): void;
}

/**
 * Reads the query of an exec or attach URL, in the kubelet's spelling (`input`, `output`, `error`) and the API
 * server's (`stdin`, `stdout`, `stderr`). Undefined where no stream is asked for, which Kubernetes refuses with
 * "you must specify at least 1 of stdin, stdout, stderr".
 */
export function parseRemoteCommandOptions(url: string): RemoteCommandOptions | undefined {
  const query = new URL(url, 'http://kubelet').searchParams;
  const isSet = (...names: string[]): boolean => names.some((name) => isTrue(query.get(name)));
  const tty = isSet('tty');
  const stdin = isSet('input', 'stdin');
  const stdout = isSet('output', 'stdout');
  // A terminal has one output.
  const stderr = isSet('error', 'stderr') && !tty;
  if (!stdin && !stdout && !stderr) return undefined;
  return { command: query.getAll('command'), tty, stdin, stdout, stderr };
}

function isTrue(value: string | null): boolean {
  return value === '1' || value === 'true' || value === 'True' || value === 'TRUE' || value === 't' || value === 'T';
}
