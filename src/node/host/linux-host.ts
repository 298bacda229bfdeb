import { readdir, readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import type { Host, HostCgroups, HostFacts, HostMounts, MachineFacts } from './host.ts';
import { openLinuxCgroups } from './linux-cgroups.ts';
import { NodeFiles } from './node-files.ts';
import { NO_MOUNTS, PortableFacts } from './portable-host.ts';
import { type RunCommand, runCommand } from './run-command.ts';

/** A Linux machine. Mounts and control groups need root; without it they answer as on a machine that has none. */
export class LinuxHost implements Host {
  readonly files = new NodeFiles();
  readonly facts: HostFacts = new LinuxFacts();
  readonly mounts: HostMounts;
  readonly cgroups: HostCgroups;

  constructor(options: { run?: RunCommand; cgroupRoot?: string; isRoot?: boolean } = {}) {
    const isRoot = options.isRoot ?? process.getuid?.() === 0;
    this.mounts = isRoot ? new LinuxMounts(options.run ?? runCommand) : NO_MOUNTS;
    this.cgroups = openLinuxCgroups(options.cgroupRoot ?? '/sys/fs/cgroup', { isWritable: isRoot });
  }
}

/** Mounts through mount(8): node has no system call for it. */
class LinuxMounts implements HostMounts {
  readonly canMount = true;
  readonly #run: RunCommand;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  async tmpfs(path: string, options: { sizeBytes?: number; mode?: number }): Promise<void> {
    const flags = [
      ...(options.sizeBytes === undefined ? [] : [`size=${options.sizeBytes}`]),
      ...(options.mode === undefined ? [] : [`mode=${options.mode.toString(8)}`]),
    ];
    await this.#run('mount', ['-t', 'tmpfs', ...(flags.length === 0 ? [] : ['-o', flags.join(',')]), 'tmpfs', path]);
  }

  async bind(source: string, target: string, options: { readonly?: boolean } = {}): Promise<void> {
    await this.#run('mount', ['--bind', source, target]);
    if (options.readonly === true) await this.#run('mount', ['-o', 'remount,bind,ro', target]);
  }

  async unmount(path: string): Promise<void> {
    if (!(await this.listBelow(path)).includes(path)) return;
    await this.#run('umount', [path]);
  }

  async listBelow(path: string): Promise<string[]> {
    const table = await readFile('/proc/self/mountinfo', 'utf8');
    const points = table
      .split('\n')
      .map((line) => unescapeMount(line.split(' ')[4] ?? ''))
      .filter((point) => point === path || point.startsWith(`${path}/`));
    return points.sort((left, right) => right.length - left.length);
  }
}

/** mountinfo writes blanks and backslashes as octal. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

class LinuxFacts extends PortableFacts {
  override async machine(): Promise<MachineFacts> {
    const machineId = await firstLine(['/etc/machine-id', '/var/lib/dbus/machine-id']);
    return {
      ...(await super.machine()),
      osImage: await osImage(),
      machineId,
      systemUuid: (await firstLine(['/sys/class/dmi/id/product_uuid'])) || machineId,
      bootId: await firstLine(['/proc/sys/kernel/random/boot_id']),
      resolvConf: await resolvConf(),
    };
  }

  override async availableMemoryBytes(): Promise<number> {
    const match = /^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'));
    return match === null ? super.availableMemoryBytes() : Number(match[1]) * 1024;
  }

  override async processCount(): Promise<{ running: number; max: number }> {
    const running = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).length;
    const max = Number(await firstLine(['/proc/sys/kernel/pid_max']));
    return { running, max: max > 0 ? max : Number.MAX_SAFE_INTEGER };
  }
}

async function osImage(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux';
}

/** systemd-resolved's stub listens on a loopback that pods cannot reach; its upstream servers stand in another file. */
async function resolvConf(): Promise<string> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const real = '/run/systemd/resolve/resolv.conf';
  return /^nameserver\s+127\.0\.0\.53$/m.test(text) && existsSync(real) ? readFile(real, 'utf8') : text;
}

async function firstLine(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const text = (await readFile(path, 'utf8').catch(() => '')).trim();
    if (text !== '') return text;
  }
  return '';
}
