import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadJob, LoadResult } from './load.ts';

/** One line of the table. */
export interface Row {
  readonly name: string;
  /** What was measured: object size, TLS, durability, which components were on. */
  readonly conditions: string;
  readonly figures: Readonly<Record<string, number>>;
}

/** The built command; `TIPHYS_BENCH_BIN` measures another build, for comparisons. */
export const BIN = process.env['TIPHYS_BENCH_BIN'] ?? join(import.meta.dirname, '..', 'bin', 'tiphys.mjs');

const TICKS_PER_SECOND = 100;

export interface Server {
  readonly kubeconfig: string;
  readonly pid: number;
  readonly readyMs: number;
  /** The event loop's worst delay since the last call. */
  worstDelayMs(): Promise<number | undefined>;
  /** One request as administrator; rejects unless it is answered with 2xx. */
  ask(path: string, options?: { method?: string; body?: string; accept?: string }): Promise<string>;
  stop(): Promise<void>;
}

export interface LoadRun extends LoadResult {
  /** The server's own time on a processor for each operation: less noisy than the clock on a shared machine. */
  readonly cpuMicros: number;
  readonly worstDelayMs: number | undefined;
}

/** A server with a data directory of its own while `use` runs. */
export async function withServer<T>(use: (server: Server) => Promise<T>, args: readonly string[] = []): Promise<T> {
  return withDataDirectory(async (dataDir) => {
    const server = await startServer(dataDir, args);
    try {
      return await use(server);
    } finally {
      await server.stop();
    }
  });
}

export async function withDataDirectory<T>(use: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tiphys-bench-'));
  try {
    return await use(dataDir);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

export async function startServer(dataDir: string, args: readonly string[] = []): Promise<Server> {
  const from = performance.now();
  const child = spawn(process.execPath, [BIN, 'server', '--data-dir', dataDir, '--port', '0', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const kubeconfig = join(dataDir, 'admin.conf');
  const ask = await pollReady(child, kubeconfig);
  return {
    kubeconfig,
    pid: child.pid ?? 0,
    readyMs: performance.now() - from,
    ask,
    worstDelayMs: async () => {
      const metrics = await ask('/metrics');
      const value = /^tiphys_event_loop_delay_worst_seconds(?:\{[^}]*\})? (\S+)$/m.exec(metrics)?.[1];
      return value === undefined ? undefined : Number(value) * 1_000;
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

async function pollReady(child: ChildProcess, kubeconfig: string): Promise<Server['ask']> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    const ask = existsSync(kubeconfig) ? asker(kubeconfig) : undefined;
    if (ask !== undefined) {
      const ready = await ask('/readyz').catch(() => '');
      if (ready === 'ok') return ask;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function asker(kubeconfig: string): Server['ask'] {
  const text = readFileSync(kubeconfig, 'utf8');
  const field = (name: string) => new RegExp(`${name}: (\\S+)`).exec(text)?.[1] ?? '';
  const decode = (name: string) => Buffer.from(field(name), 'base64').toString();
  const agent = new Agent({
    ca: decode('certificate-authority-data'),
    cert: decode('client-certificate-data'),
    key: decode('client-key-data'),
  });
  return (path, { method = 'GET', body, accept } = {}) =>
    new Promise((resolve, reject) => {
      const headers = {
        ...(accept === undefined ? {} : { accept }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const outgoing = request(`${field('server')}${path}`, { agent, method, headers }, (incoming) => {
        let answer = '';
        incoming.on('data', (chunk: Buffer) => {
          answer += chunk.toString();
        });
        incoming.on('end', () => {
          const { statusCode = 0 } = incoming;
          if (statusCode >= 200 && statusCode < 300) resolve(answer);
          else reject(new Error(`${method} ${path} answered ${statusCode}: ${answer.slice(0, 300)}`));
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
}

/** Runs a job in a process of its own; the result carries what it cost the server. */
export async function load(server: Server, job: Omit<LoadJob, 'kubeconfig'>): Promise<LoadRun> {
  await server.worstDelayMs();
  const before = cpuSeconds(server.pid);
  const result = await loadFrom(server.kubeconfig, job);
  const cpuMicros = ((cpuSeconds(server.pid) - before) * 1e6) / Math.max(1, result.count);
  return { ...result, cpuMicros, worstDelayMs: await server.worstDelayMs() };
}

export function loadFrom(kubeconfig: string, job: Omit<LoadJob, 'kubeconfig'>): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const full: LoadJob = { ...job, kubeconfig };
    const child = spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), JSON.stringify(full)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      // Safe: load.ts wrote it.
      if (code === 0) resolve(JSON.parse(output) as LoadResult);
      else reject(new Error(`the load generator ended with code ${code}`));
    });
  });
}

export function row(name: string, conditions: string, result: LoadRun): Row {
  const { perSecond, p50Ms, p99Ms, maxMs, cpuMicros, worstDelayMs } = result;
  const delay = worstDelayMs === undefined ? {} : { eventLoopWorstMs: worstDelayMs };
  return { name, conditions, figures: { perSecond, p50Ms, p99Ms, maxMs, serverCpuMicros: cpuMicros, ...delay } };
}

/** User and system time of a process so far. */
export function cpuSeconds(pid: number): number {
  const fields = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** `RssAnon` leaves out the pages of the store's file that happen to be in memory. */
export function rssMegabytes(pid: number, field: 'VmRSS' | 'RssAnon' = 'VmRSS'): number {
  return (
    Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  );
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
