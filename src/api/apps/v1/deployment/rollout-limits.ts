import type { Deployment } from '../../../generated/types.ts';
import { scaledValue } from '../../../validation/int-or-percent.ts';

/** How far a rolling update may go above and below the wanted number of pods. */
export interface RolloutLimits {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/**
 * Percentages are of the wanted replicas: surge rounds up, unavailable down; when both come out as 0, one may be
 * unavailable, or the update could never go on. Nothing may be either with another strategy than RollingUpdate.
 */
export function rolloutLimits(deployment: Deployment): RolloutLimits {
  const { strategy, replicas } = deployment.spec;
  const total = replicas ?? 1;
  if (strategy?.type !== undefined && strategy.type !== 'RollingUpdate') return { maxSurge: 0, maxUnavailable: 0 };
  if (total === 0) return { maxSurge: 0, maxUnavailable: 0 };
  const maxSurge = scaledValue(strategy?.rollingUpdate?.maxSurge, { total, roundUp: true });
  const resolved = scaledValue(strategy?.rollingUpdate?.maxUnavailable, { total, roundUp: false });
  const maxUnavailable = maxSurge === 0 && resolved === 0 ? 1 : resolved;
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, total) };
}

/** The least number of pods that must stay available during a rolling update. */
export function minAvailable(deployment: Deployment): number {
  if (deployment.spec.strategy?.type === 'Recreate') return 0;
  return (deployment.spec.replicas ?? 1) - rolloutLimits(deployment).maxUnavailable;
}
