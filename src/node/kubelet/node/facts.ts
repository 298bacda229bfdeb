import type { Node } from '#api/generated/types.ts';
import type { MachineFacts } from '../../host/host.ts';
import type { NodeAllocatable } from '../container/field-ref.ts';

/** The version that every component of the cluster reports. */
export const KUBELET_VERSION = 'v1.36.0';

// What the kubelet keeps free for the system before it would evict pods (evictionHard's memory.available).
const MEMORY_RESERVED_BYTES = 100 * 1024 * 1024;
// evictionHard's nodefs.available of 10 %.
const DISK_SHARE_FOR_PODS = 0.9;

/** What the node has and what of it pods may have. */
export interface NodeCapacity {
  readonly capacity: Record<string, string>;
  readonly allocatable: Record<string, string>;
  readonly forPods: NodeAllocatable;
  readonly podsMax: number;
}

export function nodeCapacity(
  machine: MachineFacts,
  options: { diskBytes: number; podsMax: number; extra?: Record<string, string> },
): NodeCapacity {
  const memoryBytes = Math.max(0, machine.memoryBytes - MEMORY_RESERVED_BYTES);
  const ephemeralBytes = Math.floor(options.diskBytes * DISK_SHARE_FOR_PODS);
  const shared = { 'hugepages-1Gi': '0', 'hugepages-2Mi': '0', pods: String(options.podsMax), ...options.extra };
  return {
    capacity: {
      cpu: String(machine.cpuCount),
      'ephemeral-storage': kibibytes(options.diskBytes),
      memory: kibibytes(machine.memoryBytes),
      ...shared,
    },
    allocatable: {
      cpu: String(machine.cpuCount),
      'ephemeral-storage': String(ephemeralBytes),
      memory: kibibytes(memoryBytes),
      ...shared,
    },
    forPods: { cpuMillis: machine.cpuCount * 1000, memoryBytes, ephemeralBytes },
    podsMax: options.podsMax,
  };
}

export interface NodeIdentity {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly taints: readonly { key: string; value?: string; effect: string }[];
  readonly providerId?: string;
  /** Only where the node's owner chooses it and not the controller. */
  readonly podCidr?: string;
}

/** The object that the kubelet creates for itself when it comes up first. */
export function initialNode(identity: NodeIdentity, machine: MachineFacts): Node {
  const { podCidr, providerId, taints } = identity;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: identity.name,
      labels: { ...defaultLabels(identity.name, machine), ...identity.labels },
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true', ...identity.annotations },
    },
    spec: {
      ...(podCidr === undefined ? {} : { podCIDR: podCidr, podCIDRs: [podCidr] }),
      ...(providerId === undefined ? {} : { providerID: providerId }),
      ...(taints.length === 0 ? {} : { taints: [...taints] }),
    },
  };
}

/** Labels that each node carries and a restarted kubelet puts right. */
export function defaultLabels(name: string, machine: MachineFacts): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': machine.architecture,
    'beta.kubernetes.io/os': machine.operatingSystem,
    'kubernetes.io/arch': machine.architecture,
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': machine.operatingSystem,
  };
}

function kibibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}Ki`;
}
