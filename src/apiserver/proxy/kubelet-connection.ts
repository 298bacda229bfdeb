import type { Node } from '#api/generated/types.ts';
import { internalError, notFound } from '#machinery/errors/status-error.ts';
import type { ApiRequest, ApiResponse } from '../pipeline/types.ts';
import type { ResourceView } from '../server-parts.ts';
import type { HttpTarget } from './forward.ts';

/** Where a node's kubelet answers. */
export type KubeletConnection =
  /** A process of its own, over HTTPS. */
  | { readonly type: 'remote'; readonly target: Omit<HttpTarget, 'path'> }
  /** A simulated or process node in this process. */
  | { readonly type: 'local'; readonly kubelet: LocalKubelet };

/** A kubelet's server without sockets: the same paths and queries, `/containerLogs/NS/POD/CONTAINER?follow=true`. */
export interface LocalKubelet {
  handle(request: ApiRequest): Promise<ApiResponse>;
}

export interface KubeletDeps {
  readonly nodes: ResourceView;
  /** How the API server presents itself to kubelets, PEM. */
  readonly certificate: string;
  readonly key: string;
  /** PEM of the CA that kubelets' serving certificates come from; absent: they are not verified, as upstream's default. */
  readonly kubeletCa?: string;
  /** Nodes that share this process. */
  readonly kubeletFor?: (nodeName: string) => LocalKubelet | undefined;
}

const DEFAULT_PORT = 10_250;
const ADDRESS_TYPES = ['InternalIP', 'ExternalIP', 'Hostname'];

/** Finds the kubelet of a node. Throws 404 where there is no such node, 500 where it has no address. */
export function kubeletConnection(nodeName: string, deps: KubeletDeps): KubeletConnection {
  const kubelet = deps.kubeletFor?.(nodeName);
  if (kubelet !== undefined) return { type: 'local', kubelet };
  // Safe: the view holds Nodes.
  const node = deps.nodes.get(nodeName) as Node | undefined;
  if (node === undefined) throw notFound({ group: '', resource: 'nodes', name: nodeName });
  return {
    type: 'remote',
    target: {
      scheme: 'https',
      host: preferredAddress(node),
      port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? DEFAULT_PORT,
      tls: {
        certificate: deps.certificate,
        key: deps.key,
        ...(deps.kubeletCa !== undefined && { ca: deps.kubeletCa }),
      },
    },
  };
}

function preferredAddress(node: Node): string {
  const addresses = node.status?.addresses ?? [];
  for (const type of ADDRESS_TYPES) {
    const found = addresses.find((address) => address.type === type && address.address !== '');
    if (found !== undefined) return found.address;
  }
  const known = addresses.map(({ type, address }) => `{${type} ${address}}`).join(' ');
  throw internalError(new Error(`no preferred addresses found; known addresses: [${known}]`));
}
