import { matchesNodeSelector } from '#api/core/v1/node-affinity.ts';
import { firstUntoleratedTaint } from '#api/core/v1/taints.ts';
import type { DaemonSet, Node, NodeSelectorTerm, Pod, PodSpec, Toleration } from '#api/generated/types.ts';
import { REVISION_HASH_LABEL } from '../shared/controller-revisions.ts';
import { podFromTemplate } from '../shared/pods.ts';

const TOLERATED: readonly (readonly [key: string, effect: string])[] = [
  ['node.kubernetes.io/not-ready', 'NoExecute'],
  ['node.kubernetes.io/unreachable', 'NoExecute'],
  ['node.kubernetes.io/disk-pressure', 'NoSchedule'],
  ['node.kubernetes.io/memory-pressure', 'NoSchedule'],
  ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
  ['node.kubernetes.io/unschedulable', 'NoSchedule'],
];

export const GENERATION_LABEL = 'pod-template-generation';
export const GENERATION_ANNOTATION = 'deprecated.daemonset.template.generation';

/** What daemons tolerate beyond their template: they stay on nodes that are in trouble. */
export function daemonTolerations(spec: PodSpec): Toleration[] {
  const extra = TOLERATED.map(([key, effect]): Toleration => ({ key, operator: 'Exists', effect }));
  if (spec.hostNetwork === true) {
    extra.push({ key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' });
  }
  const given = spec.tolerations ?? [];
  const isGiven = ({ key, effect }: Toleration) =>
    given.some((one) => one.key === key && one.effect === effect && one.operator === 'Exists');
  return [...given, ...extra.filter((one) => !isGiven(one))];
}

/** Whether a node should get a daemon, and whether one that is there may stay. */
export function placement({ spec }: DaemonSet, node: Node): { shouldRun: boolean; mayStay: boolean } {
  const podSpec = spec.template.spec;
  if (podSpec === undefined) return { shouldRun: false, mayStay: false };
  const wanted = podSpec.nodeName ?? '';
  const isOther = wanted !== '' && wanted !== node.metadata.name;
  if (isOther || !matchesNodeSelector(podSpec, node)) return { shouldRun: false, mayStay: false };
  const tolerations = daemonTolerations(podSpec);
  const mayStay = firstUntoleratedTaint(node.spec.taints, tolerations, ['NoExecute']) === undefined;
  const shouldRun = firstUntoleratedTaint(node.spec.taints, tolerations) === undefined;
  return { shouldRun, mayStay };
}

/** The node that a daemon is on, or is meant for. */
export function nodeOfPod({ spec }: Pod): string | undefined {
  if ((spec.nodeName ?? '') !== '') return spec.nodeName;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const term of required?.nodeSelectorTerms ?? []) {
    for (const { key, operator, values } of term.matchFields ?? []) {
      if (key === 'metadata.name' && operator === 'In' && values?.length === 1) return values[0];
    }
  }
  return undefined;
}

/** A daemon for one node: the scheduler puts it there and nowhere else. */
export function daemonPod(set: DaemonSet, { node, hash }: { node: string; hash: string }): Pod {
  const pod = podFromTemplate(set.spec.template, set);
  const generation = set.metadata.annotations?.[GENERATION_ANNOTATION];
  const labels = {
    ...pod.metadata.labels,
    [REVISION_HASH_LABEL]: hash,
    ...(generation === undefined ? {} : { [GENERATION_LABEL]: generation }),
  };
  const { affinity } = pod.spec;
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const nodeSelectorTerms: NodeSelectorTerm[] =
    terms.length === 0 ? [{ matchFields }] : terms.map((term) => ({ ...term, matchFields }));
  const requiredDuringSchedulingIgnoredDuringExecution = { nodeSelectorTerms };
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: {
      ...pod.spec,
      affinity: {
        ...affinity,
        nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution },
      },
      tolerations: daemonTolerations(pod.spec),
    },
  };
}
