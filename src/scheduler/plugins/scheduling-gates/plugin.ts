import type { Plugin } from '../../framework/plugin.ts';

/** A gated pod is not looked at before its gates are gone (KEP-3521). */
export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  preEnqueue: (pod) => {
    const gates = (pod.spec.schedulingGates ?? []).map((gate) => gate.name);
    return gates.length === 0 ? undefined : `waiting for scheduling gates: [${gates.join(' ')}]`;
  },
  // Only a change of the pod itself takes gates away, and that is looked at anyway.
  isHelpedBy: () => false,
};
