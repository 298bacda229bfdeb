import type { Node, Pod } from '#api/generated/types.ts';
import type { NodeCapacity } from '../node/facts.ts';
import { admissionFailure, type Rejection } from './admission.ts';
import { isTerminalPhase, podUid } from './pod.ts';
import type { PodServices } from './services.ts';
import { rejectedStatus } from './status.ts';
import { PodWorker } from './worker.ts';

export interface PodSetDeps {
  readonly services: PodServices;
  readonly capacity: NodeCapacity;
  /** Knows the node, and reads it anew; where that fails, what is known stays. */
  readonly agent: { readonly node: Node | undefined; refresh(): Promise<void> };
  readonly operatingSystem: string;
}

/** The pods of one node: admits new ones and keeps one worker for each. */
export class PodSet {
  readonly #deps: PodSetDeps;
  readonly #workers = new Map<string, PodWorker>();
  /** Newest state of pods that what is known of the node's labels forbids, while the node is read anew. */
  readonly #doubtful = new Map<string, Pod>();
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
    const rejection = this.#rejection(pod);
    if (this.#doubtful.has(uid)) this.#doubtful.set(uid, pod);
    else if (rejection?.reason === 'NodeAffinity') this.#lookAgain(pod);
    else this.#admit(pod, rejection);
  }

  remove(pod: Pod): void {
    const uid = podUid(pod);
    this.#doubtful.delete(uid);
    const worker = this.#workers.get(uid);
    if (worker === undefined) this.#deps.services.status.forget(uid);
    else worker.remove();
  }

  #admit(pod: Pod, rejection: Rejection | undefined): void {
    const uid = podUid(pod);
    const { services } = this.#deps;
    if (rejection !== undefined) {
      services.events.event(pod, { type: 'Warning', ...rejection });
      services.status.set(pod, rejectedStatus(pod, rejection, services.clock.now()));
      return;
    }
    const onGone = () => this.#workers.delete(uid);
    this.#workers.set(uid, new PodWorker(services, pod, { onGone }));
  }

  /** The scheduler may have seen labels of the node that have not come here yet. */
  #lookAgain(doubted: Pod): void {
    const uid = podUid(doubted);
    this.#doubtful.set(uid, doubted);
    const look = async () => {
      await this.#deps.agent.refresh();
      const pod = this.#doubtful.get(uid);
      if (!this.#doubtful.delete(uid) || pod === undefined || this.#isStopped) return;
      this.#admit(pod, this.#rejection(pod));
    };
    this.#deps.services.executor.run('node', look).catch((error: unknown) => {
      this.#doubtful.delete(uid);
      this.#deps.services.log.error('cannot admit pod', { pod: uid, error: String(error) });
    });
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
  #rejection(pod: Pod): Rejection | undefined {
    const isNew = pod.status?.startTime === undefined && !isTerminalPhase(pod.status?.phase);
    if (!isNew || pod.metadata.deletionTimestamp !== undefined) return undefined;
    const others = this.workers.filter((worker) => worker.isActive).map((worker) => worker.pod);
    const { capacity, agent, operatingSystem } = this.#deps;
    return admissionFailure({ pod, others, capacity, node: agent.node, operatingSystem });
  }
}
