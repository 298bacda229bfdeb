import { createHash } from 'node:crypto';

/** One node's place in the network that `up` makes on a single machine. */
export interface NodePlace {
  readonly nodeName: string;
  /** Name of its network namespace, below `/run/netns`. */
  readonly namespace: string;
  /** The machine's end of the link; the node's end is `eth0`. */
  readonly link: string;
  readonly ip: string;
}

/**
 * The network of a cluster on one machine: a bridge with an address of the machine, and a network namespace per node.
 * Names derive from the cluster's id, so that several clusters live side by side and each removes only its own.
 */
export interface MachinePlan {
  readonly bridge: string;
  /** The packet filter's table on the machine: address translation for pods that talk to the world. */
  readonly table: string;
  /** `172.30.N.0/24`. */
  readonly subnet: string;
  /** The machine's own address on the bridge: where nodes find the API server. */
  readonly gateway: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly nodes: readonly NodePlace[];
}

const NODES_MAX = 200;
const FIRST_NODE_HOST = 10;

export function planMachineNetwork(options: {
  /** Anything unique to the cluster: its data directory. */
  clusterId: string;
  nodeNames: readonly string[];
  podCidr: string;
  serviceCidr: string;
  /** Addresses and routes of the machine, as `ip` prints them: the subnet is chosen outside of these. */
  usedPrefixes: readonly string[];
}): MachinePlan {
  if (options.nodeNames.length > NODES_MAX) {
    throw new Error(`cannot place ${options.nodeNames.length} nodes on one machine; at most ${NODES_MAX}`);
  }
  const id = createHash('sha256').update(options.clusterId).digest('hex').slice(0, 6);
  const third = chooseSubnet(options.usedPrefixes);
  return {
    bridge: `tiphys-${id}`,
    table: `tiphys-${id}`,
    subnet: `172.30.${third}.0/24`,
    gateway: `172.30.${third}.1`,
    podCidr: options.podCidr,
    serviceCidr: options.serviceCidr,
    nodes: options.nodeNames.map((nodeName, index) => ({
      nodeName,
      namespace: `tiphys-${id}-${index}`,
      link: `tp${id}-${index}`,
      ip: `172.30.${third}.${FIRST_NODE_HOST + index}`,
    })),
  };
}

/** A range for pods or services that nothing on the machine uses yet, near the customary one. */
export function chooseRange(candidates: readonly string[], usedPrefixes: readonly string[]): string {
  const free = candidates.find((candidate) => !usedPrefixes.some((used) => overlaps(candidate, used)));
  if (free === undefined) throw new Error(`no free address range among ${candidates.join(', ')}; name one by flag`);
  return free;
}

function chooseSubnet(usedPrefixes: readonly string[]): number {
  for (let third = 0; third < 256; third += 1) {
    const subnet = `172.30.${third}.0/24`;
    if (!usedPrefixes.some((used) => overlaps(subnet, used))) return third;
  }
  throw new Error('no free subnet in 172.30.0.0/16 for the nodes; remove unused clusters with "tiphys delete"');
}

/** Whether two IPv4 prefixes share an address. */
export function overlaps(left: string, right: string): boolean {
  const a = parsePrefix(left);
  const b = parsePrefix(right);
  if (a === undefined || b === undefined) return false;
  const shift = 32 - Math.min(a.length, b.length);
  return shift === 32 || a.address >>> shift === b.address >>> shift;
}

function parsePrefix(text: string): { address: number; length: number } | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1, 5).map(Number);
  return {
    address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0,
    length: match[5] === undefined ? 32 : Number(match[5]),
  };
}
