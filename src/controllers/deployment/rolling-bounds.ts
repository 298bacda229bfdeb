import type { Deployment } from '#api/generated/types.ts';
import { resolveIntOrPercent } from '../shared/int-or-percent.ts';
import { desiredReplicas } from './draft.ts';

/** How far a rolling update may go above and below the wanted number. Both are 0 for Recreate. */
export interface RollingBounds {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Percentages count against the wanted replicas; where both come out as 0, one may be unavailable. */
export function rollingBounds(deployment: Deployment): RollingBounds {
  const strategy = deployment.spec.strategy;
  if (isRecreate(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = desiredReplicas(deployment);
  const maxSurge = resolveIntOrPercent(strategy?.rollingUpdate?.maxSurge ?? '25%', replicas, 'up');
  const maxUnavailable = resolveIntOrPercent(strategy?.rollingUpdate?.maxUnavailable ?? '25%', replicas, 'down');
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: Math.min(1, replicas) };
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}

export function isRecreate(deployment: Deployment): boolean {
  return deployment.spec.strategy?.type === 'Recreate';
}
