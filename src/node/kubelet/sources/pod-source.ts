import type { Pod } from '#api/generated/types.ts';
import { PODS } from '#api/generated/resources.ts';
import type { Client } from '#client/client.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { podUid } from '../pod/pod.ts';
import { follow } from './follow.ts';

export interface PodHandlers {
  /** New or changed. */
  onPod(pod: Pod): void;
  /** No longer there, or no longer this node's. */
  onGone(pod: Pod): void;
  /** Everything that there is has been told once. */
  onSynced(): void;
}

/** Where a kubelet learns which pods are its own. */
export interface PodSource {
  start(handlers: PodHandlers): void;
  stop(): Promise<void>;
}

/** Watches the pods of one node: what a kubelet on a machine of its own uses. */
export class WatchedPods implements PodSource {
  readonly #deps: { client: Client; executor: Executor; log: Logger; nodeName: string };
  readonly #known = new Map<string, Pod>();
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(deps: { client: Client; executor: Executor; log: Logger; nodeName: string }) {
    this.#deps = deps;
  }

  start(handlers: PodHandlers): void {
    let hasSynced = false;
    const options = { fieldSelector: `spec.nodeName=${this.#deps.nodeName}`, signal: this.#stopping.signal };
    this.#running = follow(this.#deps, PODS, options, {
      onState: (pods) => {
        const present = new Set(pods.map(podUid));
        for (const pod of this.#known.values()) if (!present.has(podUid(pod))) this.#gone(pod, handlers);
        for (const pod of pods) this.#present(pod, handlers);
        if (!hasSynced) handlers.onSynced();
        hasSynced = true;
      },
      onEvent: (type, pod) => {
        if (type === 'DELETED') this.#gone(pod, handlers);
        else this.#present(pod, handlers);
      },
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  #present(pod: Pod, handlers: PodHandlers): void {
    this.#known.set(podUid(pod), pod);
    handlers.onPod(pod);
  }

  #gone(pod: Pod, handlers: PodHandlers): void {
    this.#known.delete(podUid(pod));
    handlers.onGone(pod);
  }
}

/** What `SharedPods` needs of an informer. */
export interface PodInformer {
  list(): readonly Pod[];
  addHandler(handler: {
    onAdd?: (pod: Pod) => void;
    onUpdate?: (before: Pod, after: Pod) => void;
    onDelete?: (pod: Pod) => void;
  }): unknown;
}

/** One informer for the pods of many nodes in one process: each event goes to its node's kubelet only. */
export class SharedPods {
  readonly #informer: PodInformer;
  readonly #byNode = new Map<string, PodHandlers>();

  constructor(informer: PodInformer) {
    this.#informer = informer;
    informer.addHandler({
      onAdd: (pod) => this.#handlers(pod)?.onPod(pod),
      onUpdate: (_, pod) => this.#handlers(pod)?.onPod(pod),
      onDelete: (pod) => this.#handlers(pod)?.onGone(pod),
    });
  }

  /** The source of one node. Start it once the informer has synced. */
  forNode(nodeName: string): PodSource {
    return {
      start: (handlers) => {
        this.#byNode.set(nodeName, handlers);
        // Nodes that start early, before there are pods, cost one empty pass; later ones look through all pods once.
        for (const pod of this.#informer.list()) if (pod.spec.nodeName === nodeName) handlers.onPod(pod);
        handlers.onSynced();
      },
      stop: async () => {
        this.#byNode.delete(nodeName);
      },
    };
  }

  #handlers(pod: Pod): PodHandlers | undefined {
    return pod.spec.nodeName === undefined ? undefined : this.#byNode.get(pod.spec.nodeName);
  }
}
