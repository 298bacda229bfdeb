import { spawn } from 'node:child_process';

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Rejects with `CommandError` where it cannot be started, is too slow, or fails. */
export type RunCommand = (
  command: string,
  args: readonly string[],
  options?: { readonly input?: string; readonly timeoutMs?: number },
) => Promise<CommandResult>;

export class CommandError extends Error {
  /** Absent where the program did not start or was killed. */
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(message: string, details: { exitCode?: number; stderr: string }, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = details.exitCode;
    this.stderr = details.stderr;
  }
}

// Output of the tools that we call (ip, nft, mount) is small; more than this is a runaway program.
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;

export const runCommand: RunCommand = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    });
    const output = { stdout: '', stderr: '' };
    const collect = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
      if (output[name].length < OUTPUT_BYTES_MAX) output[name] += chunk.toString();
    };
    child.stdout.on('data', collect('stdout'));
    child.stderr.on('data', collect('stderr'));
    child.on('error', (error) => {
      reject(new CommandError(`cannot run ${command}: ${error.message}`, { stderr: '' }, { cause: error }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output);
      const why = code === null ? `killed by ${signal ?? 'a signal'}` : `exit code ${code}`;
      const text = `${command} ${args.join(' ')}: ${why}: ${output.stderr.trim()}`;
      reject(new CommandError(text, { ...(code === null ? {} : { exitCode: code }), stderr: output.stderr }));
    });
    // The program may end before it has read its input.
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(options.input ?? '');
  });
