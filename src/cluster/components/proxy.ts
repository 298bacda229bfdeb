import { ENDPOINT_SLICES, NODES, SERVICES } from '#api/generated/resources.ts';
import { InformerFactory } from '#client/informer/informer-factory.ts';
import type { Node } from '#api/generated/types.ts';
import { runCommand } from '#node/host/run-command.ts';
import { PodRoutes } from '#node/network/pod-routes.ts';
import { listenProxyHealth } from '#node/proxy/health-server.ts';
import { NftablesBackend } from '#node/proxy/nftables/nftables-backend.ts';
import { ServiceProxy } from '#node/proxy/service-proxy.ts';
import { UserspaceBackend } from '#node/proxy/userspace/userspace-backend.ts';
import { Closers, type ComponentDeps, type RunningComponent } from './component.ts';

export interface ProxyOptions {
  readonly nodeName: string;
  /** `nftables` needs root and a network namespace that may hold its table; `userspace` needs nothing. */
  readonly mode: 'nftables' | 'userspace';
  /** `--cluster-cidr`: traffic from elsewhere to services is masqueraded. */
  readonly clusterCidr: string;
  /** Service addresses that belong to the node itself, such as the DNS server's. */
  readonly localServiceIps: readonly string[];
  /** `--healthz-bind-address`; absent: no port. */
  readonly health?: { readonly host: string; readonly port: number };
  /** Also keeps routes to the pods of other nodes, told apart from this node's by name. */
  readonly withPodRoutes?: boolean;
  /** Told about every node, at first and when it changes. */
  readonly onNode?: (node: Node) => void;
}

/** The service proxy of one node. Its client's user needs the role `system:node-proxier`. */
export async function runProxy(options: ProxyOptions, deps: ComponentDeps): Promise<RunningComponent> {
  const { client, executor, log } = deps;
  const { nodeName, clusterCidr, localServiceIps, health, onNode } = options;
  const closers = new Closers(log);
  const informers = new InformerFactory({ client, executor, log });
  closers.add(() => informers.stop());
  const backend =
    options.mode === 'nftables'
      ? new NftablesBackend({ run: runCommand, options: { clusterCidr, localServiceIps } })
      : new UserspaceBackend({ log, clock: executor.clock, random: executor.random });
  const services = informers.informer(SERVICES);
  const slices = informers.informer(ENDPOINT_SLICES);
  const proxy = new ServiceProxy({ services, slices, backend, executor, log, nodeName });
  await proxy.start();
  closers.add(() => proxy.stop());
  try {
    if (options.withPodRoutes === true) {
      const nodes = informers.informer(NODES);
      const routes = new PodRoutes({ nodes, run: runCommand, executor, log, selfName: nodeName });
      closers.add(() => routes.stop());
    }
    if (onNode !== undefined) {
      informers.informer(NODES).addHandler({ onAdd: onNode, onUpdate: (_, node) => onNode(node) });
    }
    if (health !== undefined) {
      const server = await listenProxyHealth({
        ...health,
        clock: executor.clock,
        isHealthy: () => proxy.lastSyncMs > 0,
        lastSyncMs: () => proxy.lastSyncMs,
      });
      closers.add(() => new Promise<void>((resolve) => server.close(() => resolve())));
    }
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
  informers.start();
  return { stop: () => closers.closeAll() };
}
