import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Clock } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { cpuWeight } from '../../host/linux-cgroups.ts';
import type { LinuxContainerResources } from '../contract.ts';
import { isErrno, readText } from '../linux-process.ts';

const V1_CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids'] as const;
const ROOT = '/sys/fs/cgroup';
// Half a second for killed processes to be reaped.
const REMOVE_ATTEMPTS_MAX = 100;
const REMOVE_POLL_MS = 5;

/** The folders that make up one container's cgroup: one under version 2, one a controller under version 1. */
export interface ContainerCgroup {
  readonly version: 1 | 2;
  readonly folders: Readonly<Record<string, string>>;
}

/** Whether this process may make cgroups: it needs root and a file system that can be written. */
export function canUseCgroups(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const probe = join(
    existsSync(join(ROOT, 'cgroup.controllers')) ? ROOT : join(ROOT, 'memory'),
    `tiphys-probe-${process.pid}`,
  );
  try {
    mkdirSync(probe);
    rmdirSync(probe);
    return true;
  } catch {
    // Read-only or forbidden: limits are then not enforced, which isolationNotes() says.
    return false;
  }
}

/** Makes the cgroup `parent/name` and sets its limits. `parent` is the pod's, made by the kubelet or here. */
export function createCgroup(parent: string, name: string, resources: LinuxContainerResources): ContainerCgroup {
  const cgroup = locateCgroup(parent, name);
  for (const folder of Object.values(cgroup.folders)) mkdirSync(folder, { recursive: true });
  applyLimits(cgroup, resources);
  return cgroup;
}

export function locateCgroup(parent: string, name: string): ContainerCgroup {
  if (existsSync(join(ROOT, 'cgroup.controllers'))) {
    return { version: 2, folders: { all: join(ROOT, parent, name) } };
  }
  const present = V1_CONTROLLERS.filter((controller) => existsSync(join(ROOT, controller)));
  return { version: 1, folders: Object.fromEntries(present.map((each) => [each, join(ROOT, each, parent, name)])) };
}

export function applyLimits(cgroup: ContainerCgroup, resources: LinuxContainerResources): void {
  const { cpuShares = 0, cpuQuota = 0, cpuPeriod = 100_000, memoryLimitInBytes = 0, pidsLimit = 0 } = resources;
  if (cgroup.version === 2) {
    if (cpuShares > 0) set(cgroup, 'all', 'cpu.weight', cpuWeight(cpuShares));
    if (cpuQuota > 0) set(cgroup, 'all', 'cpu.max', `${cpuQuota} ${cpuPeriod}`);
    if (memoryLimitInBytes > 0) set(cgroup, 'all', 'memory.max', memoryLimitInBytes);
    if (pidsLimit > 0) set(cgroup, 'all', 'pids.max', pidsLimit);
    return;
  }
  if (cpuShares > 0) set(cgroup, 'cpu', 'cpu.shares', cpuShares);
  if (cpuQuota > 0) {
    set(cgroup, 'cpu', 'cpu.cfs_period_us', cpuPeriod);
    set(cgroup, 'cpu', 'cpu.cfs_quota_us', cpuQuota);
  }
  if (memoryLimitInBytes > 0) set(cgroup, 'memory', 'memory.limit_in_bytes', memoryLimitInBytes);
  if (pidsLimit > 0) set(cgroup, 'pids', 'pids.max', pidsLimit);
}

export function procsFiles(cgroup: ContainerCgroup): string[] {
  return Object.values(cgroup.folders).map((folder) => join(folder, 'cgroup.procs'));
}

export function oomFiles(cgroup: ContainerCgroup): string[] {
  const folder = cgroup.folders['all'] ?? cgroup.folders['memory'];
  return folder === undefined ? [] : [join(folder, cgroup.version === 2 ? 'memory.events' : 'memory.oom_control')];
}

export function readUsage(cgroup: ContainerCgroup): {
  cpuNanoSeconds: number;
  memoryBytes: number;
  workingSetBytes: number;
} {
  const v2 = cgroup.folders['all'];
  const cpuNanoSeconds =
    v2 === undefined
      ? readNumber(cgroup.folders['cpuacct'], 'cpuacct.usage')
      : readField(v2, 'cpu.stat', 'usage_usec') * 1000;
  const memory = v2 ?? cgroup.folders['memory'];
  const memoryBytes = readNumber(memory, v2 === undefined ? 'memory.usage_in_bytes' : 'memory.current');
  const inactive = readField(memory, 'memory.stat', v2 === undefined ? 'total_inactive_file' : 'inactive_file');
  return { cpuNanoSeconds, memoryBytes, workingSetBytes: Math.max(0, memoryBytes - inactive) };
}

/** Removes a cgroup whose processes were killed just now; gives up with a line in the log after half a second. */
export async function removeCgroup(cgroup: ContainerCgroup, deps: { clock: Clock; log: Logger }): Promise<void> {
  for (let attempt = 0; !tryRemove(cgroup); attempt += 1) {
    if (attempt >= REMOVE_ATTEMPTS_MAX) {
      deps.log.warn('a cgroup stays behind', { folders: Object.values(cgroup.folders) });
      return;
    }
    await deps.clock.sleep(REMOVE_POLL_MS);
  }
}

/** False where a process that was just killed still holds it: try again in a moment. What is gone counts as removed. */
function tryRemove(cgroup: ContainerCgroup): boolean {
  let isRemoved = true;
  for (const folder of Object.values(cgroup.folders)) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if (isErrno(error, 'EBUSY')) isRemoved = false;
      else if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
  return isRemoved;
}

function set(cgroup: ContainerCgroup, controller: string, file: string, value: number | string): void {
  const folder = cgroup.folders[controller];
  if (folder === undefined) return;
  try {
    writeFileSync(join(folder, file), String(value));
  } catch (error) {
    // The controller is not delegated here, or the value is beyond the parent's: the pod runs without this limit.
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

function readNumber(folder: string | undefined, file: string): number {
  return folder === undefined ? 0 : Number(readText(join(folder, file)) ?? 0) || 0;
}

function readField(folder: string | undefined, file: string, field: string): number {
  if (folder === undefined) return 0;
  const text = readText(join(folder, file)) ?? '';
  const line = text.split('\n').find((each) => each.startsWith(`${field} `));
  return Number(line?.slice(field.length + 1) ?? 0);
}
