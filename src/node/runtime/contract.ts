import type { Duplex, Readable, Writable } from 'node:stream';

/** CRI's ImageService. */
export interface ImageService {
  /** Accepts any reference form; undefined where the image is not on the node. */
  imageStatus(image: string): Promise<Image | undefined>;
  listImages(): Promise<Image[]>;
  /** Resolves to the image id. Fails with `RuntimeError` whose message becomes the pod's waiting message. */
  pullImage(image: string, options: PullOptions): Promise<string>;
  removeImage(imageId: string): Promise<void>;
  imageFsInfo(): Promise<{ mountpoint: string; usedBytes: number; inodesUsed: number }[]>;
}

/**
 * The one interface through which the kubelet runs containers: CRI's RuntimeService and ImageService
 * (kubernetes/cri-api, runtime.v1), reduced to what the kubelet uses, with the protobuf names in lower camel case.
 * Implementations: `cri` (gRPC to containerd or CRI-O), `process`, `simulated`.
 *
 * Times are nanoseconds since the epoch as bigint-free numbers of milliseconds where the name ends in `Ms`.
 * Failures are `RuntimeError`s.
 */
export interface ContainerRuntime extends ImageService {
  /** `containerd`, `process`, `simulated`: goes into `containerRuntimeVersion` as `name://version`. */
  version(): Promise<{ runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }>;
  status(): Promise<RuntimeStatus>;
  /** Tells the runtime the node's pod CIDR; a no-op for most. */
  updatePodCidr(podCidr: string): Promise<void>;

  runPodSandbox(config: PodSandboxConfig, options: { runtimeHandler: string }): Promise<string>;
  stopPodSandbox(sandboxId: string): Promise<void>;
  removePodSandbox(sandboxId: string): Promise<void>;
  podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus | undefined>;
  listPodSandboxes(filter?: { labels?: Record<string, string> }): Promise<PodSandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string>;
  startContainer(containerId: string): Promise<void>;
  /** Sends the stop signal, then kills after the timeout. Resolves when the container has ended. */
  stopContainer(containerId: string, options: { timeoutSeconds: number }): Promise<void>;
  removeContainer(containerId: string): Promise<void>;
  containerStatus(containerId: string): Promise<ContainerStatus | undefined>;
  listContainers(filter?: { labels?: Record<string, string>; sandboxId?: string }): Promise<Container[]>;
  updateContainerResources(containerId: string, resources: LinuxContainerResources): Promise<void>;
  /** Asks the runtime to open a fresh log file at the container's log path (after rotation). */
  reopenContainerLog(containerId: string): Promise<void>;
  containerStats(filter?: { labels?: Record<string, string> }): Promise<ContainerStats[]>;

  /** Runs a command to its end; output beyond 16 KiB a stream is cut. A command that timed out has `timedOut`. */
  execSync(containerId: string, command: readonly string[], options: { timeoutMs: number }): Promise<ExecSyncResult>;
  exec(containerId: string, options: ExecOptions): Promise<ExecSession>;
  attach(containerId: string, options: Omit<ExecOptions, 'command'>): Promise<ExecSession>;
  /** A connection to `port` on the sandbox's loopback. */
  portForward(sandboxId: string, port: number): Promise<Duplex>;

  /**
   * Tells of container and sandbox changes as they happen, where the runtime can; else absent and the kubelet polls
   * (containerd 1.6 has no container events).
   */
  events?(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
  close(): Promise<void>;
}

export interface RuntimeEvent {
  readonly type: 'created' | 'started' | 'stopped' | 'deleted';
  readonly containerId: string;
  readonly sandboxId: string;
  readonly podUid: string;
}

export interface RuntimeStatus {
  readonly conditions: readonly { type: string; status: boolean; reason: string; message: string }[];
  /** Whether the runtime's cgroups are v2; absent: unknown. */
  readonly features?: { readonly supplementalGroupsPolicy?: boolean };
}

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

export interface NamespaceOption {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId?: string;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  readonly hostname: string;
  /** `/var/log/pods/NAMESPACE_NAME_UID`. */
  readonly logDirectory: string;
  readonly dnsConfig?: DnsConfig;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: {
    readonly cgroupParent: string;
    readonly sysctls: Readonly<Record<string, string>>;
    readonly securityContext: SandboxSecurityContext;
  };
}

export interface SandboxSecurityContext {
  readonly namespaceOptions: NamespaceOption;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly supplementalGroups: readonly number[];
  readonly readonlyRootfs: boolean;
  readonly privileged: boolean;
  readonly seccomp: SecurityProfile;
}

export interface SecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostRef?: string;
}

export type SandboxState = 'READY' | 'NOTREADY';

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: SandboxState;
  readonly createdAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PodSandboxStatus extends PodSandbox {
  /** Absent for host network, where the node's address is the pod's. */
  readonly ip?: string;
  readonly additionalIps: readonly string[];
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
}

export interface LinuxContainerResources {
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly memoryLimitInBytes?: number;
  readonly oomScoreAdj?: number;
  readonly pidsLimit?: number;
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  /** The image as resolved by `imageStatus` or `pullImage`. */
  readonly image: { readonly image: string; readonly userSpecifiedImage: string };
  /** Overrides the image's entrypoint; empty: the image's. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's `logDirectory`: `NAME/ATTEMPT.log`, in CRI's format. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly stopSignal?: string;
  readonly linux: {
    readonly resources: LinuxContainerResources;
    readonly securityContext: ContainerSecurityContext;
  };
}

export interface ContainerSecurityContext {
  readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] };
  readonly privileged: boolean;
  readonly namespaceOptions: NamespaceOption;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsUsername?: string;
  readonly readonlyRootfs: boolean;
  readonly supplementalGroups: readonly number[];
  readonly noNewPrivs: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: SecurityProfile;
}

export type ContainerState = 'CREATED' | 'RUNNING' | 'EXITED' | 'UNKNOWN';

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: string;
  readonly imageRef: string;
  readonly state: ContainerState;
  readonly createdAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStatus extends Container {
  /** 0 where not yet. */
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerCannotRun`. */
  readonly reason: string;
  readonly message: string;
  readonly mounts: readonly Mount[];
  readonly logPath: string;
  readonly user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
}

export interface ContainerStats {
  readonly containerId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly name: string;
  readonly timestampMs: number;
  readonly cpuUsageCoreNanoSeconds: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryUsageBytes: number;
  readonly writableLayerBytes: number;
}

export interface Image {
  /** Config digest: `sha256:…`. */
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  readonly uid?: number;
  readonly username: string;
  readonly pinned: boolean;
}

export interface PullOptions {
  readonly auth?: { readonly username: string; readonly password: string; readonly serverAddress: string };
  readonly sandbox?: PodSandboxConfig;
}

export interface ExecSyncResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
  readonly timedOut: boolean;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** A running command and its streams, whatever carries them. */
export interface ExecSession {
  readonly stdin?: Writable;
  readonly stdout?: Readable;
  /** Absent with a tty. */
  readonly stderr?: Readable;
  resize(size: { width: number; height: number }): void;
  /** Settles after the streams have ended. */
  readonly exit: Promise<{ type: 'exited'; exitCode: number } | { type: 'failed'; message: string }>;
  /** Ends the session (client gone). */
  close(): void;
}

/** What a runtime raises. */
export class RuntimeError extends Error {
  /** gRPC's names: NotFound, AlreadyExists, Unavailable, DeadlineExceeded, Unimplemented, Unknown… */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeError';
    this.code = code;
  }
}
