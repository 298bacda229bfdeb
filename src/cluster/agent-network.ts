import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENDPOINT_SLICES, NAMESPACES, NODES, SERVICES } from '#api/generated/resources.ts';
import type { Node } from '#api/generated/types.ts';
import { HttpClient } from '#client/http/http-client.ts';
import { InformerFactory } from '#client/informer/informer-factory.ts';
import { DnsServer } from '#node/dns/dns-server.ts';
import { Forwarder } from '#node/dns/forwarder.ts';
import { createZoneView } from '#node/dns/zone-index.ts';
import { runCommand } from '#node/host/run-command.ts';
import { writeCniConfig } from '#node/network/cni-config.ts';
import { PodRoutes } from '#node/network/pod-routes.ts';
import { listenProxyHealth } from '#node/proxy/health-server.ts';
import { NftablesBackend } from '#node/proxy/nftables/nftables-backend.ts';
import { ServiceProxy } from '#node/proxy/service-proxy.ts';
import { UserspaceBackend } from '#node/proxy/userspace/userspace-backend.ts';
import { findCniBinDir } from '#node/runtime/cri/host-probe.ts';
import { type AgentDeps, kubeconfigOf } from './agent-deps.ts';
import type { AgentConfig } from './machine/agent-config.ts';
import { cniConfigDirectory } from './machine/node-paths.ts';

const DNS_PORT = 53;
const PROXY_HEALTH_PORT = 10_256;

/** The network side of a node: service routes, routes to other nodes' pods, DNS, the configuration of CNI. */
export async function startAgentNetwork(config: AgentConfig, deps: AgentDeps): Promise<{ stop(): Promise<void> }> {
  const { executor, log } = deps;
  const { clock, random } = executor;
  const client = new HttpClient(kubeconfigOf(config.networkKubeconfig, 'kube-proxy'), { clock });
  const informers = new InformerFactory({ client, executor, log });
  const services = informers.informer(SERVICES);
  const slices = informers.informer(ENDPOINT_SLICES);
  const closers: (() => Promise<unknown>)[] = [() => client.close(), () => informers.stop()];
  const backend = config.ownsNetwork
    ? new NftablesBackend({
        run: runCommand,
        options: { clusterCidr: config.podCidr, localServiceIps: [config.clusterDns] },
      })
    : new UserspaceBackend({ log, random });
  const proxy = new ServiceProxy({ services, slices, backend, executor, log, nodeName: config.nodeName });
  await proxy.start();
  closers.push(() => proxy.stop());
  if (config.ownsNetwork) {
    const nodes = informers.informer(NODES);
    const routes = new PodRoutes({ nodes, run: runCommand, executor, log, selfName: config.nodeName });
    closers.push(() => routes.stop());
    const podNetwork = new PodNetworkConfig(config, deps);
    nodes.addHandler({
      onAdd: (node) => podNetwork.configure(node),
      onUpdate: (_, node) => podNetwork.configure(node),
    });
    const dns = await startDns(config, deps, informers);
    closers.push(() => dns.close());
    const health = await listenProxyHealth({
      host: config.nodeIp,
      port: PROXY_HEALTH_PORT,
      clock,
      isHealthy: () => proxy.lastSyncMs > 0,
      lastSyncMs: () => proxy.lastSyncMs,
    });
    closers.push(() => new Promise<void>((resolve) => health.close(() => resolve())));
  }
  informers.start();
  return {
    stop: async () => {
      for (const close of closers.toReversed()) await close();
    },
  };
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

/** The cluster's DNS address belongs to every node itself, so that a question never leaves it. */
async function startDns(config: AgentConfig, deps: AgentDeps, informers: InformerFactory): Promise<DnsServer> {
  const { clock, random } = deps.executor;
  await runCommand('ip', ['addr', 'replace', `${config.clusterDns}/32`, 'dev', 'lo']);
  const view = createZoneView({
    services: informers.informer(SERVICES),
    slices: informers.informer(ENDPOINT_SLICES),
    namespaces: informers.informer(NAMESPACES),
  });
  const forwarder = new Forwarder({ servers: nameservers(), clock, random });
  const dns = new DnsServer({ view, forwarder, log: deps.log, domain: config.clusterDomain });
  await dns.listen({ host: config.clusterDns, port: DNS_PORT });
  return dns;
}

/** The machine's own resolvers; a stub on its loopback cannot be reached from the node's network. */
function nameservers(): string[] {
  const files = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'];
  for (const file of files) {
    if (!existsSync(file)) continue;
    const found = [...readFileSync(file, 'utf8').matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm)].map(
      (match) => match[1] ?? '',
    );
    const reachable = found.filter((server) => !server.startsWith('127.'));
    if (reachable.length > 0) return reachable;
  }
  return [];
}
