import type {
  Container,
  ContainerConfig,
  ContainerStats,
  ContainerStatus,
  Image,
  LinuxContainerResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
} from '../contract.ts';
import type {
  WireContainer,
  WireContainerStats,
  WireContainerStatus,
  WireImage,
  WireSandbox,
  WireSandboxStatus,
} from './wire.ts';

type Message = Record<string, unknown>;

const NANOSECONDS_PER_MS = 1_000_000;

/** The contract uses the protocol's names, so only what protobuf boxes or nests differently is rewritten here. */
export function sandboxConfigToWire(config: PodSandboxConfig): Message {
  const { runAsUser, runAsGroup, ...security } = config.linux.securityContext;
  return {
    ...config,
    // On the node's network the pod has the node's UTS namespace, where runc refuses to set a name.
    hostname: security.namespaceOptions.network === 'NODE' ? '' : config.hostname,
    linux: {
      cgroupParent: config.linux.cgroupParent,
      sysctls: config.linux.sysctls,
      securityContext: { ...security, ...boxed('runAsUser', runAsUser), ...boxed('runAsGroup', runAsGroup) },
    },
  };
}

export function containerConfigToWire(config: ContainerConfig): Message {
  const { runAsUser, runAsGroup, capabilities, ...security } = config.linux.securityContext;
  const wireCapabilities =
    capabilities === undefined
      ? {}
      : { capabilities: { addCapabilities: capabilities.add, dropCapabilities: capabilities.drop } };
  return {
    ...config,
    linux: {
      resources: resourcesToWire(config.linux.resources),
      securityContext: {
        ...security,
        ...wireCapabilities,
        ...boxed('runAsUser', runAsUser),
        ...boxed('runAsGroup', runAsGroup),
      },
    },
  };
}

export function resourcesToWire(resources: LinuxContainerResources): Message {
  // CRI has no field for a container's process limit; the kubelet sets it on the pod's cgroup.
  const { pidsLimit: _pidsLimit, ...rest } = resources;
  return rest;
}

export function sandboxFromWire(wire: WireSandbox): PodSandbox {
  return {
    id: wire.id,
    metadata: wire.metadata ?? { name: '', uid: '', namespace: '', attempt: 0 },
    state: wire.state,
    createdAtMs: toMs(wire.createdAt),
    labels: wire.labels,
    annotations: wire.annotations,
  };
}

export function sandboxStatusFromWire(wire: WireSandboxStatus): PodSandboxStatus {
  const ip = wire.network?.ip ?? '';
  return {
    ...sandboxFromWire(wire),
    ...(ip === '' ? {} : { ip }),
    additionalIps: (wire.network?.additionalIps ?? []).map((additional) => additional.ip),
  };
}

export function containerFromWire(wire: WireContainer): Container {
  return {
    id: wire.id,
    podSandboxId: wire.podSandboxId,
    metadata: wire.metadata ?? { name: '', attempt: 0 },
    image: wire.image?.image ?? '',
    imageRef: wire.imageRef,
    state: wire.state,
    createdAtMs: toMs(wire.createdAt),
    labels: wire.labels,
    annotations: wire.annotations,
  };
}

export function containerStatusFromWire(wire: WireContainerStatus, podSandboxId: string): ContainerStatus {
  const user = wire.user?.linux ?? undefined;
  return {
    ...containerFromWire({ ...wire, podSandboxId }),
    startedAtMs: toMs(wire.startedAt),
    finishedAtMs: toMs(wire.finishedAt),
    exitCode: wire.exitCode,
    reason: wire.reason,
    message: wire.message,
    mounts: wire.mounts,
    logPath: wire.logPath,
    ...(user === undefined ? {} : { user }),
  };
}

export function statsFromWire(wire: WireContainerStats): ContainerStats {
  return {
    containerId: wire.attributes?.id ?? '',
    labels: wire.attributes?.labels ?? {},
    name: wire.attributes?.metadata?.name ?? '',
    timestampMs: toMs(wire.cpu?.timestamp ?? 0),
    cpuUsageCoreNanoSeconds: wire.cpu?.usageCoreNanoSeconds?.value ?? 0,
    memoryWorkingSetBytes: wire.memory?.workingSetBytes?.value ?? 0,
    memoryUsageBytes: wire.memory?.usageBytes?.value ?? 0,
    writableLayerBytes: wire.writableLayer?.usedBytes?.value ?? 0,
  };
}

export function imageFromWire(wire: WireImage): Image {
  return {
    id: wire.id,
    repoTags: wire.repoTags,
    repoDigests: wire.repoDigests,
    sizeBytes: wire.size,
    ...(wire.uid === null ? {} : { uid: wire.uid.value }),
    username: wire.username,
    pinned: wire.pinned,
  };
}

function boxed(name: string, value: number | undefined): Message {
  return value === undefined ? {} : { [name]: { value } };
}

/** Go's zero time is negative nanoseconds in some runtimes: also "not yet". */
function toMs(nanoseconds: number): number {
  return nanoseconds <= 0 ? 0 : Math.floor(nanoseconds / NANOSECONDS_PER_MS);
}
