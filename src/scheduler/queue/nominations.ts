import type { PodInfo } from '../core/pod-info.ts';

const NONE: readonly PodInfo[] = [];

/** Pods for which room was made on a node and that have not come there yet. */
export class Nominations {
  readonly #nodeOf = new Map<string, string>();
  readonly #byNode = new Map<string, PodInfo[]>();

  on(node: string): readonly PodInfo[] {
    return this.#byNode.get(node) ?? NONE;
  }

  /** What the pod's own status says; a pod that says nothing keeps what was just decided for it. */
  set(pod: PodInfo): void {
    const node = pod.pod.status?.nominatedNodeName ?? this.#nodeOf.get(pod.uid) ?? '';
    if (node !== '') this.nominate(pod, node);
  }

  nominate(pod: PodInfo, node: string): void {
    this.remove(pod.uid);
    this.#nodeOf.set(pod.uid, node);
    this.#byNode.set(node, [...(this.#byNode.get(node) ?? []), pod]);
  }

  remove(uid: string): void {
    const node = this.#nodeOf.get(uid);
    if (node === undefined) return;
    this.#nodeOf.delete(uid);
    const left = (this.#byNode.get(node) ?? []).filter((pod) => pod.uid !== uid);
    if (left.length === 0) this.#byNode.delete(node);
    else this.#byNode.set(node, left);
  }
}
