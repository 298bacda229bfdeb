import { readFileSync } from 'node:fs';
import { HttpClient } from '#client/http/http-client.ts';
import { type AgentDeps, kubeconfigOf } from './agent-deps.ts';
import { startAgentNetwork } from './agent-network.ts';
import { openAgentRuntime } from './agent-runtime.ts';
import { Closers } from './components/component.ts';
import { runKubelet } from './components/kubelet.ts';
import type { AgentConfig } from './machine/agent-config.ts';

export interface RunningAgent {
  /** Ends this node's pods, its network and its runtime: nothing of it stays on the machine but its data directory. */
  stop(): Promise<void>;
}

const PODS_MAX = 110;

/** One node: runtime, kubelet with its HTTPS port, service proxy and DNS. */
export async function startAgent(config: AgentConfig, deps: AgentDeps): Promise<RunningAgent> {
  const { executor, log } = deps;
  const closers = new Closers(log);
  try {
    const opened = await openAgentRuntime(config, deps);
    closers.add(() => opened.remove());
    const network = await startAgentNetwork(config, deps);
    closers.add(() => network.stop());
    const client = new HttpClient(kubeconfigOf(config.kubeconfig, 'kubelet'), { clock: executor.clock });
    closers.add(() => client.close());
    const kubelet = await runKubelet(
      {
        nodeName: config.nodeName,
        nodeIp: config.nodeIp,
        rootDirectory: config.dataDirectory,
        // Without a network of its own a node has nobody who answers at the cluster's DNS address.
        clusterDns: config.ownsNetwork ? [config.clusterDns] : [],
        clusterDomain: config.clusterDomain,
        cgroupRoot: config.cgroupRoot,
        podsMax: PODS_MAX,
        server: {
          host: config.nodeIp,
          port: config.kubeletPort,
          certificate: readFileSync(config.servingCertificate, 'utf8'),
          key: readFileSync(config.servingKey, 'utf8'),
          clientCa: readFileSync(config.clientCa, 'utf8'),
        },
      },
      { client, executor, log, runtime: opened.runtime },
    );
    closers.add(() => kubelet.evacuate());
    log.info('the agent is at work', { node: config.nodeName });
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
  return { stop: () => closers.closeAll() };
}
