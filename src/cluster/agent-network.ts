import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Node } from '#api/generated/types.ts';
import { HttpClient } from '#client/http/http-client.ts';
import { runCommand } from '#node/host/run-command.ts';
import { writeCniConfig } from '#node/network/cni-config.ts';
import { findCniBinDir } from '#node/runtime/cri/host-probe.ts';
import { type AgentDeps, kubeconfigOf } from './agent-deps.ts';
import { Closers, type ComponentDeps } from './components/component.ts';
import { runDns } from './components/dns.ts';
import { runProxy } from './components/proxy.ts';
import type { AgentConfig } from './machine/agent-config.ts';
import { cniConfigDirectory } from './machine/node-paths.ts';

const DNS_PORT = 53;
const PROXY_HEALTH_PORT = 10_256;

/** The network side of a node: service routes, routes to other nodes' pods, DNS, the configuration of CNI. */
export async function startAgentNetwork(config: AgentConfig, deps: AgentDeps): Promise<{ stop(): Promise<void> }> {
  const closers = new Closers(deps.log);
  try {
    const podNetwork = new PodNetworkConfig(config, deps);
    const proxy = await runProxy(
      {
        nodeName: config.nodeName,
        clusterCidr: config.podCidr,
        localServiceIps: config.ownsNetwork ? [config.clusterDns] : [],
        ...(config.ownsNetwork
          ? {
              mode: 'nftables',
              health: { host: config.nodeIp, port: PROXY_HEALTH_PORT },
              withPodRoutes: true,
              onNode: (node) => podNetwork.configure(node),
            }
          : { mode: 'userspace' }),
      },
      connect(config.proxyKubeconfig, 'kube-proxy', { ...deps, closers }),
    );
    closers.add(() => proxy.stop());
    if (config.ownsNetwork) {
      // The cluster's DNS address belongs to every node itself, so that a question never leaves it.
      await runCommand('ip', ['addr', 'replace', `${config.clusterDns}/32`, 'dev', 'lo']);
      const dns = await runDns(
        { host: config.clusterDns, port: DNS_PORT, clusterDomain: config.clusterDomain },
        connect(config.dnsKubeconfig, 'coredns', { ...deps, closers }),
      );
      closers.add(() => dns.stop());
    }
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
  return { stop: () => closers.closeAll() };
}

function connect(kubeconfig: string, component: string, deps: AgentDeps & { closers: Closers }): ComponentDeps {
  const { executor, log, closers } = deps;
  const client = new HttpClient(kubeconfigOf(kubeconfig, component), { clock: executor.clock });
  closers.add(() => client.close());
  return { client, executor, log };
}

/** Gives pods of this node their addresses, as soon as the node has been given its range. */
class PodNetworkConfig {
  readonly #config: AgentConfig;
  readonly #deps: AgentDeps;
  #podCidr: string | undefined;

  constructor(config: AgentConfig, deps: AgentDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  configure(node: Node): void {
    const podCidr = node.spec.podCIDR;
    if (node.metadata.name !== this.#config.nodeName || podCidr === undefined || podCidr === this.#podCidr) return;
    this.#podCidr = podCidr;
    const directory = cniConfigDirectory(this.#config.dataDirectory);
    const binDir = findCniBinDir();
    const hasPortmap = binDir !== undefined && existsSync(join(binDir, 'portmap')) && existsSync('/usr/sbin/iptables');
    const leaseDirectory = join(this.#config.runDirectory, 'cni-leases');
    writeCniConfig(directory, { podCidr, leaseDirectory, bridge: 'cni0', hasPortmap }).catch((error: unknown) => {
      this.#podCidr = undefined;
      this.#deps.log.error('cannot write the configuration of the pod network', { directory, error });
    });
  }
}
