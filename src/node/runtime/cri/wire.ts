/** What the descriptor's decoder hands out for the responses this client reads: every field is there. */

export interface WireSandbox {
  readonly id: string;
  readonly metadata: { name: string; uid: string; namespace: string; attempt: number } | null;
  readonly state: 'READY' | 'NOTREADY';
  /** Nanoseconds, rounded to what a double holds (about a quarter of a microsecond). */
  readonly createdAt: number;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

export interface WireSandboxStatus extends WireSandbox {
  readonly network: { ip: string; additionalIps: { ip: string }[] } | null;
}

export interface WireContainer {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { name: string; attempt: number } | null;
  readonly image: { image: string } | null;
  readonly imageRef: string;
  readonly state: 'CREATED' | 'RUNNING' | 'EXITED' | 'UNKNOWN';
  readonly createdAt: number;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

export interface WireContainerStatus extends Omit<WireContainer, 'podSandboxId'> {
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly mounts: {
    containerPath: string;
    hostPath: string;
    readonly: boolean;
    propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
  }[];
  readonly logPath: string;
  readonly user: { linux: { uid: number; gid: number; supplementalGroups: number[] } | null } | null;
}

export interface WireContainerStats {
  readonly attributes: { id: string; metadata: { name: string } | null; labels: Record<string, string> } | null;
  readonly cpu: { timestamp: number; usageCoreNanoSeconds: { value: number } | null } | null;
  readonly memory: { workingSetBytes: { value: number } | null; usageBytes: { value: number } | null } | null;
  readonly writableLayer: { usedBytes: { value: number } | null } | null;
}

export interface WireImage {
  readonly id: string;
  readonly repoTags: string[];
  readonly repoDigests: string[];
  readonly size: number;
  readonly uid: { value: number } | null;
  readonly username: string;
  readonly pinned: boolean;
}

export interface WireFilesystemUsage {
  readonly fsId: { mountpoint: string } | null;
  readonly usedBytes: { value: number } | null;
  readonly inodesUsed: { value: number } | null;
}

export interface WireEvent {
  readonly containerId: string;
  readonly containerEventType: 'created' | 'started' | 'stopped' | 'deleted';
  readonly podSandboxStatus: WireSandboxStatus | null;
}
