import { dirname } from 'node:path/posix';
import type {
  CgroupLimits,
  CgroupUsage,
  DiskUsage,
  FileInfo,
  Host,
  HostCgroups,
  HostFacts,
  HostFiles,
  HostMounts,
  MachineFacts,
  OpenedFile,
} from './host.ts';

const GIB = 1024 ** 3;

/** A machine in memory: deterministic, touches nothing. What a test wants to see or set is public. */
export class FakeHost implements Host {
  readonly files = new FakeFiles();
  readonly mounts = new FakeMounts();
  readonly cgroups: FakeCgroups;
  readonly facts: HostFacts;
  readonly machine: MachineFacts;

  /** Version 0 has no control groups: nothing is kept about them. */
  constructor(machine: Partial<MachineFacts> = {}, options: { cgroupVersion?: 0 | 2 } = {}) {
    this.cgroups = new FakeCgroups(options.cgroupVersion ?? 2);
    this.machine = { ...FAKE_MACHINE, ...machine };
    this.facts = new FakeFacts(this.machine);
  }
}

export const FAKE_MACHINE: MachineFacts = {
  cpuCount: 32,
  memoryBytes: 256 * GIB,
  hostname: 'fake',
  kernelVersion: '6.1.0-fake',
  osImage: 'Tiphys simulated node',
  operatingSystem: 'linux',
  architecture: 'amd64',
  machineId: '',
  systemUuid: '',
  bootId: '',
  addresses: ['127.0.0.1'],
  resolvConf: '',
};

class FakeFacts implements HostFacts {
  readonly #machine: MachineFacts;

  constructor(machine: MachineFacts) {
    this.#machine = machine;
  }

  machine(): Promise<MachineFacts> {
    return Promise.resolve(this.#machine);
  }

  diskUsage(): Promise<DiskUsage> {
    return Promise.resolve({
      totalBytes: 1024 * GIB,
      availableBytes: 1000 * GIB,
      totalInodes: 10_000_000,
      freeInodes: 9_000_000,
    });
  }

  availableMemoryBytes(): Promise<number> {
    return Promise.resolve(this.#machine.memoryBytes);
  }

  processCount(): Promise<{ running: number; max: number }> {
    return Promise.resolve({ running: 100, max: 4_194_304 });
  }
}

interface Entry {
  info: FileInfo;
  data: Uint8Array;
}

/** A flat map of paths; symlinks are not followed in the middle of a path. */
export class FakeFiles implements HostFiles {
  readonly #entries = new Map<string, Entry>([['/', entry('directory', 0o755)]]);

  async read(path: string): Promise<Uint8Array> {
    const found = this.#follow(path);
    if (found === undefined) throw missing(path);
    return found.data;
  }

  async open(path: string): Promise<OpenedFile> {
    const found = this.#follow(path);
    if (found === undefined) throw missing(path);
    const close = () => Promise.resolve();
    return {
      info: async () => found.info,
      read: async (offset, length) => found.data.subarray(offset, offset + length),
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  async write(path: string, data: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
    if (!this.#entries.has(dirname(path))) throw missing(path);
    this.#entries.set(path, entry('file', options.mode ?? 0o644, Buffer.from(data)));
  }

  async writeAtomic(path: string, data: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
    await this.write(path, data, options);
  }

  async makeDirectory(path: string, options: { mode?: number } = {}): Promise<void> {
    if (this.#entries.has(path)) return;
    await this.makeDirectory(dirname(path));
    this.#entries.set(path, entry('directory', options.mode ?? 0o755));
  }

  async remove(path: string): Promise<void> {
    for (const key of this.#entries.keys()) if (isWithin(key, path)) this.#entries.delete(key);
  }

  async rename(from: string, to: string): Promise<void> {
    if (!this.#entries.has(from)) throw missing(from);
    const moved = [...this.#entries].filter(([key]) => isWithin(key, from));
    for (const [key] of moved) this.#entries.delete(key);
    for (const [key, value] of moved) this.#entries.set(to + key.slice(from.length), value);
  }

  async symlink(target: string, path: string): Promise<void> {
    this.#entries.set(path, entry('symlink', 0o777, Buffer.from(target)));
  }

  async readLink(path: string): Promise<string> {
    const found = this.#entries.get(path);
    if (found === undefined) throw missing(path);
    return Buffer.from(found.data).toString();
  }

  async list(path: string): Promise<string[]> {
    if (!this.#entries.has(path)) throw missing(path);
    return [...this.#entries.keys()]
      .filter((key) => key !== path && dirname(key) === path)
      .map((key) => key.slice(path === '/' ? 1 : path.length + 1))
      .sort();
  }

  async stat(path: string): Promise<FileInfo | undefined> {
    return this.#follow(path)?.info;
  }

  async lstat(path: string): Promise<FileInfo | undefined> {
    return this.#entries.get(path)?.info;
  }

  async realPath(path: string): Promise<string> {
    if (this.#follow(path) === undefined) throw missing(path);
    return path;
  }

  async chmod(path: string, mode: number): Promise<void> {
    this.#change(path, { mode });
  }

  async chown(path: string, uid: number, gid: number): Promise<void> {
    this.#change(path, { uid, gid });
  }

  #change(path: string, change: Partial<FileInfo>): void {
    const found = this.#entries.get(path);
    if (found === undefined) throw missing(path);
    found.info = { ...found.info, ...change };
  }

  #follow(path: string): Entry | undefined {
    const found = this.#entries.get(path);
    if (found?.info.type !== 'symlink') return found;
    const target = Buffer.from(found.data).toString();
    return this.#follow(target.startsWith('/') ? target : `${dirname(path)}/${target}`);
  }
}

class FakeMounts implements HostMounts {
  canMount = true;
  readonly points = new Map<string, string>();

  async tmpfs(path: string): Promise<void> {
    this.points.set(path, 'tmpfs');
  }

  async bind(source: string, target: string): Promise<void> {
    this.points.set(target, source);
  }

  async unmount(path: string): Promise<void> {
    this.points.delete(path);
  }

  async listBelow(path: string): Promise<string[]> {
    return [...this.points.keys()]
      .filter((point) => isWithin(point, path))
      .sort((left, right) => right.length - left.length);
  }
}

class FakeCgroups implements HostCgroups {
  readonly version: 0 | 2;
  readonly groups = new Map<string, CgroupLimits>();

  constructor(version: 0 | 2) {
    this.version = version;
  }

  async create(path: string, limits: CgroupLimits): Promise<void> {
    this.groups.set(path, { ...this.groups.get(path), ...limits });
  }

  async update(path: string, limits: CgroupLimits): Promise<void> {
    await this.create(path, limits);
  }

  async remove(path: string): Promise<void> {
    for (const key of this.groups.keys()) if (isWithin(key, path)) this.groups.delete(key);
  }

  async list(path: string): Promise<string[]> {
    return [...this.groups.keys()].filter((key) => dirname(key) === path).map((key) => key.slice(path.length + 1));
  }

  async pids(): Promise<number[]> {
    return [];
  }

  async usage(): Promise<CgroupUsage | undefined> {
    return undefined;
  }
}

function entry(type: FileInfo['type'], mode: number, data: Uint8Array = new Uint8Array()): Entry {
  return { info: { type, mode, sizeBytes: data.byteLength, uid: 0, gid: 0, inode: 0, device: 0 }, data };
}

function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, '${path}'`), { code: 'ENOENT' });
}
