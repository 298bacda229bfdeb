/** Everything that one node's containerd is told. Paths are absolute. */
export interface ContainerdConfig {
  /** Images and snapshots; survives restarts. */
  readonly rootDir: string;
  /** Sockets, shims' state, network namespaces; meaningless after a reboot. */
  readonly stateDir: string;
  readonly socketPath: string;
  readonly sandboxImage: string;
  readonly snapshotter: 'overlayfs' | 'native';
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** `runc` or another OCI runtime's path. */
  readonly runtimeBinary: string;
  /** Set where the process lacks CAP_SYS_RESOURCE: scores below our own cannot be given then, and sandboxes would fail. */
  readonly restrictOomScoreAdj: boolean;
}

const CRI = 'plugins."io.containerd.grpc.v1.cri"';

/** The config file, in containerd's format 2 (1.5 and later; 2.x migrates it). */
export function renderContainerdConfig(config: ContainerdConfig): string {
  return `version = 2
root = ${quote(config.rootDir)}
state = ${quote(config.stateDir)}
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = ${quote(config.socketPath)}

[plugins."io.containerd.internal.v1.opt"]
  path = ${quote(`${config.rootDir}/opt`)}

[${CRI}]
  sandbox_image = ${quote(config.sandboxImage)}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  enable_tls_streaming = false
  restrict_oom_score_adj = ${config.restrictOomScoreAdj}
  netns_mounts_under_state_dir = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  max_container_log_line_size = 16384

  [${CRI}.cni]
    bin_dir = ${quote(config.cniBinDir)}
    conf_dir = ${quote(config.cniConfDir)}
    max_conf_num = 1

  [${CRI}.containerd]
    snapshotter = ${quote(config.snapshotter)}
    default_runtime_name = "runc"

    [${CRI}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [${CRI}.containerd.runtimes.runc.options]
        BinaryName = ${quote(config.runtimeBinary)}
        Root = ${quote(`${config.stateDir}/runc`)}
        SystemdCgroup = false
`;
}

/** A TOML basic string; JSON's escapes are a subset of TOML's. */
function quote(text: string): string {
  return JSON.stringify(text);
}
