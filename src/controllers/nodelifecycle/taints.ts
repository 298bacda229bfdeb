import type { Node, Taint } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { readyCondition } from './health.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** Which taint a condition's status calls for. */
const CONDITION_TAINTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: NOT_READY, Unknown: UNREACHABLE },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
};

const CONTROLLED_KEYS: ReadonlySet<string> = new Set([
  UNSCHEDULABLE,
  ...Object.values(CONDITION_TAINTS).flatMap((taints) => Object.values(taints)),
]);

/** The node's taints with the NoSchedule ones that follow from its conditions; undefined where nothing changes. */
export function planNoScheduleTaints(node: Node, nowMs: number): Taint[] | undefined {
  const wanted = new Set<string>();
  for (const condition of node.status?.conditions ?? []) {
    const key = CONDITION_TAINTS[condition.type]?.[condition.status];
    if (key !== undefined) wanted.add(key);
  }
  if (node.spec.unschedulable === true) wanted.add(UNSCHEDULABLE);
  return withTaints(node, { effect: 'NoSchedule', controlled: CONTROLLED_KEYS, wanted, nowMs });
}

/** The NoExecute taint that the node's readiness calls for, if any. */
export function evictionTaintKey(node: Node): string | undefined {
  const status = readyCondition(node)?.status;
  if (status === 'False') return NOT_READY;
  return status === 'Unknown' ? UNREACHABLE : undefined;
}

const EVICTION_KEYS: ReadonlySet<string> = new Set([NOT_READY, UNREACHABLE]);

/** The node's taints with exactly this NoExecute taint of the two; undefined where nothing changes. */
export function planNoExecuteTaints(node: Node, key: string | undefined, nowMs: number): Taint[] | undefined {
  const wanted = new Set(key === undefined ? [] : [key]);
  return withTaints(node, { effect: 'NoExecute', controlled: EVICTION_KEYS, wanted, nowMs });
}

export function hasEvictionTaint(node: Node): boolean {
  return (node.spec.taints ?? []).some((taint) => taint.effect === 'NoExecute' && EVICTION_KEYS.has(taint.key));
}

function withTaints(
  node: Node,
  rule: { effect: string; controlled: ReadonlySet<string>; wanted: ReadonlySet<string>; nowMs: number },
): Taint[] | undefined {
  const before = node.spec.taints ?? [];
  const isControlled = (taint: Taint) => taint.effect === rule.effect && rule.controlled.has(taint.key);
  const kept = before.filter((taint) => !isControlled(taint) || rule.wanted.has(taint.key));
  const present = new Set(kept.filter(isControlled).map((taint) => taint.key));
  const added = [...rule.wanted]
    .filter((key) => !present.has(key))
    .map((key) => ({ key, effect: rule.effect, timeAdded: formatTime(rule.nowMs) }));
  return kept.length === before.length && added.length === 0 ? undefined : [...kept, ...added];
}
