import { formatTime } from '#machinery/clock/clock.ts';
import type { CustomResourceDefinitionCondition } from '../../generated/types.ts';

type Conditions = readonly CustomResourceDefinitionCondition[];

export type Verdict = Required<Pick<CustomResourceDefinitionCondition, 'type' | 'status' | 'reason' | 'message'>>;

/** Holds a definition until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export const DELETION_IN_PROGRESS: Verdict = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionInProgress',
  message: 'CustomResource deletion is in progress',
};

export function isConditionTrue(conditions: Conditions | undefined, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

/** Sets a condition; its time changes only with its status. */
export function withCondition(
  conditions: Conditions,
  verdict: Verdict,
  nowMs: number,
): CustomResourceDefinitionCondition[] {
  const current = conditions.find(({ type }) => type === verdict.type);
  const next = { ...verdict, lastTransitionTime: formatTime(nowMs) };
  if (current === undefined) return [...conditions, next];
  if (current.status === verdict.status && current.lastTransitionTime !== undefined) {
    next.lastTransitionTime = current.lastTransitionTime;
  }
  return conditions.map((condition) => (condition === current ? { ...condition, ...next } : condition));
}
