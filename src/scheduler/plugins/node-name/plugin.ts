import type { Plugin, Rejection } from '../../framework/plugin.ts';

const rejection: Rejection = { reasons: ["node(s) didn't match the requested node name"], isUnresolvable: true };

/** A pod that names its node goes there and nowhere else. */
export const nodeName: Plugin = {
  name: 'NodeName',
  prepareFilter: ({ pod }) => {
    const wanted = pod.pod.spec.nodeName ?? '';
    if (wanted === '') return undefined;
    return (node) => (node.name === wanted ? undefined : rejection);
  },
  isHelpedBy: (event, pod) => event.type === 'nodeAdded' && event.node.metadata.name === pod.pod.spec.nodeName,
};
