import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EventRecorder } from '#client/events/event-recorder.ts';
import type { Host } from '#node/host/host.ts';
import { LinuxHost } from '#node/host/linux-host.ts';
import { PortableHost } from '#node/host/portable-host.ts';
import { Kubelet } from '#node/kubelet/kubelet.ts';
import { podVolumes } from '#node/kubelet/pod-volumes.ts';
import { NetworkTransport } from '#node/kubelet/probes/network-transport.ts';
import { DelegatedAuth } from '#node/kubelet/server/authentication.ts';
import { KubeletServer } from '#node/kubelet/server/kubelet-server.ts';
import { NetStreams } from '#node/kubelet/server/net-streams.ts';
import type { ContainerRuntime } from '#node/runtime/contract.ts';
import { Closers, type ComponentDeps, type RunningComponent } from './component.ts';
import { type HealthServerOptions, listenHealth } from './health-server.ts';

export interface KubeletOptions {
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { key: string; value?: string; effect: string }[];
  /** Holds `pods` and, unless `podLogsDirectory` says otherwise, `logs`. */
  readonly rootDirectory: string;
  readonly podLogsDirectory?: string;
  /** What `/logs/` of the HTTPS port shows. Default: the logs of pods. */
  readonly logDirectory?: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly cgroupRoot: string;
  readonly podsMax: number;
  /** The HTTPS port; PEM. */
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly certificate: string;
    readonly key: string;
    /** Whose client certificates are believed; empty: nobody's. */
    readonly clientCa: string;
  };
  /** Absent: no port. */
  readonly health?: Omit<HealthServerOptions, 'checks'>;
}

export interface RunningKubelet extends RunningComponent {
  /** Ends this node's pods, and then everything as `stop` does. */
  evacuate(): Promise<void>;
}

// Before the kubelet has started there are no volumes to fill.
const NOTHING_ALLOCATABLE = { cpuMillis: 0, memoryBytes: 0, ephemeralBytes: 0 };

/** A kubelet with its HTTPS port on a runtime that stays the caller's. Its client's user is `system:node:NAME`. */
export async function runKubelet(
  options: KubeletOptions,
  deps: ComponentDeps & { runtime: ContainerRuntime },
): Promise<RunningKubelet> {
  const { client, executor, log, runtime } = deps;
  const { clock, random } = executor;
  const { nodeName, nodeIp, rootDirectory } = options;
  const closers = new Closers(log);
  try {
    const events = new EventRecorder({ client, clock, random, component: 'kubelet', host: nodeName, log });
    closers.add(() => events.close());
    const host: Host = process.platform === 'linux' ? new LinuxHost() : new PortableHost();
    const paths = {
      pods: join(rootDirectory, 'pods'),
      podLogs: options.podLogsDirectory ?? join(rootDirectory, 'logs'),
    };
    for (const path of Object.values(paths)) mkdirSync(path, { recursive: true });
    const kubelet: Kubelet = new Kubelet({
      client,
      executor,
      runtime,
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
        identity: { name: nodeName, labels: options.labels ?? {}, taints: options.taints ?? [] },
        paths,
        nodeIps: [nodeIp],
        clusterDns: options.clusterDns,
        clusterDomain: options.clusterDomain,
        cgroupRoot: options.cgroupRoot,
        podsMax: options.podsMax,
        port: () => options.server.port,
      },
    });
    const { certificate, key, clientCa } = options.server;
    const server = new KubeletServer({
      kubelets: () => [kubelet],
      tls: { cert: certificate, key, clientCa },
      streams: new NetStreams({ clock }),
      logDirectory: options.logDirectory ?? paths.podLogs,
      auth: new DelegatedAuth({ client, clock, nodeName }),
      clock,
      log,
    });
    await server.listen({ host: options.server.host, port: options.server.port });
    closers.add(() => server.close());
    if (options.health !== undefined) {
      const health = await listenHealth({ ...options.health, checks: { '/healthz': () => undefined } });
      closers.add(() => health.close());
    }
    await kubelet.start();
    const stop = async () => {
      await kubelet.stop();
      await closers.closeAll();
    };
    const evacuate = async () => {
      await kubelet.evacuate();
      await closers.closeAll();
    };
    return { stop, evacuate };
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}
