import type {
  Container,
  ContainerState,
  ContainerStats,
  ContainerStatus,
  PodSandbox,
  PodSandboxStatus,
  SandboxState,
} from '../contract.ts';
import { readStat } from '../linux-process.ts';
import { readUsage } from './cgroup.ts';
import { descendants } from './process-tree.ts';
import type { ContainerRecord, SandboxRecord } from './records.ts';
import type { ExitRecord, PidRecord } from './supervisor/protocol.ts';

// sysconf(_SC_CLK_TCK) and the page size of every Linux this runs on.
const NANOSECONDS_PER_TICK = 10_000_000;
const PAGE_BYTES = 4096;

/** Where a container is in its life, from the files that tell. */
export interface Progress {
  readonly pid: PidRecord | undefined;
  readonly exit: ExitRecord | undefined;
}

export function stateOf(progress: Progress): ContainerState {
  if (progress.exit !== undefined) return 'EXITED';
  return progress.pid === undefined ? 'CREATED' : 'RUNNING';
}

export function containerView(record: ContainerRecord, progress: Progress): Container {
  const { config } = record;
  return {
    id: record.id,
    podSandboxId: record.sandboxId,
    metadata: config.metadata,
    image: record.imageName,
    imageRef: record.imageId,
    state: stateOf(progress),
    createdAtMs: record.createdAtMs,
    labels: config.labels,
    annotations: config.annotations,
  };
}

export function containerStatusView(record: ContainerRecord, progress: Progress): ContainerStatus {
  const { pid, exit } = progress;
  return {
    ...containerView(record, progress),
    startedAtMs: pid?.startedAtMs ?? exit?.finishedAtMs ?? 0,
    finishedAtMs: exit?.finishedAtMs ?? 0,
    exitCode: exit?.exitCode ?? 0,
    reason: exit?.reason ?? '',
    message: exit?.message ?? '',
    mounts: record.config.mounts,
    logPath: record.logPath,
    user: { uid: record.user.uid, gid: record.user.gid, supplementalGroups: [...record.user.groups] },
  };
}

export function sandboxView(record: SandboxRecord, state: SandboxState): PodSandbox {
  const { metadata, labels, annotations } = record.config;
  return { id: record.id, metadata, state, createdAtMs: record.createdAtMs, labels, annotations };
}

export function sandboxStatusView(record: SandboxRecord, state: SandboxState): PodSandboxStatus {
  const isHostNetwork = record.config.linux.securityContext.namespaceOptions.network === 'NODE';
  const { ip, additionalIps } = record.address;
  return { ...sandboxView(record, state), ...(isHostNetwork || ip === '' ? {} : { ip }), additionalIps };
}

/** From the container's cgroup, else summed over its processes. */
export function statsView(record: ContainerRecord, pid: number, nowMs: number): ContainerStats {
  const usage = record.cgroup === undefined ? sumProcesses(pid) : readUsage(record.cgroup);
  return {
    containerId: record.id,
    labels: record.config.labels,
    name: record.config.metadata.name,
    timestampMs: nowMs,
    cpuUsageCoreNanoSeconds: usage.cpuNanoSeconds,
    memoryWorkingSetBytes: usage.workingSetBytes,
    memoryUsageBytes: usage.memoryBytes,
    writableLayerBytes: 0,
  };
}

function sumProcesses(pid: number): { cpuNanoSeconds: number; memoryBytes: number; workingSetBytes: number } {
  let [ticks, pages] = [0, 0];
  for (const each of process.platform === 'linux' ? [pid, ...descendants(pid)] : []) {
    const fields = readStat(each);
    // utime, stime and those of reaped children are fields 14 to 17, rss is field 24; the list begins at field 3.
    for (const index of [11, 12, 13, 14]) ticks += Number(fields?.[index] ?? 0);
    pages += Number(fields?.[21] ?? 0);
  }
  const memoryBytes = pages * PAGE_BYTES;
  return { cpuNanoSeconds: ticks * NANOSECONDS_PER_TICK, memoryBytes, workingSetBytes: memoryBytes };
}
