import type { Node, Pod } from '#api/generated/types.ts';
import type { NodeCapacity } from '../node/facts.ts';
import { admissionFailure } from './admission.ts';
import { isTerminalPhase, podUid } from './pod.ts';
import type { PodServices } from './services.ts';
import { rejectedStatus } from './status.ts';
import { PodWorker } from './worker.ts';

export interface PodSetDeps {
  readonly services: PodServices;
  readonly capacity: NodeCapacity;
  readonly node: () => Node | undefined;
  readonly operatingSystem: string;
}

/** The pods of one node: admits new ones and keeps one worker for each. */
export class PodSet {
  readonly #deps: PodSetDeps;
  readonly #workers = new Map<string, PodWorker>();
  readonly #synced = Promise.withResolvers<void>();
  #isStopped = false;

  constructor(deps: PodSetDeps) {
    this.#deps = deps;
  }

  get workers(): readonly PodWorker[] {
    return [...this.#workers.values()];
  }

  /** Resolves once all pods of the node are known: before that, what is unknown is not garbage. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  apply(pod: Pod): void {
    if (this.#isStopped) return;
    const uid = podUid(pod);
    const worker = this.#workers.get(uid);
    if (worker !== undefined) return worker.update(pod);
    const { services } = this.#deps;
    const rejection = this.#rejection(pod);
    if (rejection !== undefined) {
      services.events.event(pod, { type: 'Warning', ...rejection });
      services.status.set(pod, rejectedStatus(pod, rejection, services.clock.now()));
      return;
    }
    const onGone = () => this.#workers.delete(uid);
    this.#workers.set(uid, new PodWorker(services, pod, { onGone }));
  }

  remove(pod: Pod): void {
    const worker = this.#workers.get(podUid(pod));
    if (worker === undefined) this.#deps.services.status.forget(podUid(pod));
    else worker.remove();
  }

  wake(uid: string): void {
    this.#workers.get(uid)?.wake();
  }

  markSynced(): void {
    this.#synced.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#synced.resolve();
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  /** Only pods that are new here are looked at: one that ran before the kubelet's restart goes on. */
  #rejection(pod: Pod): { reason: string; message: string } | undefined {
    const isNew = pod.status?.startTime === undefined && !isTerminalPhase(pod.status?.phase);
    if (!isNew || pod.metadata.deletionTimestamp !== undefined) return undefined;
    const others = this.workers.filter((worker) => worker.isActive).map((worker) => worker.pod);
    const { capacity, node, operatingSystem } = this.#deps;
    return admissionFailure({ pod, others, capacity, node: node(), operatingSystem });
  }
}
