import { matchesNodeSelector } from '#api/core/v1/node-affinity.ts';
import { firstUntoleratedTaint } from '#api/core/v1/taints.ts';
import type { TopologySpreadConstraint } from '#api/generated/types.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';
import { type NodeInfo, type PodQuery, podQuery } from '../../core/node-info.ts';
import type { PodInfo } from '../../core/pod-info.ts';
import type { Cycle } from '../../framework/plugin.ts';

export const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

/** A constraint, compiled. */
export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly query: PodQuery;
  readonly respectsAffinity: boolean;
  readonly respectsTaints: boolean;
}

/** The pod's own constraints with one way to take an unsatisfied one. */
export function ownConstraints(
  pod: PodInfo,
  whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway',
): SpreadConstraint[] {
  return (pod.pod.spec.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable)
    .map((constraint) => compile(constraint, pod));
}

function compile(constraint: TopologySpreadConstraint, pod: PodInfo): SpreadConstraint {
  return {
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    query: podQuery(pod.namespace, compileLabelSelector(constraint.labelSelector)),
    respectsAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    respectsTaints: constraint.nodeTaintsPolicy === 'Honor',
  };
}

/** What every pod of a service or workload without constraints of its own gets: spread over hosts and zones. */
export function defaultConstraints({ pod, snapshot }: Cycle): SpreadConstraint[] {
  if ((pod.pod.spec.topologySpreadConstraints ?? []).length > 0) return [];
  const selected = snapshot.defaultSelector(pod);
  if (selected === undefined) return [];
  const query = podQuery(pod.namespace, selected.selector, selected.key);
  const common = { minDomains: 1, query, respectsAffinity: true, respectsTaints: false };
  return [
    { topologyKey: HOSTNAME, maxSkew: 3, ...common },
    { topologyKey: ZONE, maxSkew: 5, ...common },
  ];
}

/** Whether a node's pods count for a constraint. */
export function countsFor(constraint: SpreadConstraint, pod: PodInfo, { node }: NodeInfo): boolean {
  if (constraint.respectsAffinity && !matchesNodeSelector(pod.pod.spec, node)) return false;
  return !constraint.respectsTaints || firstUntoleratedTaint(node.spec.taints, pod.pod.spec.tolerations) === undefined;
}
