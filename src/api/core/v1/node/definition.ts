import { NODES } from '../../../generated/resources.ts';
import type { Node } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { cidrWarnings } from '../../../validation/ip-warnings.ts';
import { nodeColumns } from './columns.ts';
import { validateNode, validateNodeStatus, validateNodeUpdate } from './validation.ts';

export const nodes = defineKind(NODES, {
  strategy: {
    applyDefaults: defaultNode,
    // The kubelet may register with a status: a create keeps it.
    prepareForCreate(next) {
      dropConfig(next, undefined);
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
      dropConfig(next, current);
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
      if (current.status?.config === undefined) delete next.status?.config;
    },
    validate: (node) => validateNode(node),
    validateUpdate: validateNodeUpdate,
    validateStatusUpdate: (next) => validateNodeStatus(next),
    warnings,
  },
  columns: nodeColumns,
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec.unschedulable ?? false) },
});

function defaultNode({ spec, status }: Node): void {
  if (status?.capacity !== undefined && status.allocatable === undefined) status.allocatable = { ...status.capacity };
  // One and the first of many are two names of one thing.
  const first = spec.podCIDRs?.[0];
  if (first !== undefined) spec.podCIDR ||= first;
  else if ((spec.podCIDR ?? '') !== '') spec.podCIDRs = [spec.podCIDR ?? ''];
}

/** The source of a kubelet's configuration is gone (KEP-281); where it was set before, it stays. */
function dropConfig(next: Node, current: Node | undefined): void {
  if (current?.spec.configSource === undefined) delete next.spec.configSource;
}

function warnings({ spec }: Node): string[] {
  const texts: string[] = [];
  if (spec.configSource !== undefined) texts.push('spec.configSource: the feature is removed');
  if ((spec.externalID ?? '') !== '') {
    texts.push('spec.externalID: this field is deprecated, and is unused by Kubernetes');
  }
  for (const [index, cidr] of (spec.podCIDRs ?? []).entries()) {
    texts.push(...cidrWarnings(`spec.podCIDRs[${index}]`, cidr));
  }
  return texts;
}
