import type { Pod } from '#api/generated/types.ts';
import type { Clock } from '#machinery/clock/clock.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Random } from '#machinery/random/random.ts';
import type { Host } from '../../host/host.ts';
import type { ContainerRuntime } from '../../runtime/contract.ts';
import type { PodVolumes } from '../../volume/contract.ts';
import type { ReferencedObjects } from '../container/environment.ts';
import type { NodeAllocatable } from '../container/field-ref.ts';
import type { DnsOptions } from '../container/network-files.ts';
import type { Images } from '../images/images.ts';
import type { ProbeTransport } from '../probes/contract.ts';
import type { Probes } from '../probes/probes.ts';
import type { StatusWriter } from '../status/status-writer.ts';
import type { BackOff } from './back-off.ts';
import type { EventSink } from './pod-events.ts';

/** What all pods of one kubelet share. Built once by `Kubelet`; workers keep no other way out. */
export interface PodServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly executor: Executor;
  readonly log: Logger;
  readonly host: Host;
  readonly runtime: ContainerRuntime;
  readonly runtimeName: string;
  readonly events: EventSink;
  readonly images: Images;
  readonly probes: Probes;
  readonly transport: ProbeTransport;
  readonly objects: PodObjects;
  readonly status: StatusWriter;
  readonly crashBackOff: BackOff;
  /** Absent on nodes that only pretend: their containers see no files. */
  readonly volumes?: PodVolumes;
  readonly node: NodeView;
  readonly paths: KubeletPaths;
  readonly dns: DnsOptions;
  readonly cgroupRoot: string;
  /** Removes the pod's object for good, once nothing of it is left on the node. */
  readonly deletePod: (pod: Pod) => Promise<void>;
  /** A pod's containers were started or stopped: news of them is to be expected. */
  readonly onActed: () => void;
  /** Overrides readiness, for pods whose behaviour is pretended. */
  readonly readiness?: (containerId: string) => boolean | undefined;
}

/** The objects that pods refer to; keeps them fresh for as long as a pod holds them. */
export interface PodObjects {
  /** What one pod may see; it holds what it asked for until it is released. */
  forPod(uid: string): ReferencedObjects;
  /** The runtime handler of a RuntimeClass; undefined where there is no such class. */
  runtimeHandler(runtimeClass: string): Promise<string | undefined>;
  /** The pod is gone: stop watching what only it referred to. */
  release(uid: string): void;
}

export interface NodeView {
  readonly name: string;
  readonly hostIps: readonly string[];
  readonly allocatable: NodeAllocatable;
  readonly memoryBytes: number;
}

export interface KubeletPaths {
  /** `/var/lib/kubelet/pods`. */
  readonly pods: string;
  /** `/var/log/pods`. */
  readonly podLogs: string;
  /** `/var/log/containers`: links for log collectors. Absent: none are made. */
  readonly containerLogs?: string;
}
