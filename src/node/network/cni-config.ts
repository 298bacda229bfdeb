import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the CNI configuration of one node depends on. */
export interface CniOptions {
  /** The node's share of the pod network, such as `10.244.1.0/24`. */
  readonly podCidr: string;
  /** Where host-local keeps its leases. */
  readonly leaseDirectory: string;
  /** Name of the bridge inside the node's network namespace. */
  readonly bridge: string;
  /** Whether host ports are done by the portmap plugin (it needs iptables). */
  readonly hasPortmap: boolean;
}

/** A network configuration list (CNI specification 0.4.0, which containerd 1.6 and Debian's plugins speak). */
export function cniConfig(options: CniOptions): unknown {
  const bridge = {
    type: 'bridge',
    bridge: options.bridge,
    isGateway: true,
    isDefaultGateway: true,
    ipMasq: false,
    hairpinMode: true,
    ipam: {
      type: 'host-local',
      dataDir: options.leaseDirectory,
      ranges: [[{ subnet: options.podCidr }]],
    },
  };
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
  return { cniVersion: '0.4.0', name: 'tiphys', plugins: options.hasPortmap ? [bridge, portmap] : [bridge] };
}

/** Writes the configuration where the runtime looks for it, by rename, so that it never reads half a file. */
export async function writeCniConfig(directory: string, options: CniOptions): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, '10-tiphys.conflist');
  await writeFile(`${path}.tmp`, `${JSON.stringify(cniConfig(options), null, 2)}\n`);
  await rename(`${path}.tmp`, path);
}
