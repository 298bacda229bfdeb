import type { Node, Pod } from '#api/generated/types.ts';
import type { NodeInfo } from '../core/node-info.ts';
import type { PodInfo } from '../core/pod-info.ts';
import type { Snapshot } from '../core/snapshot.ts';

/** What a plugin knows of a scheduling cycle. */
export interface Cycle {
  readonly pod: PodInfo;
  readonly snapshot: Snapshot;
}

/** Why a node cannot take the pod, in upstream's words. Make these once, not for each node. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** Removing pods from the node would not help. */
  readonly isUnresolvable: boolean;
}

export type NodeFilter = (node: NodeInfo) => Rejection | undefined;

/** Scores from 0 to 100 after normalizing. */
export interface NodeScorer {
  readonly score: (node: NodeInfo) => number;
  /** Brings raw scores into range, in place. */
  readonly normalize?: (scores: number[]) => void;
}

/** Something that happened in the cluster and may make room for a pod. */
export type ClusterEvent =
  | { readonly type: 'nodeAdded'; readonly node: Node }
  | { readonly type: 'nodeUpdated'; readonly before: Node; readonly node: Node }
  | { readonly type: 'podRemoved'; readonly pod: PodInfo }
  | { readonly type: 'podBound'; readonly pod: PodInfo }
  | { readonly type: 'podRelabelled'; readonly pod: PodInfo };

/**
 * One consideration of the scheduler. Each part is optional. Plugins are pure: what they need to know is in the cycle.
 * A `prepare…` function is called once a cycle; undefined means that the plugin does not matter for this pod.
 */
export interface Plugin {
  readonly name: string;
  /** Whether its filter looks at more than the node in question; then a change of another node calls for a new one. */
  readonly looksAtOtherNodes?: boolean;
  readonly prepareFilter?: (cycle: Cycle) => NodeFilter | undefined;
  readonly prepareScore?: (cycle: Cycle, nodes: readonly NodeInfo[]) => NodeScorer | undefined;
  /** Keeps a pod out of the queue; the text says why. */
  readonly preEnqueue?: (pod: Pod) => string | undefined;
  /** Whether an event may help a pod that this plugin rejected. Absent: every event may. */
  readonly isHelpedBy?: (event: ClusterEvent, pod: PodInfo) => boolean;
}

/** A plugin with the weight of its scores. */
export interface ProfileEntry {
  readonly plugin: Plugin;
  readonly weight: number;
}

export const MAX_SCORE = 100;

/** Scales scores so that the highest becomes 100; with `isReversed`, the highest becomes 0. */
export function normalizeToMax(scores: number[], { isReversed }: { isReversed: boolean }): void {
  let highest = 0;
  for (const score of scores) if (score > highest) highest = score;
  for (let index = 0; index < scores.length; index++) {
    const score = highest === 0 ? 0 : Math.floor((MAX_SCORE * (scores[index] ?? 0)) / highest);
    scores[index] = isReversed ? MAX_SCORE - score : score;
  }
}
