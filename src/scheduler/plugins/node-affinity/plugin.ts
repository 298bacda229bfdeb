import { matchesNodeSelector, preferredNodeWeight } from '#api/core/v1/node-affinity.ts';
import { normalizeToMax, type Plugin, type Rejection } from '../../framework/plugin.ts';

const rejection: Rejection = { reasons: ["node(s) didn't match Pod's node affinity/selector"], isUnresolvable: true };

/** The pod chooses nodes by their labels: `nodeSelector` and node affinity. */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  prepareFilter: ({ pod }) => {
    const { spec } = pod.pod;
    const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (spec.nodeSelector === undefined && required === undefined) return undefined;
    return ({ node }) => (matchesNodeSelector(spec, node) ? undefined : rejection);
  },
  prepareScore: ({ pod }) => {
    const { spec } = pod.pod;
    const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    return {
      score: ({ node }) => preferredNodeWeight(spec, node),
      normalize: (scores) => normalizeToMax(scores, { isReversed: false }),
    };
  },
  isHelpedBy: (event, pod) =>
    (event.type === 'nodeAdded' || event.type === 'nodeUpdated') && matchesNodeSelector(pod.pod.spec, event.node),
};
