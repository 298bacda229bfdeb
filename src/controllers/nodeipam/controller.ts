import { NODES } from '#api/generated/resources.ts';
import type { Node } from '#api/generated/types.ts';
import type { ControllerContext, ControllerDefinition } from '../controller.ts';
import { Reconciler, type RequeueInMs } from '../shared/reconciler.ts';
import { CidrAllocator } from './cidr.ts';

export const nodeIpamController: ControllerDefinition = {
  name: 'node-ipam-controller',
  aliases: ['nodeipam'],
  serviceAccount: 'node-controller',
  eventSource: 'cidrAllocator',
  run,
};

/** Gives every node its range of pod addresses. Keys are node names. */
async function run(context: ControllerContext): Promise<void> {
  const { client, options, events } = context;
  if (!options.allocateNodeCidrs) return;
  const reconciler = new Reconciler(context);
  const allocator = new CidrAllocator(options.clusterCidr, options.nodeCidrMaskSize);
  /** Ranges handed out that the watch may not show yet, by node. */
  const assigned = new Map<string, string>();
  const occupy = (node: Node) => {
    for (const cidr of cidrsOf(node)) allocator.occupy(cidr);
  };
  const nodes = reconciler.watch(NODES, {
    onAdd: (node) => {
      occupy(node);
      reconciler.add(node.metadata.name ?? '');
    },
    onUpdate: (_, node) => {
      occupy(node);
      if (cidrsOf(node).length === 0) reconciler.add(node.metadata.name ?? '');
    },
    onDelete: (node) => {
      const name = node.metadata.name ?? '';
      for (const cidr of new Set([...cidrsOf(node), ...(assigned.has(name) ? [assigned.get(name) ?? ''] : [])])) {
        if (cidr !== '') allocator.release(cidr);
      }
      assigned.delete(name);
      // A node that found no free range may have it now.
      for (const other of nodes.list()) if (cidrsOf(other).length === 0) reconciler.add(other.metadata.name ?? '');
    },
  });

  async function reconcile(name: string): Promise<RequeueInMs> {
    const node = nodes.get(name);
    if (node === undefined || cidrsOf(node).length > 0) return undefined;
    // Handlers run after the view has changed: ranges in use must be known before one is handed out.
    if (assigned.size === 0) for (const other of nodes.list()) occupy(other);
    const cidr = assigned.get(name) ?? allocator.allocate();
    if (cidr === undefined) {
      const message = `Node ${name} status is now: CIDRNotAvailable`;
      events.event(node, { type: 'Normal', reason: 'CIDRNotAvailable', message });
      return undefined;
    }
    assigned.set(name, cidr);
    const { uid } = node.metadata;
    const body = { metadata: { uid }, spec: { podCIDR: cidr, podCIDRs: [cidr] } };
    await client.patch(NODES, { name }, { type: 'strategic', body });
    return undefined;
  }

  await reconciler.run({ workers: 1, reconcile });
}

function cidrsOf(node: Node): string[] {
  return node.spec.podCIDRs ?? (node.spec.podCIDR === undefined ? [] : [node.spec.podCIDR]);
}
