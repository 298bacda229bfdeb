import type { Node, NodeCondition } from '#api/generated/types.ts';
import { formatTime, parseTime } from '#machinery/clock/clock.ts';

/** Conditions that only the kubelet knows: without its word they are unknown. */
const KUBELET_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** What was observed. */
export interface NodeHealthInput {
  readonly node: Node;
  /** When the last sign of life was seen, by this process' clock; the node's own clock may be wrong. */
  readonly seenAtMs: number;
  readonly nowMs: number;
  readonly gracePeriodMs: number;
  readonly startupGracePeriodMs: number;
}

export interface NodeHealthPlan {
  /** The conditions to write; absent where nothing changes. */
  readonly conditions?: NodeCondition[];
  /** When to look again unless a sign of life comes first; absent where the node is already unknown. */
  readonly checkInMs?: number;
}

/** Marks a node unknown that has been silent for longer than its grace period. */
export function planNodeHealth(input: NodeHealthInput): NodeHealthPlan {
  const { node, nowMs } = input;
  const before = node.status?.conditions ?? [];
  const ready = readyCondition(node);
  const graceMs = ready === undefined ? input.startupGracePeriodMs : input.gracePeriodMs;
  const leftMs = input.seenAtMs + graceMs - nowMs;
  if (leftMs > 0) return { checkInMs: leftMs };
  let conditions = before;
  for (const type of KUBELET_CONDITIONS) conditions = withUnknown(conditions, { type, node, nowMs });
  return conditions === before ? {} : { conditions: [...conditions] };
}

function withUnknown(
  conditions: NodeCondition[],
  { type, node, nowMs }: { type: string; node: Node; nowMs: number },
): NodeCondition[] {
  const current = conditions.find((condition) => condition.type === type);
  const lastTransitionTime = formatTime(nowMs);
  if (current === undefined) {
    const never = { reason: 'NodeStatusNeverUpdated', message: 'Kubelet never posted node status.' };
    const lastHeartbeatTime = node.metadata.creationTimestamp ?? lastTransitionTime;
    return [...conditions, { type, status: 'Unknown', lastHeartbeatTime, lastTransitionTime, ...never }];
  }
  if (current.status === 'Unknown') return conditions;
  const stopped = { reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' };
  return conditions.map((condition) =>
    condition === current ? { ...current, status: 'Unknown', lastTransitionTime, ...stopped } : condition,
  );
}

export function readyCondition(node: Node): NodeCondition | undefined {
  return node.status?.conditions?.find((condition) => condition.type === 'Ready');
}

export function isNodeReady(node: Node): boolean {
  return readyCondition(node)?.status === 'True';
}

/** The node's own word of when it last reported, as text: a new text is a sign of life. */
export function heartbeatOf(node: Node): string {
  const ready = readyCondition(node);
  return `${ready?.lastHeartbeatTime ?? ''}/${ready?.status ?? ''}`;
}

/** When a node that has not been seen yet counts as last seen: its creation where it never reported, else now. */
export function firstSeenAt(node: Node, nowMs: number): number {
  if (readyCondition(node) !== undefined) return nowMs;
  return Math.min(nowMs, parseTime(node.metadata.creationTimestamp ?? '') ?? nowMs);
}
