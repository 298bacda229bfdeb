import { portsConflict } from '../../core/node-info.ts';
import type { Plugin, Rejection } from '../../framework/plugin.ts';

const rejection: Rejection = {
  reasons: ["node(s) didn't have free ports for the requested pod ports"],
  isUnresolvable: false,
};

/** A host port serves one pod a node. */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  prepareFilter: ({ pod }) => {
    if (pod.hostPorts.length === 0) return undefined;
    return (node) => (node.ports.length > 0 && portsConflict(pod.hostPorts, node.ports) ? rejection : undefined);
  },
  isHelpedBy: (event, pod) =>
    event.type === 'nodeAdded' || (event.type === 'podRemoved' && portsConflict(pod.hostPorts, event.pod.hostPorts)),
};
