import { spawn } from 'node:child_process';
import { findTool } from '../../../src/cli/kubectl-binary.ts';

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const DEFAULT_TIMEOUT_MS = 120_000;

/** Runs a program to its end, whatever its exit code. */
export function run(
  command: string,
  args: readonly string[],
  options: { input?: string | Uint8Array; env?: NodeJS.ProcessEnv; timeoutMs?: number; cwd?: string } = {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
    // A program that fails early does not read its input.
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(options.input ?? '');
  });
}

/** The real kubectl against one kubeconfig. */
export interface Kubectl {
  /** Runs to the end; throws unless the exit code is 0. Returns standard output. */
  (...args: string[]): Promise<string>;
  /** The same without judging. */
  try(args: readonly string[], options?: { input?: string | Uint8Array; timeoutMs?: number }): Promise<RunResult>;
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

export async function kubectlFor(kubeconfig: string): Promise<Kubectl> {
  const path = await findTool('kubectl', { preferNpm: true });
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const attempt: Kubectl['try'] = (args, options = {}) => run(path, args, { env, ...options });
  const call = async (...args: string[]) => {
    const result = await attempt(args);
    if (result.code === 0) return result.stdout;
    throw new Error(`kubectl ${args.join(' ')}: exit code ${result.code}\n${result.stdout}${result.stderr}`);
  };
  return Object.assign(call, { try: attempt, path, env });
}
