import { runningContainers } from '../pod/view.ts';
import type { PodServices } from '../pod/services.ts';
import { containerSpec, podUid } from '../pod/pod.ts';
import type { PodWorker } from '../pod/worker.ts';
import type { Kubelet } from '../kubelet.ts';
import type { ContainerTarget, PodTarget } from './routes.ts';

/** A request that ends with this status and text. */
export class HttpProblem extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'HttpProblem';
    this.status = status;
  }
}

export interface FoundPod {
  readonly kubelet: Kubelet;
  readonly services: PodServices;
  readonly worker: PodWorker;
  readonly sandboxId: string | undefined;
}

export interface FoundContainer extends FoundPod {
  readonly containerId: string;
  /** The container was given a terminal: attaching means the same terminal. */
  readonly hasTty: boolean;
}

export function podOf(kubelets: readonly Kubelet[], target: PodTarget): FoundPod {
  for (const kubelet of kubelets) {
    const worker = kubelet.worker(target.namespace, target.pod);
    const { services } = kubelet;
    if (worker === undefined || services === undefined) continue;
    if (target.uid !== undefined && target.uid !== podUid(worker.pod)) continue;
    const sandboxId = worker.view?.sandboxes.find((one) => one.state === 'READY')?.id;
    return { kubelet, services, worker, sandboxId };
  }
  throw new HttpProblem(404, 'pod does not exist');
}

/** A running container. */
export function containerOf(kubelets: readonly Kubelet[], target: ContainerTarget): FoundContainer {
  const found = podOf(kubelets, target);
  const running = runningContainers(found.worker.view ?? { sandboxes: [], containers: [], ips: [] });
  const container = running.find((one) => one.name === target.container);
  if (container === undefined) throw new HttpProblem(404, `container not found ("${target.container}")`);
  const hasTty = containerSpec(found.worker.pod, target.container)?.tty ?? false;
  return { ...found, containerId: container.id, hasTty };
}
