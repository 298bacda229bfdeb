import { firstUntoleratedTaint, isTolerated } from '#api/core/v1/taints.ts';
import { normalizeToMax, type Plugin, type Rejection } from '../../framework/plugin.ts';

const rejection: Rejection = { reasons: ['node(s) had untolerated taint(s)'], isUnresolvable: true };

/** Nodes keep pods away by taints; those that would rather not have a pod come last. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  prepareFilter: ({ pod }) => {
    const { tolerations } = pod.pod.spec;
    return ({ node }) => {
      const { taints } = node.spec;
      if (taints === undefined || taints.length === 0) return undefined;
      return firstUntoleratedTaint(taints, tolerations) === undefined ? undefined : rejection;
    };
  },
  prepareScore: ({ pod }, nodes) => {
    const isPreferNoSchedule = (taint: { effect: string }) => taint.effect === 'PreferNoSchedule';
    if (!nodes.some(({ node }) => node.spec.taints?.some(isPreferNoSchedule) === true)) return undefined;
    const tolerations = (pod.pod.spec.tolerations ?? []).filter(
      ({ effect = '' }) => effect === '' || effect === 'PreferNoSchedule',
    );
    return {
      score: ({ node }) =>
        (node.spec.taints ?? []).filter((taint) => isPreferNoSchedule(taint) && !isTolerated(taint, tolerations))
          .length,
      normalize: (scores) => normalizeToMax(scores, { isReversed: true }),
    };
  },
  isHelpedBy: (event, pod) =>
    (event.type === 'nodeAdded' || event.type === 'nodeUpdated') &&
    firstUntoleratedTaint(event.node.spec.taints, pod.pod.spec.tolerations) === undefined,
};
