import type { DeploymentCondition } from '#api/generated/types.ts';
import { formatTime } from '#machinery/clock/clock.ts';

type Conditions = readonly DeploymentCondition[];

export function findCondition(conditions: Conditions | undefined, type: string): DeploymentCondition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export interface NewCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/**
 * The conditions with one set. One of the same status and reason stays as it is, whatever its message; the transition
 * time moves only with the status.
 */
export function withCondition(
  conditions: Conditions,
  condition: NewCondition,
  nowMs: number,
  options: { refresh: boolean } = { refresh: false },
): DeploymentCondition[] {
  const current = findCondition(conditions, condition.type);
  if (current?.status === condition.status && current.reason === condition.reason && !options.refresh) {
    return [...conditions];
  }
  const now = formatTime(nowMs);
  const transition = current?.status === condition.status ? (current.lastTransitionTime ?? now) : now;
  return [
    ...withoutCondition(conditions, condition.type),
    { ...condition, lastUpdateTime: now, lastTransitionTime: transition },
  ];
}

export function withoutCondition(conditions: Conditions, type: string): DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}
