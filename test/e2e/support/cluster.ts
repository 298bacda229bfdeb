import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kubectl, kubectlFor, run, type RunResult } from './run.ts';

const BIN = join(import.meta.dirname, '..', '..', '..', 'bin', 'tiphys.mjs');

export interface TestCluster extends AsyncDisposable {
  readonly dataDir: string;
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  /** Runs the command with this cluster's data directory. */
  tiphys(...args: string[]): Promise<RunResult>;
  /** `up --detach` again, after `down` or a kill. */
  up(...args: string[]): Promise<void>;
  state(): { server: { pid: number }; url: string; nodes: { name: string; agent?: { pid: number } }[] };
  /** Logs of all components: what a failing test prints. */
  logs(): string;
}

export interface StartOptions {
  readonly runtime: 'containerd' | 'process' | 'simulated';
  readonly nodes?: number;
  readonly args?: readonly string[];
}

/** Starts a cluster in a data directory of its own. Disposing it stops everything and removes the directory. */
export async function startCluster(options: StartOptions): Promise<TestCluster> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tiphys-e2e-'));
  const kubeconfig = join(dataDir, '..', `${dataDir.split('/').pop()}.kubeconfig`);
  const base = ['--runtime', options.runtime, '--nodes', String(options.nodes ?? 1), '--port', '0'];
  const tiphys = (command: string, ...args: string[]) =>
    run(process.execPath, [BIN, command, ...args, '--data-dir', dataDir], { timeoutMs: 180_000 });
  const logs = () =>
    existsSync(join(dataDir, 'logs'))
      ? readdirSync(join(dataDir, 'logs'))
          .map((name) => `--- ${name}\n${readFileSync(join(dataDir, 'logs', name), 'utf8').slice(-4_000)}`)
          .join('\n')
      : '';
  const up = async (...args: string[]) => {
    const result = await tiphys(
      'up',
      '--detach',
      '--kubeconfig',
      kubeconfig,
      ...base,
      ...(options.args ?? []),
      ...args,
    );
    if (result.code !== 0) throw new Error(`up failed: ${result.stdout}${result.stderr}\n${logs()}`);
  };
  const dispose = async () => {
    const result = await tiphys('delete');
    rmSync(dataDir, { recursive: true, force: true });
    rmSync(kubeconfig, { force: true });
    if (result.code !== 0) throw new Error(`delete failed: ${result.stdout}${result.stderr}`);
  };
  try {
    await up();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    dataDir,
    kubeconfig,
    kubectl: await kubectlFor(kubeconfig),
    tiphys,
    up,
    logs,
    // Safe: written by the command under test; a wrong shape fails the test that reads it.
    state: () => JSON.parse(readFileSync(join(dataDir, 'cluster.json'), 'utf8')) as ReturnType<TestCluster['state']>,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Starts `up` in the foreground, for tests of signals and messages. */
export function spawnTiphys(args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
}

export function runTiphys(...args: string[]): Promise<RunResult> {
  return run(process.execPath, [BIN, ...args], { timeoutMs: 120_000 });
}
