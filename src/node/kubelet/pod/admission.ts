import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '#api/generated/types.ts';
import { portMappings } from '../container/sandbox.ts';
import type { NodeCapacity } from '../node/facts.ts';
import { podRequest } from './qos.ts';

export interface AdmissionInput {
  readonly pod: Pod;
  /** The pods that hold a share of the node now. */
  readonly others: readonly Pod[];
  readonly capacity: NodeCapacity;
  /** Undefined until the node was registered: its labels then say nothing against a pod. */
  readonly node: Node | undefined;
  /** Go's name of the system. */
  readonly operatingSystem: string;
}

export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

/**
 * The kubelet's own last look at a pod that was put on its node, by whoever did that: does it fit? Undefined: it does.
 * Reasons and messages are those of upstream's predicates.
 */
export function admissionFailure(input: AdmissionInput): Rejection | undefined {
  return wrongSystem(input) ?? lackOfResources(input) ?? portConflict(input) ?? wrongNode(input) ?? taintedNode(input);
}

function wrongSystem({ pod, operatingSystem }: AdmissionInput): Rejection | undefined {
  const label = pod.metadata.labels?.['kubernetes.io/os'];
  if (label !== undefined && label !== operatingSystem) {
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  }
  if (pod.spec.os === undefined || pod.spec.os.name === operatingSystem) return undefined;
  return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
}

function lackOfResources({ pod, others, capacity }: AdmissionInput): Rejection | undefined {
  if (others.length + 1 > capacity.podsMax) {
    return insufficient('pods', { requested: 1, used: others.length, capacity: capacity.podsMax });
  }
  const { forPods } = capacity;
  const resources = [
    { name: 'cpu', unit: 1, capacity: forPods.cpuMillis },
    { name: 'memory', unit: 1000, capacity: forPods.memoryBytes },
    { name: 'ephemeral-storage', unit: 1000, capacity: forPods.ephemeralBytes },
  ];
  for (const { name, unit, capacity: total } of resources) {
    const requested = Math.ceil(podRequest(pod, name) / unit);
    if (requested === 0) continue;
    const used = others.reduce((sum, other) => sum + Math.ceil(podRequest(other, name) / unit), 0);
    if (requested + used > total) return insufficient(name, { requested, used, capacity: total });
  }
  return undefined;
}

function insufficient(resource: string, amounts: { requested: number; used: number; capacity: number }): Rejection {
  const { requested, used, capacity } = amounts;
  const detail = `requested: ${requested}, used: ${used}, capacity: ${capacity}`;
  return { reason: `OutOf${resource}`, message: `Node didn't have enough resource: ${resource}, ${detail}` };
}

function portConflict({ pod, others }: AdmissionInput): Rejection | undefined {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return undefined;
  const taken = others.flatMap(hostPorts);
  const isTaken = wanted.some((one) =>
    taken.some(
      (other) =>
        one.hostPort === other.hostPort &&
        one.protocol === other.protocol &&
        (isAny(one.hostIp) || isAny(other.hostIp) || one.hostIp === other.hostIp),
    ),
  );
  return isTaken ? predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports") : undefined;
}

/** With the host's network a container port is a host port. */
function hostPorts(pod: Pod): { hostPort: number; protocol: string; hostIp: string }[] {
  return portMappings(pod);
}

function isAny(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0' || ip === '::';
}

function wrongNode({ pod, node }: AdmissionInput): Rejection | undefined {
  if (node === undefined) return undefined;
  const labels = node.metadata.labels ?? {};
  const isSelected = Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const isMatch = required === undefined || (required.nodeSelectorTerms ?? []).some((term) => matchesTerm(term, node));
  return isSelected && isMatch
    ? undefined
    : predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
}

function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    matchExpressions.every((one) => matchesRequirement(one, labels[one.key])) &&
    matchFields.every((one) => one.key === 'metadata.name' && matchesRequirement(one, node.metadata.name))
  );
}

function matchesRequirement({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function taintedNode({ pod, node }: AdmissionInput): Rejection | undefined {
  const isRefused = (node?.spec.taints ?? [])
    .filter((taint) => taint.effect === 'NoExecute')
    .some(
      (taint) =>
        !(pod.spec.tolerations ?? []).some(
          (one) =>
            (one.effect === undefined || one.effect === '' || one.effect === taint.effect) &&
            (one.key === undefined || one.key === '' ? one.operator === 'Exists' : one.key === taint.key) &&
            (one.operator === 'Exists' || (one.value ?? '') === (taint.value ?? '')),
        ),
    );
  return isRefused ? predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate") : undefined;
}

function predicate(name: string, description: string): Rejection {
  return { reason: name, message: `Predicate ${name} failed: ${description}` };
}
