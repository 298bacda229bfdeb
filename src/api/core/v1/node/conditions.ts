import type { Node, NodeCondition } from '../../../generated/types.ts';

export function nodeCondition(node: Node, type: string): NodeCondition | undefined {
  return node.status?.conditions?.find((condition) => condition.type === type);
}

export function isNodeReady(node: Node): boolean {
  return nodeCondition(node, 'Ready')?.status === 'True';
}

/** The node's address of a type, the first if there are several. */
export function nodeAddress(node: Node, type: string): string | undefined {
  return node.status?.addresses?.find((address) => address.type === type)?.address;
}

/** The address to reach the kubelet at, by the API server's default order of preference. */
export function preferredNodeAddress(node: Node): string | undefined {
  for (const type of ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP']) {
    const address = nodeAddress(node, type);
    if (address !== undefined) return address;
  }
  return undefined;
}
