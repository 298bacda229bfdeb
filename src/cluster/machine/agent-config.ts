import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Everything that a node's agent needs to know; `up` writes it, `tiphys agent --config` reads it. */
export interface AgentConfig {
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly runtime: 'containerd' | 'process';
  /** Kubeconfig of `system:node:NAME`. */
  readonly kubeconfig: string;
  /** Kubeconfig of `system:kube-proxy`, for proxy and routes. */
  readonly proxyKubeconfig: string;
  /** Kubeconfig of `system:coredns`. */
  readonly dnsKubeconfig: string;
  /** PEM files of the kubelet's HTTPS port. */
  readonly servingCertificate: string;
  readonly servingKey: string;
  readonly clientCa: string;
  readonly kubeletPort: number;
  /** Volumes, pod directories, logs, image store. */
  readonly dataDirectory: string;
  /** Sockets and other things that need a short path. */
  readonly runDirectory: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  readonly clusterDns: string;
  /** Parent of all cgroups of pods, such as `/tiphys-1a2b3c-0`. */
  readonly cgroupRoot: string;
  /** Whether the agent has a network namespace of its own, and so may set up service rules, routes and DNS in it. */
  readonly ownsNetwork: boolean;
  /** Image tars to have loaded before pods run. */
  readonly images: readonly string[];
  readonly sandboxImage: string;
  readonly verbosity: number;
}

export function writeAgentConfig(path: string, config: AgentConfig): void {
  writeFileSync(`${path}.tmp`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** Throws with the file's name where it cannot be read or is no agent configuration. */
export function readAgentConfig(path: string): AgentConfig {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null && 'nodeName' in value && 'kubeconfig' in value) {
      // Safe: `writeAgentConfig` wrote it; a hand-made file with other holes fails where the field is used.
      return value as AgentConfig;
    }
  } catch (error) {
    throw new Error(`cannot read the agent configuration ${path}: ${String(error)}`, { cause: error });
  }
  throw new Error(`${path} is no agent configuration`);
}
