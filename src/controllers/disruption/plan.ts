import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '#api/generated/types.ts';
import { formatTime, parseTime } from '#machinery/clock/clock.ts';
import type { Condition } from '#machinery/meta/types.ts';
import { resolveIntOrPercent } from '../shared/int-or-percent.ts';

/** An evicted pod that is still there without a deletion after this time was not evicted after all. */
const DELETION_TIMEOUT_MS = 2 * 60_000;

/** What was observed. */
export interface DisruptionInput {
  readonly budget: PodDisruptionBudget;
  /** Pods that the budget selects. */
  readonly pods: readonly Pod[];
  /** Sum of what the pods' controllers want, for budgets that count against it. */
  readonly expectedScale: () => number;
  readonly nowMs: number;
}

export interface DisruptionPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** When a pod that was evicted but is not deleting stops to count as disrupted. */
  readonly recheckInMs?: number;
}

/** How many of the budget's pods may be disrupted now. */
export function planDisruption(input: DisruptionInput): DisruptionPlan {
  const { budget, pods, nowMs } = input;
  const { expectedPods, desiredHealthy } = expectations(input);
  const disrupted = stillDisrupted(input);
  const currentHealthy = pods.filter((pod) => {
    const isGoing = pod.metadata.deletionTimestamp !== undefined;
    return !isGoing && disrupted.pods[pod.metadata.name ?? ''] === undefined && isPodReady(pod);
  }).length;
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const status: PodDisruptionBudgetStatus = {
    currentHealthy,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed,
    observedGeneration: budget.metadata.generation ?? 0,
    ...(Object.keys(disrupted.pods).length === 0 ? {} : { disruptedPods: disrupted.pods }),
    conditions: withDisruptionAllowed(budget, { isAllowed: disruptionsAllowed > 0, nowMs }),
  };
  return { status, ...(disrupted.recheckInMs === undefined ? {} : { recheckInMs: disrupted.recheckInMs }) };
}

function expectations(input: DisruptionInput): { expectedPods: number; desiredHealthy: number } {
  const { minAvailable, maxUnavailable } = input.budget.spec;
  if (maxUnavailable !== undefined) {
    const expectedPods = input.expectedScale();
    const desired = expectedPods - resolveIntOrPercent(maxUnavailable, expectedPods, 'up');
    return { expectedPods, desiredHealthy: Math.max(0, desired) };
  }
  if (typeof minAvailable === 'string') {
    const expectedPods = input.expectedScale();
    return { expectedPods, desiredHealthy: resolveIntOrPercent(minAvailable, expectedPods, 'up') };
  }
  return { expectedPods: input.pods.length, desiredHealthy: minAvailable ?? 1 };
}

function stillDisrupted({ budget, pods, nowMs }: DisruptionInput): {
  pods: Record<string, string>;
  recheckInMs?: number;
} {
  const noted = budget.status?.disruptedPods ?? {};
  const result: Record<string, string> = {};
  let recheckInMs: number | undefined;
  for (const pod of pods) {
    const name = pod.metadata.name ?? '';
    const since = noted[name];
    if (since === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const leftMs = (parseTime(since) ?? nowMs) + DELETION_TIMEOUT_MS - nowMs;
    if (leftMs <= 0) continue;
    result[name] = since;
    recheckInMs = Math.min(recheckInMs ?? leftMs, leftMs);
  }
  return { pods: result, ...(recheckInMs === undefined ? {} : { recheckInMs }) };
}

function withDisruptionAllowed(
  budget: PodDisruptionBudget,
  { isAllowed, nowMs }: { isAllowed: boolean; nowMs: number },
): Condition[] {
  const before = budget.status?.conditions ?? [];
  const current = before.find((condition) => condition.type === 'DisruptionAllowed');
  const status = isAllowed ? 'True' : 'False';
  const next: Condition = {
    type: 'DisruptionAllowed',
    status,
    observedGeneration: budget.metadata.generation ?? 0,
    lastTransitionTime: current?.status === status ? current.lastTransitionTime : formatTime(nowMs),
    reason: isAllowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  };
  return current === undefined ? [...before, next] : before.map((one) => (one === current ? next : one));
}
