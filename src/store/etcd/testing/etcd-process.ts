import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealClock } from '#machinery/clock/real-clock.ts';
import { EtcdClient, type EtcdTls } from '../etcd-client.ts';

/** Where Debian, etcd's own archive and the project's set-up put it. */
const PROGRAMS = [
  '/usr/bin/etcd',
  '/usr/local/bin/etcd',
  join(import.meta.dirname, '..', '..', '..', '..', 'node_modules', '.debian', 'usr', 'bin', 'etcd'),
];
const START_TIMEOUT_MS = 20_000;
const clock = new RealClock();

/** Why tests with a real etcd cannot run here; undefined where they can. */
export function missingEtcd(): string | undefined {
  return program() === undefined
    ? 'etcd is not installed ("npm test" brings Debian\'s etcd-server where it can)'
    : undefined;
}

export interface EtcdMemberOptions {
  readonly name?: string;
  readonly folder: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** `name=peerUrl,…`; default: this member alone. */
  readonly initialCluster?: string;
  readonly isExisting?: boolean;
  readonly flags?: readonly string[];
  /** How its readiness is asked for where `clientUrl` is `https`. */
  readonly tls?: EtcdTls;
  /** Run by another program, such as `nsenter --net=…`. */
  readonly wrap?: readonly string[];
}

/** One real etcd process, for tests. */
export class EtcdMember {
  readonly options: EtcdMemberOptions;
  #process: ChildProcess | undefined;
  #output = '';

  constructor(options: EtcdMemberOptions) {
    this.options = options;
  }

  get endpoint(): string {
    return this.options.clientUrl;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  start(): void {
    const { name = 'one', folder, clientUrl, peerUrl, wrap = [], flags = [] } = this.options;
    const [command = '', ...args] = [
      ...wrap,
      program() ?? 'etcd',
      `--name=${name}`,
      `--data-dir=${join(folder, name)}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=${this.options.initialCluster ?? `${name}=${peerUrl}`}`,
      `--initial-cluster-state=${this.options.isExisting === true ? 'existing' : 'new'}`,
      // Soon a leader, and soon another one.
      '--heartbeat-interval=20',
      '--election-timeout=200',
      '--logger=zap',
      '--log-level=error',
      ...flags,
    ];
    // etcd 3.4 wants to be told that an arm64 machine is meant.
    const env = process.arch === 'arm64' ? { ...process.env, ETCD_UNSUPPORTED_ARCH: 'arm64' } : process.env;
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-8000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => keep(Buffer.from(error.message)));
    this.#process = child;
  }

  /** Resolves when it serves linearizable reads. */
  async ready(): Promise<void> {
    const { tls } = this.options;
    const client = new EtcdClient({ endpoints: [this.endpoint], ...(tls === undefined ? {} : { tls }) }, { clock });
    const endsAtMs = clock.monotonic() + START_TIMEOUT_MS;
    try {
      for (;;) {
        try {
          const request = { key: Buffer.from('ready'), countOnly: true };
          await client.callMember(0, 'range', { request, timeoutMs: 1000 });
          return;
        } catch (error) {
          if (clock.monotonic() > endsAtMs || this.#process?.exitCode !== null) {
            throw new Error(`etcd did not start: ${this.#output}`, { cause: error });
          }
        }
        await clock.sleep(20);
      }
    } finally {
      client.close();
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends it, by default without any chance to tidy up. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGCONT');
      child.kill(signal);
    });
  }
}

/** One member, or several that know one another, on loopback; stopped and removed when disposed of. */
export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;

  private constructor(folder: string, members: readonly EtcdMember[]) {
    this.#folder = folder;
    this.members = members;
  }

  static async start(
    options: { size?: number; flags?: readonly string[]; isDurable?: boolean } = {},
  ): Promise<EtcdCluster> {
    const { size = 1, flags = [], isDurable = false } = options;
    // In memory where that is possible: a test is not about the disk.
    const base = existsSync('/dev/shm') && !isDurable ? '/dev/shm' : tmpdir();
    const folder = mkdtempSync(join(base, 'tiphys-etcd-'));
    const ports = await freePorts(size * 2);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const names = Array.from({ length: size }, (_, index) => `member-${index}`);
    const initialCluster = names.map((name, index) => `${name}=${urls[size + index]}`).join(',');
    const members = names.map((name, index) => {
      const [clientUrl = '', peerUrl = ''] = [urls[index], urls[size + index]];
      return new EtcdMember({ name, folder, clientUrl, peerUrl, initialCluster, flags });
    });
    const cluster = new EtcdCluster(folder, members);
    try {
      for (const member of members) member.start();
      await Promise.all(members.map((member) => member.ready()));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** A member that is not one of the others yet; the caller tells them, starts it, and stops it. */
  async newcomer(name: string, others: readonly EtcdMember[]): Promise<EtcdMember> {
    const [clientPort = 0, peerPort = 0] = await freePorts(2);
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    const known = others.map((member) => `${member.options.name}=${member.options.peerUrl}`);
    return new EtcdMember({
      name,
      folder: this.#folder,
      clientUrl: `http://127.0.0.1:${clientPort}`,
      peerUrl,
      initialCluster: [...known, `${name}=${peerUrl}`].join(','),
      isExisting: true,
    });
  }

  /** `3.4.23`. */
  version(): string {
    const { stdout } = spawnSync(program() ?? 'etcd', ['--version'], { encoding: 'utf8' });
    return /etcd Version: (\S+)/.exec(stdout)?.[1] ?? 'of an unknown version';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Free ports of loopback; another program may take one before it is used, as ever. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve, reject) => {
            server.once('error', reject);
            server.listen(0, '127.0.0.1', () => {
              const address = server.address();
              resolve(typeof address === 'object' && address !== null ? address.port : 0);
            });
          }),
      ),
    );
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function program(): string | undefined {
  return PROGRAMS.find((path) => existsSync(path));
}
