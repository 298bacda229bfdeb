import { readFile, statfs } from 'node:fs/promises';
import {
  availableParallelism,
  arch,
  freemem,
  hostname,
  networkInterfaces,
  platform,
  release,
  totalmem,
  type,
  version,
} from 'node:os';
import type { DiskUsage, Host, HostCgroups, HostFacts, HostMounts, MachineFacts } from './host.ts';
import { NodeFiles } from './node-files.ts';

/** What any operating system gives: files and facts, but neither mounts nor control groups. */
export class PortableHost implements Host {
  readonly files = new NodeFiles();
  readonly mounts: HostMounts = NO_MOUNTS;
  readonly cgroups: HostCgroups = NO_CGROUPS;
  readonly facts: HostFacts = new PortableFacts();
}

export class PortableFacts implements HostFacts {
  async machine(): Promise<MachineFacts> {
    return {
      cpuCount: availableParallelism(),
      memoryBytes: totalmem(),
      hostname: hostname().toLowerCase(),
      kernelVersion: release(),
      osImage: `${type()} ${version()}`.trim(),
      operatingSystem: goSystem(),
      architecture: goArchitecture(),
      machineId: '',
      systemUuid: '',
      bootId: '',
      addresses: machineAddresses(),
      resolvConf: await readFile('/etc/resolv.conf', 'utf8').catch(() => ''),
    };
  }

  async diskUsage(path: string): Promise<DiskUsage> {
    const stats = await statfs(path);
    return {
      totalBytes: stats.blocks * stats.bsize,
      availableBytes: stats.bavail * stats.bsize,
      totalInodes: stats.files,
      freeInodes: stats.ffree,
    };
  }

  async availableMemoryBytes(): Promise<number> {
    return freemem();
  }

  async processCount(): Promise<{ running: number; max: number }> {
    return { running: 0, max: Number.MAX_SAFE_INTEGER };
  }
}

export const NO_MOUNTS: HostMounts = {
  canMount: false,
  tmpfs: () => Promise.reject(new Error('this host cannot mount')),
  bind: () => Promise.reject(new Error('this host cannot mount')),
  unmount: () => Promise.resolve(),
  listBelow: () => Promise.resolve([]),
};

export const NO_CGROUPS: HostCgroups = {
  version: 0,
  create: () => Promise.resolve(),
  update: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  list: () => Promise.resolve([]),
  pids: () => Promise.resolve([]),
  usage: () => Promise.resolve(undefined),
};

function goSystem(): string {
  const name = platform();
  return name === 'win32' ? 'windows' : name;
}

function goArchitecture(): string {
  const name = arch();
  if (name === 'x64') return 'amd64';
  return name === 'ia32' ? '386' : name;
}

function machineAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const reachable = all.filter((one) => !one.internal && !one.address.startsWith('fe80:'));
  const ordered = [
    ...reachable.filter((one) => one.family === 'IPv4'),
    ...reachable.filter((one) => one.family === 'IPv6'),
  ];
  return ordered.length === 0 ? ['127.0.0.1'] : ordered.map((one) => one.address);
}
