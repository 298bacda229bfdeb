import { ageColumn, column, joined, nameColumn } from '../../../columns/common.ts';
import type { Node } from '../../../generated/types.ts';
import type { KindColumn } from '../../../registry/kind.ts';
import { nodeAddress, nodeCondition } from './conditions.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';

const ADDRESSES = 'An address of the node.';

export const nodeColumns: readonly KindColumn<Node>[] = [
  nameColumn,
  column('Status', 'The status of the node', statusCell),
  column('Roles', 'The roles of the node', (node) => joined(nodeRoles(node))),
  ageColumn,
  column('Version', 'Kubelet Version reported by the node.', (node) => node.status?.nodeInfo?.kubeletVersion ?? ''),
  column('Internal-IP', ADDRESSES, (node) => nodeAddress(node, 'InternalIP') ?? '<none>', { wide: true }),
  column('External-IP', ADDRESSES, (node) => nodeAddress(node, 'ExternalIP') ?? '<none>', { wide: true }),
  column('OS-Image', 'The operating system of the node.', (node) => known(node.status?.nodeInfo?.osImage), {
    wide: true,
  }),
  column('Kernel-Version', 'The kernel of the node.', (node) => known(node.status?.nodeInfo?.kernelVersion), {
    wide: true,
  }),
  column(
    'Container-Runtime',
    'The container runtime of the node.',
    (node) => known(node.status?.nodeInfo?.containerRuntimeVersion),
    { wide: true },
  ),
];

function known(text: string | undefined): string {
  return text === undefined || text === '' ? '<unknown>' : text;
}

function statusCell(node: Node): string {
  const ready = nodeCondition(node, 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (node.spec.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

/** The node's roles, from its labels, sorted. */
export function nodeRoles(node: Node): string[] {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX)) {
      const role = key.slice(ROLE_PREFIX.length);
      if (role !== '') roles.add(role);
    } else if (key === ROLE_LABEL && value !== '') roles.add(value);
  }
  return [...roles].toSorted();
}
