import type { LabelMatcher } from '#machinery/selectors/label-selector.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** The cluster as one scheduling cycle sees it. Nothing in it changes. */
export interface Snapshot {
  /** Nodes of different zones take turns. */
  readonly nodes: readonly NodeInfo[];
  readonly byName: ReadonlyMap<string, NodeInfo>;
  /** Nodes with pods that have (anti-)affinity, and with pods that have required anti-affinity. */
  readonly withAffinity: readonly NodeInfo[];
  readonly withAntiAffinity: readonly NodeInfo[];
  /** On how many nodes an image is. */
  readonly imageNodeCount: (image: string) => number;
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
  /** The selector of the services and workloads that a pod belongs to, for spreading by default; with a stable name. */
  readonly defaultSelector: (pod: PodInfo) => { readonly key: string; readonly selector: LabelMatcher } | undefined;
  /** Pods that are to come to a node after a preemption, by node. */
  readonly nominated: (node: string) => readonly PodInfo[];
}

/** The snapshot with one node in place of its namesake. */
export function replaceNode(snapshot: Snapshot, info: NodeInfo): Snapshot {
  const replace = (list: readonly NodeInfo[]) => list.map((node) => (node.name === info.name ? info : node));
  return {
    ...snapshot,
    nodes: replace(snapshot.nodes),
    byName: new Map(snapshot.byName).set(info.name, info),
    withAffinity: replace(snapshot.withAffinity),
    withAntiAffinity: replace(snapshot.withAntiAffinity),
  };
}
