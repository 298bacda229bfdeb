import { ageColumn, column, joined, nameColumn } from '../../../columns/common.ts';
import type { Node } from '../../../generated/types.ts';
import type { KindColumn } from '../../../registry/kind.ts';
import { nodeAddress, nodeCondition } from './conditions.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';

const ADDRESSES =
  "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).";

export const nodeColumns: readonly KindColumn<Node>[] = [
  nameColumn,
  column('Status', 'The status of the node', statusCell),
  column('Roles', 'The roles of the node', (node) => joined(nodeRoles(node))),
  ageColumn,
  column('Version', 'Kubelet Version reported by the node.', (node) => node.status?.nodeInfo?.kubeletVersion ?? ''),
  column('Internal-IP', ADDRESSES, (node) => nodeAddress(node, 'InternalIP') ?? '<none>', { wide: true }),
  column('External-IP', ADDRESSES, (node) => nodeAddress(node, 'ExternalIP') ?? '<none>', { wide: true }),
  column(
    'OS-Image',
    'OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).',
    (node) => known(node.status?.nodeInfo?.osImage),
    { wide: true },
  ),
  column(
    'Kernel-Version',
    "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).",
    (node) => known(node.status?.nodeInfo?.kernelVersion),
    { wide: true },
  ),
  column(
    'Container-Runtime',
    'ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).',
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
