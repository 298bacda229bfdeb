import type { Node } from '#api/generated/types.ts';
import { type NodeInfo, nodeInfoOf, withChangedPod, withNode, withoutPod, withPod } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

const ZONE = 'topology.kubernetes.io/zone';
const REGION = 'topology.kubernetes.io/region';

/** What of the snapshot the cache keeps; everything is updated by the change and never built anew for a pod. */
export interface NodeView {
  readonly nodes: readonly NodeInfo[];
  readonly byName: ReadonlyMap<string, NodeInfo>;
  readonly withAffinity: readonly NodeInfo[];
  readonly withAntiAffinity: readonly NodeInfo[];
}

/**
 * Nodes and the pods on them: those that the API server shows, and those that were given a node a moment ago (assumed)
 * and whose binding is under way. The lists it hands out are only good until the next change.
 */
export class SchedulerCache {
  readonly #byName = new Map<string, NodeInfo>();
  /** Position of a node in `#nodes`. */
  readonly #positions = new Map<string, number>();
  #nodes: NodeInfo[] = [];
  #isOrderStale = false;
  readonly #affinity = new Set<string>();
  readonly #antiAffinity = new Set<string>();
  readonly #imageNodes = new Map<string, number>();
  /** Where each pod is, by uid. */
  readonly #pods = new Map<string, { pod: PodInfo; node: string; isAssumed: boolean }>();
  /** Pods on nodes that are not known (yet), by node. */
  readonly #homeless = new Map<string, Map<string, PodInfo>>();

  get nodeCount(): number {
    return this.#byName.size;
  }

  get podCount(): number {
    return this.#pods.size;
  }

  imageNodeCount(image: string): number {
    return this.#imageNodes.get(image) ?? 0;
  }

  node(name: string): NodeInfo | undefined {
    return this.#byName.get(name);
  }

  setNode(node: Node): void {
    const name = node.metadata.name ?? '';
    const known = this.#byName.get(name);
    if (known === undefined) {
      const waiting = [...(this.#homeless.get(name)?.values() ?? [])];
      this.#homeless.delete(name);
      const info = nodeInfoOf(node, waiting);
      this.#countImages(undefined, info);
      this.#byName.set(name, info);
      this.#noteAffinity(info);
      this.#isOrderStale = true;
      return;
    }
    const info = withNode(known, node);
    this.#countImages(known, info);
    if (zoneKey(known) !== zoneKey(info)) this.#isOrderStale = true;
    this.#replace(info);
  }

  removeNode(name: string): void {
    const known = this.#byName.get(name);
    if (known === undefined) return;
    this.#byName.delete(name);
    this.#countImages(known, undefined);
    this.#affinity.delete(name);
    this.#antiAffinity.delete(name);
    known.pods.forEach((pod) => this.#shelter(name, pod));
    this.#isOrderStale = true;
  }

  /** The pod takes its place on the node at once, so that the next cycle counts with it. */
  assume(pod: PodInfo, node: string): void {
    this.#place(pod, node, true);
  }

  /** The binding failed: the place is free again. */
  forget(pod: PodInfo): void {
    if (this.#pods.get(pod.uid)?.isAssumed === true) this.removePod(pod.uid);
  }

  isAssumed(uid: string): boolean {
    return this.#pods.get(uid)?.isAssumed === true;
  }

  /** A pod that the API server shows on a node; confirms an assumed one. */
  setPod(pod: PodInfo): void {
    this.#place(pod, pod.pod.spec.nodeName ?? '', false);
  }

  /** What is known of the pod, or undefined. */
  removePod(uid: string): PodInfo | undefined {
    const known = this.#pods.get(uid);
    if (known === undefined) return undefined;
    this.#pods.delete(uid);
    this.#homeless.get(known.node)?.delete(uid);
    const info = this.#byName.get(known.node);
    if (info !== undefined) this.#replace(withoutPod(info, known.pod));
    return known.pod;
  }

  view(): NodeView {
    if (this.#isOrderStale) this.#order();
    const present = (names: ReadonlySet<string>) =>
      [...names].flatMap((name) => {
        const info = this.#byName.get(name);
        return info === undefined ? [] : [info];
      });
    return {
      nodes: this.#nodes,
      byName: this.#byName,
      withAffinity: present(this.#affinity),
      withAntiAffinity: present(this.#antiAffinity),
    };
  }

  #place(pod: PodInfo, node: string, isAssumed: boolean): void {
    const known = this.#pods.get(pod.uid);
    const info = this.#byName.get(node);
    if (known?.node === node && info !== undefined) {
      this.#pods.set(pod.uid, { pod, node, isAssumed });
      this.#replace(withChangedPod(info, known.pod, pod));
      return;
    }
    this.removePod(pod.uid);
    this.#pods.set(pod.uid, { pod, node, isAssumed });
    if (info === undefined) this.#shelter(node, pod);
    else this.#replace(withPod(info, pod));
  }

  #shelter(node: string, pod: PodInfo): void {
    const waiting = this.#homeless.get(node) ?? new Map<string, PodInfo>();
    this.#homeless.set(node, waiting.set(pod.uid, pod));
  }

  #replace(info: NodeInfo): void {
    this.#byName.set(info.name, info);
    const position = this.#positions.get(info.name);
    if (!this.#isOrderStale && position !== undefined) this.#nodes[position] = info;
    this.#noteAffinity(info);
  }

  #noteAffinity(info: NodeInfo): void {
    if (info.affinityPods.length > 0) this.#affinity.add(info.name);
    else this.#affinity.delete(info.name);
    if (info.antiAffinityPods.length > 0) this.#antiAffinity.add(info.name);
    else this.#antiAffinity.delete(info.name);
  }

  #countImages(before: NodeInfo | undefined, after: NodeInfo | undefined): void {
    if (before?.images === after?.images) return;
    for (const name of before?.images.keys() ?? []) {
      const count = (this.#imageNodes.get(name) ?? 0) - 1;
      if (count > 0) this.#imageNodes.set(name, count);
      else this.#imageNodes.delete(name);
    }
    for (const name of after?.images.keys() ?? []) this.#imageNodes.set(name, (this.#imageNodes.get(name) ?? 0) + 1);
  }

  /** Zones take turns, so that the nodes looked at first are spread over all of them. */
  #order(): void {
    const zones = new Map<string, NodeInfo[]>();
    for (const info of this.#byName.values()) {
      const zone = zones.get(zoneKey(info));
      if (zone === undefined) zones.set(zoneKey(info), [info]);
      else zone.push(info);
    }
    const lists = [...zones.values()];
    const ordered: NodeInfo[] = [];
    for (let round = 0; ordered.length < this.#byName.size; round++) {
      for (const list of lists) {
        const info = list[round];
        if (info !== undefined) ordered.push(info);
      }
    }
    this.#nodes = ordered;
    this.#positions.clear();
    for (const [position, info] of ordered.entries()) this.#positions.set(info.name, position);
    this.#isOrderStale = false;
  }
}

function zoneKey(info: NodeInfo): string {
  return `${info.labels[REGION] ?? ''}/${info.labels[ZONE] ?? ''}`;
}
