import { isTolerated } from '#api/core/v1/taints.ts';
import type { Plugin, Rejection } from '../../framework/plugin.ts';

const rejection: Rejection = { reasons: ['node(s) were unschedulable'], isUnresolvable: true };

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** A cordoned node takes only pods that tolerate it. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  prepareFilter: ({ pod }) => {
    if (isTolerated(TAINT, pod.pod.spec.tolerations)) return undefined;
    return (node) => (node.node.spec.unschedulable === true ? rejection : undefined);
  },
  isHelpedBy: (event) =>
    (event.type === 'nodeAdded' && event.node.spec.unschedulable !== true) ||
    (event.type === 'nodeUpdated' &&
      event.before.spec.unschedulable === true &&
      event.node.spec.unschedulable !== true),
};
