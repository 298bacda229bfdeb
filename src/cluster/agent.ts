import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpClient } from '#client/http/http-client.ts';
import { EventRecorder } from '#client/events/event-recorder.ts';
import type { Host } from '#node/host/host.ts';
import { LinuxHost } from '#node/host/linux-host.ts';
import { PortableHost } from '#node/host/portable-host.ts';
import { Kubelet } from '#node/kubelet/kubelet.ts';
import { podVolumes } from '#node/kubelet/pod-volumes.ts';
import { NetworkTransport } from '#node/kubelet/probes/network-transport.ts';
import { KubeletServer } from '#node/kubelet/server/kubelet-server.ts';
import { NetStreams } from '#node/kubelet/server/net-streams.ts';
import { type AgentDeps, kubeconfigOf } from './agent-deps.ts';
import { startAgentNetwork } from './agent-network.ts';
import { openAgentRuntime } from './agent-runtime.ts';
import type { AgentConfig } from './machine/agent-config.ts';

export interface RunningAgent {
  /** Ends this node's pods, its network and its runtime: nothing of it stays on the machine but its data directory. */
  stop(): Promise<void>;
}

const PODS_MAX = 110;
// Before the kubelet has started there are no volumes to fill.
const NOTHING_ALLOCATABLE = { cpuMillis: 0, memoryBytes: 0, ephemeralBytes: 0 };

/** One node: runtime, kubelet with its HTTPS port, service proxy and DNS. */
export async function startAgent(config: AgentConfig, deps: AgentDeps): Promise<RunningAgent> {
  const { executor, log } = deps;
  const { clock, random } = executor;
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async () => {
    for (const close of closers.toReversed()) {
      await close().catch((error: unknown) => log.error('a part of the agent did not stop', { error }));
    }
  };
  try {
    const runtime = await openAgentRuntime(config, deps);
    closers.push(() => runtime.remove());
    const network = await startAgentNetwork(config, deps);
    closers.push(() => network.stop());
    const client = new HttpClient(kubeconfigOf(config.kubeconfig, 'kubelet'), { clock });
    closers.push(() => client.close());
    const events = new EventRecorder({ client, clock, random, component: 'kubelet', host: config.nodeName, log });
    closers.push(() => events.close());
    const host: Host = process.platform === 'linux' ? new LinuxHost() : new PortableHost();
    const paths = { pods: join(config.dataDirectory, 'pods'), podLogs: join(config.dataDirectory, 'logs') };
    for (const path of Object.values(paths)) mkdirSync(path, { recursive: true });
    const kubelet: Kubelet = new Kubelet({
      client,
      executor,
      runtime: runtime.runtime,
      host,
      log,
      events,
      transport: new NetworkTransport({ clock }),
      volumes: podVolumes({
        client,
        clock,
        host,
        podsDirectory: paths.pods,
        allocatable: () => kubelet.services?.node.allocatable ?? NOTHING_ALLOCATABLE,
      }),
      options: {
        identity: { name: config.nodeName, labels: {}, taints: [] },
        paths,
        nodeIps: [config.nodeIp],
        // Without a network of its own a node has nobody who answers at the cluster's DNS address.
        clusterDns: config.ownsNetwork ? [config.clusterDns] : [],
        clusterDomain: config.clusterDomain,
        cgroupRoot: config.cgroupRoot,
        podsMax: PODS_MAX,
        port: () => config.kubeletPort,
      },
    });
    const server = new KubeletServer({
      kubelets: () => [kubelet],
      tls: {
        cert: readFileSync(config.servingCertificate, 'utf8'),
        key: readFileSync(config.servingKey, 'utf8'),
        clientCa: readFileSync(config.clientCa, 'utf8'),
      },
      streams: new NetStreams({ clock }),
      clock,
      log,
    });
    await server.listen({ host: config.nodeIp, port: config.kubeletPort });
    closers.push(() => server.close());
    await kubelet.start();
    closers.push(() => kubelet.evacuate());
    log.info('the agent is at work', { node: config.nodeName });
  } catch (error) {
    await closeAll();
    throw error;
  }
  return { stop: closeAll };
}
