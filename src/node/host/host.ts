/**
 * The machine under a node, as far as the kubelet touches it. `LinuxHost` is the real thing, `PortableHost` what any
 * operating system can give, `FakeHost` a machine in memory for tests and simulated nodes.
 */
export interface Host {
  readonly files: HostFiles;
  readonly mounts: HostMounts;
  readonly cgroups: HostCgroups;
  readonly facts: HostFacts;
}

export interface FileInfo {
  readonly type: 'file' | 'directory' | 'symlink' | 'socket' | 'char' | 'block' | 'fifo';
  readonly sizeBytes: number;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: number;
  /** Device and inode name a mount point's file system: `device` differs across a mount. */
  readonly device: number;
}

/** Files by absolute path. Failures are node's own errors with `code` (`ENOENT`, `EEXIST`…); use `hasCode`. */
export interface HostFiles {
  read(path: string): Promise<Uint8Array>;
  open(path: string): Promise<OpenedFile>;
  /** Creates or replaces in place. */
  write(path: string, data: Uint8Array | string, options?: { mode?: number }): Promise<void>;
  /** Replaces by rename: readers see the old or the new content, never a part. */
  writeAtomic(path: string, data: Uint8Array | string, options?: { mode?: number }): Promise<void>;
  /** With parents; an existing directory is fine. */
  makeDirectory(path: string, options?: { mode?: number }): Promise<void>;
  /** With everything below; absent is fine. Does not cross mounts by itself: unmount first. */
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readLink(path: string): Promise<string>;
  /** Names in a directory, sorted. */
  list(path: string): Promise<string[]>;
  /** Undefined where nothing is there. Follows symlinks. */
  stat(path: string): Promise<FileInfo | undefined>;
  /** The same of the link itself. */
  lstat(path: string): Promise<FileInfo | undefined>;
  realPath(path: string): Promise<string>;
  chmod(path: string, mode: number): Promise<void>;
  /** Of the link itself, where it is one. Does nothing where the system has no owners or the process may not. */
  chown(path: string, uid: number, gid: number): Promise<void>;
}

/** An open file. It stays the same file when another takes its name. */
export interface OpenedFile extends AsyncDisposable {
  info(): Promise<FileInfo>;
  /** Up to `length` bytes from `offset`; fewer, or none, at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface HostMounts {
  /** Whether mounting works here at all (root on Linux); else callers fall back to plain directories. */
  readonly canMount: boolean;
  tmpfs(path: string, options: { sizeBytes?: number; mode?: number }): Promise<void>;
  bind(source: string, target: string, options?: { readonly?: boolean }): Promise<void>;
  /** Not mounted is fine. */
  unmount(path: string): Promise<void>;
  /** Mount points at or below a path, deepest first. */
  listBelow(path: string): Promise<string[]>;
}

/** Amounts of one cgroup; absent: not limited. */
export interface CgroupLimits {
  readonly cpuShares?: number;
  readonly cpuQuotaMicros?: number;
  readonly cpuPeriodMicros?: number;
  readonly memoryBytes?: number;
  readonly pidsMax?: number;
}

/** Control groups by path from the root, such as `/kubepods/burstable/podUID`. The same calls on version 1 and 2. */
export interface HostCgroups {
  /** 0 where the host has none or may not be changed. */
  readonly version: 0 | 1 | 2;
  create(path: string, limits: CgroupLimits): Promise<void>;
  update(path: string, limits: CgroupLimits): Promise<void>;
  /** Kills nothing; fails where processes are left. Absent is fine. */
  remove(path: string): Promise<void>;
  /** Direct children by name. */
  list(path: string): Promise<string[]>;
  pids(path: string): Promise<number[]>;
  usage(path: string): Promise<CgroupUsage | undefined>;
}

export interface CgroupUsage {
  readonly cpuUsageNanos: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
}

export interface MachineFacts {
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly hostname: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** Go's names: `linux`, `darwin`, `windows`. */
  readonly operatingSystem: string;
  /** Go's names: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  /** Addresses of the machine that others can reach, IPv4 first. */
  readonly addresses: readonly string[];
  /** The resolver configuration that pods inherit with dnsPolicy Default. */
  readonly resolvConf: string;
}

export interface DiskUsage {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly totalInodes: number;
  readonly freeInodes: number;
}

export interface HostFacts {
  machine(): Promise<MachineFacts>;
  diskUsage(path: string): Promise<DiskUsage>;
  /** Memory that could still be given out, by what the kernel says is available. */
  availableMemoryBytes(): Promise<number>;
  /** Processes now, and the most there may be. */
  processCount(): Promise<{ running: number; max: number }>;
}

/** Whether a failed file operation failed with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
