import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CgroupLimits, type CgroupUsage, hasCode, type HostCgroups } from './host.ts';
import { NO_CGROUPS } from './portable-host.ts';

/** Version 1 (one hierarchy a controller) or 2 (one for all), by what is mounted at `root`. */
export function openLinuxCgroups(root: string, options: { isWritable: boolean }): HostCgroups {
  if (!options.isWritable) return NO_CGROUPS;
  if (existsSync(join(root, 'cgroup.controllers'))) return new CgroupsV2(root);
  return existsSync(join(root, 'memory')) ? new CgroupsV1(root) : NO_CGROUPS;
}

const V1_CONTROLLERS = [
  'cpu',
  'cpuacct',
  'memory',
  'pids',
  'cpuset',
  'devices',
  'freezer',
  'blkio',
  'systemd',
] as const;

class CgroupsV1 implements HostCgroups {
  readonly version = 1;
  readonly #root: string;
  /** Several controllers may share a hierarchy (`cpu,cpuacct`); the links in the root resolve them. */
  readonly #controllers: readonly string[];

  constructor(root: string) {
    this.#root = root;
    this.#controllers = V1_CONTROLLERS.filter((name) => existsSync(join(root, name)));
  }

  async create(path: string, limits: CgroupLimits): Promise<void> {
    for (const controller of this.#controllers) {
      await mkdir(join(this.#root, controller, path), { recursive: true });
      if (controller === 'cpuset') await this.#inheritCpuset(path);
    }
    await this.update(path, limits);
  }

  async update(path: string, limits: CgroupLimits): Promise<void> {
    const at = (controller: string, file: string) => join(this.#root, controller, path, file);
    if (limits.cpuShares !== undefined) await put(at('cpu', 'cpu.shares'), String(limits.cpuShares));
    if (limits.cpuPeriodMicros !== undefined) await put(at('cpu', 'cpu.cfs_period_us'), String(limits.cpuPeriodMicros));
    if (limits.cpuQuotaMicros !== undefined) await put(at('cpu', 'cpu.cfs_quota_us'), String(limits.cpuQuotaMicros));
    if (limits.memoryBytes !== undefined) await put(at('memory', 'memory.limit_in_bytes'), String(limits.memoryBytes));
    if (limits.pidsMax !== undefined) await put(at('pids', 'pids.max'), String(limits.pidsMax));
  }

  async remove(path: string): Promise<void> {
    for (const controller of this.#controllers) await removeTree(join(this.#root, controller, path));
    // On hybrid hosts the runtime makes the same path in version 2's hierarchy, too.
    await removeTree(join(this.#root, 'unified', path));
  }

  async list(path: string): Promise<string[]> {
    return children(join(this.#root, this.#controllers[0] ?? '', path));
  }

  async pids(path: string): Promise<number[]> {
    return processIds(join(this.#root, this.#controllers[0] ?? '', path));
  }

  async usage(path: string): Promise<CgroupUsage | undefined> {
    const cpu = await readNumber(join(this.#root, 'cpuacct', path, 'cpuacct.usage'));
    const memory = await readNumber(join(this.#root, 'memory', path, 'memory.usage_in_bytes'));
    if (cpu === undefined || memory === undefined) return undefined;
    const inactive = await statValue(join(this.#root, 'memory', path, 'memory.stat'), 'total_inactive_file');
    return { cpuUsageNanos: cpu, memoryUsageBytes: memory, memoryWorkingSetBytes: Math.max(0, memory - inactive) };
  }

  /** A new cpuset group is empty and unusable until it has its parent's processors and memory nodes. */
  async #inheritCpuset(path: string): Promise<void> {
    let at = join(this.#root, 'cpuset');
    for (const part of path.split('/').filter((one) => one !== '')) {
      const child = join(at, part);
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const own = await readFile(join(child, file), 'utf8').catch(() => 'absent');
        if (own.trim() === '') await put(join(child, file), (await readFile(join(at, file), 'utf8')).trim());
      }
      at = child;
    }
  }
}

const V2_CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb'];
// Processes that are moved may fork meanwhile.
const CLEAR_ATTEMPTS_MAX = 10;

class CgroupsV2 implements HostCgroups {
  readonly version = 2;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async create(path: string, limits: CgroupLimits): Promise<void> {
    let at = this.#root;
    for (const part of path.split('/').filter((one) => one !== '')) {
      // Controllers must be handed down one level at a time.
      await this.#delegate(at);
      at = join(at, part);
      await mkdir(at, { recursive: true });
    }
    await this.#delegate(at);
    await this.update(path, limits);
  }

  async update(path: string, limits: CgroupLimits): Promise<void> {
    const at = (file: string) => join(this.#root, path, file);
    if (limits.cpuShares !== undefined) await put(at('cpu.weight'), String(cpuWeight(limits.cpuShares)));
    if (limits.cpuQuotaMicros !== undefined) {
      const quota = limits.cpuQuotaMicros < 0 ? 'max' : String(limits.cpuQuotaMicros);
      await put(at('cpu.max'), `${quota} ${limits.cpuPeriodMicros ?? 100_000}`);
    }
    if (limits.memoryBytes !== undefined) {
      await put(at('memory.max'), limits.memoryBytes < 0 ? 'max' : String(limits.memoryBytes));
    }
    if (limits.pidsMax !== undefined) await put(at('pids.max'), String(limits.pidsMax));
  }

  async remove(path: string): Promise<void> {
    await removeTree(join(this.#root, path));
  }

  async list(path: string): Promise<string[]> {
    return children(join(this.#root, path));
  }

  async pids(path: string): Promise<number[]> {
    return processIds(join(this.#root, path));
  }

  async usage(path: string): Promise<CgroupUsage | undefined> {
    const memory = await readNumber(join(this.#root, path, 'memory.current'));
    if (memory === undefined) return undefined;
    const micros = await statValue(join(this.#root, path, 'cpu.stat'), 'usage_usec');
    const inactive = await statValue(join(this.#root, path, 'memory.stat'), 'inactive_file');
    return {
      cpuUsageNanos: micros * 1000,
      memoryUsageBytes: memory,
      memoryWorkingSetBytes: Math.max(0, memory - inactive),
    };
  }

  async #delegate(directory: string): Promise<void> {
    const available = (await readFile(join(directory, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    const handDown = async () => {
      for (const controller of V2_CONTROLLERS) {
        if (available.includes(controller)) await put(join(directory, 'cgroup.subtree_control'), `+${controller}`);
      }
    };
    try {
      await handDown();
    } catch (error) {
      // In a container the root is some cgroup of the host, and may not both hold processes and hand controllers down.
      if (directory !== this.#root || !hasCode(error, 'EBUSY')) throw error;
      await this.#clearRoot();
      await handDown();
    }
  }

  /** Moves the processes of the root into a cgroup of their own beside the pods'. */
  async #clearRoot(): Promise<void> {
    const refuge = join(this.#root, 'init');
    await mkdir(refuge, { recursive: true });
    for (let attempt = 0; attempt < CLEAR_ATTEMPTS_MAX; attempt += 1) {
      const found = await processIds(this.#root);
      if (found.length === 0) return;
      for (const pid of found) {
        await writeFile(join(refuge, 'cgroup.procs'), String(pid)).catch((error: unknown) => {
          // It has ended meanwhile.
          if (!hasCode(error, 'ESRCH')) throw error;
        });
      }
    }
  }
}

/**
 * The kernel's scale of version 2 for version 1's shares (2..262144 to 1..10000), with 1024 at the default of 100: the
 * quadratic rule that runtimes and kubelets use since 2025 (opencontainers/runc#4785).
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** Writes a control file. Never makes one: where it is missing a cgroup file system refuses with EACCES. */
async function put(path: string, value: string): Promise<void> {
  try {
    await writeFile(path, value, { flag: 'r+' });
  } catch (error) {
    // A controller that this kernel or container does not have limits nothing.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

async function removeTree(directory: string): Promise<void> {
  try {
    for (const child of await children(directory)) await removeTree(join(directory, child));
    await rmdir(directory);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

async function children(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((one) => one.isDirectory()).map((one) => one.name);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function processIds(directory: string): Promise<number[]> {
  const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

async function statValue(path: string, name: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}
