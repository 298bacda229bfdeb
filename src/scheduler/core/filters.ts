import type { Cycle, NodeFilter, ProfileEntry, Rejection } from '../framework/plugin.ts';
import { type NodeInfo, withPod } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import { replaceNode } from './snapshot.ts';

export interface NamedRejection extends Rejection {
  readonly plugin: string;
}

interface PreparedFilter {
  readonly plugin: string;
  readonly looksAtOtherNodes: boolean;
  readonly filter: NodeFilter;
}

/** All filters of a profile, prepared for one cycle. */
export class CycleFilters {
  readonly cycle: Cycle;
  readonly #profile: readonly ProfileEntry[];
  readonly #filters: readonly PreparedFilter[];

  constructor(profile: readonly ProfileEntry[], cycle: Cycle) {
    this.cycle = cycle;
    this.#profile = profile;
    this.#filters = profile.flatMap(({ plugin }) => {
      const filter = plugin.prepareFilter?.(cycle);
      if (filter === undefined) return [];
      return [{ plugin: plugin.name, looksAtOtherNodes: plugin.looksAtOtherNodes === true, filter }];
    });
  }

  /** The first rejection; undefined where the node can take the pod. Pods that are to come there count as there. */
  check(node: NodeInfo): NamedRejection | undefined {
    const { pod, snapshot } = this.cycle;
    const nominated = snapshot.nominated(node.name);
    if (nominated.length === 0) return this.#run(node);
    const coming = nominated.filter((other) => other.uid !== pod.uid && other.priority >= pod.priority);
    // It must fit without them too: they may not come, and affinity to them would then not hold.
    return this.#run(withPods(node, coming)) ?? this.#run(node);
  }

  /** As `check`, for a node that is not as the snapshot says (pods were taken away or added to try). */
  checkChanged(node: NodeInfo): NamedRejection | undefined {
    if (!this.#filters.some((prepared) => prepared.looksAtOtherNodes)) return this.check(node);
    const cycle = { ...this.cycle, snapshot: replaceNode(this.cycle.snapshot, node) };
    return new CycleFilters(this.#profile, cycle).check(node);
  }

  #run(node: NodeInfo): NamedRejection | undefined {
    for (const { plugin, filter } of this.#filters) {
      const rejection = filter(node);
      if (rejection !== undefined) return { plugin, ...rejection };
    }
    return undefined;
  }
}

function withPods(node: NodeInfo, pods: readonly PodInfo[]): NodeInfo {
  return pods.reduce((info, pod) => withPod(info, pod), node);
}
