import type { Node } from '#api/generated/types.ts';
import type { AdmissionPlugin } from '../pipeline/types.ts';
import { isResource } from './plugin.ts';

const NOT_READY = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;

/** A new node takes no pods until the node controller saw it ready. */
export function taintNodesByCondition(): AdmissionPlugin {
  return {
    name: 'TaintNodesByCondition',
    mutate: (request) => {
      const { operation, info, object } = request;
      if (operation !== 'CREATE' || info.subresource !== '' || !isResource(request, '', 'nodes')) return;
      // Safe: what is written to nodes is a Node.
      const node = object as Node;
      const spec = (node.spec ??= {});
      const taints = spec.taints ?? [];
      if (taints.some(({ key, effect }) => key === NOT_READY.key && effect === NOT_READY.effect)) return;
      spec.taints = [...taints, { ...NOT_READY }];
    },
  };
}
