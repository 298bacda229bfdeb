import type { Client } from '#client/client.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { FakeHost } from '../host/fake-host.ts';
import type { MachineFacts } from '../host/host.ts';
import { SimulatedProbeTransport } from '../runtime/simulated/probe-transport.ts';
import { type SimulatedAnswers, SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { Kubelet } from './kubelet.ts';
import { KubeletEndpoint } from './server/kubelet-endpoint.ts';
import { NetStreams } from './server/net-streams.ts';
import type { EventSink } from './pod/pod-events.ts';
import type { PodSource } from './sources/pod-source.ts';

export interface SimulatedNodeOptions {
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
  readonly events: EventSink;
  readonly nodeName: string;
  /** Shared by all simulated nodes of a process: `new SharedPods(informer).forNode(name)`. */
  readonly pods: PodSource;
  /** Absent: the controller manager gives the node its range, and pods wait for it. */
  readonly podCidr?: string;
  readonly nodeIp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { key: string; value?: string; effect: string }[];
  readonly machine?: Partial<MachineFacts>;
  readonly podsMax?: number;
  readonly extraResources?: Record<string, string>;
  readonly answers?: SimulatedAnswers;
  /** Of the server that the simulated nodes share; 0: none. */
  readonly port?: () => number;
}

export interface SimulatedNode {
  readonly kubelet: Kubelet;
  readonly runtime: SimulatedRuntime;
  /** Answers logs, exec and the like without sockets: the API server's `LocalKubelet`. */
  readonly endpoint: KubeletEndpoint;
}

/** A node that only pretends: a whole kubelet on a runtime that keeps books. A thousand fit into one process. */
export function simulatedNode(options: SimulatedNodeOptions): SimulatedNode {
  const { client, executor, log, events, nodeName, pods, podCidr } = options;
  const runtime = new SimulatedRuntime({
    executor,
    ...(podCidr === undefined ? {} : { podCidr }),
    ...(options.answers === undefined ? {} : { answers: options.answers }),
  });
  const nodeIp = options.nodeIp ?? '127.0.0.1';
  const kubelet = new Kubelet({
    client,
    executor,
    runtime,
    log,
    events,
    pods,
    host: new FakeHost({ ...options.machine, hostname: nodeName, addresses: [nodeIp] }, { cgroupVersion: 0 }),
    transport: new SimulatedProbeTransport(runtime),
    // A container without a readiness probe is as ready as its pod's annotations say.
    readiness: (containerId) => (runtime.isAnswering(containerId) ? undefined : false),
    options: {
      identity: {
        name: nodeName,
        labels: { type: 'simulated', ...options.labels },
        taints: options.taints ?? [],
        ...(podCidr === undefined ? {} : { podCidr }),
      },
      paths: { pods: '/var/lib/kubelet/pods', podLogs: '/var/log/pods' },
      clusterDns: [],
      clusterDomain: 'cluster.local',
      cgroupRoot: '',
      podsMax: options.podsMax ?? 110,
      port: options.port ?? (() => 10_250),
      isSimulated: true,
      ...(options.extraResources === undefined ? {} : { extraResources: options.extraResources }),
    },
  });
  const { clock } = executor;
  const endpoint = new KubeletEndpoint({
    kubelets: () => [kubelet],
    streams: new NetStreams({ clock }),
    clock,
    readLog: (containerId) => runtime.readLog(containerId),
  });
  return { kubelet, runtime, endpoint };
}
