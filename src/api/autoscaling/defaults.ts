import type { HPAScalingRules, V2HorizontalPodAutoscaler } from '../generated/types.ts';

type Spec = V2HorizontalPodAutoscaler['spec'];

const PERIOD_SECONDS = 15;

/** One replica at least, 80 % of the cpu that pods ask for, and scaling as fast as both ways allow. */
export function defaultAutoscaler({ spec }: { spec: Spec }): void {
  spec.minReplicas ??= 1;
  if ((spec.metrics ?? []).length === 0) {
    const target = { type: 'Utilization', averageUtilization: 80 };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  const { behavior } = spec;
  // No behavior at all means the same; it is only written out next to what a client set.
  if (behavior === undefined || (behavior.scaleUp === undefined && behavior.scaleDown === undefined)) return;
  behavior.scaleUp = withDefaults(behavior.scaleUp, {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: PERIOD_SECONDS },
      { type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS },
    ],
  });
  // How long to wait before scaling down is the controller's own setting.
  behavior.scaleDown = withDefaults(behavior.scaleDown, {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS }],
  });
}

function withDefaults(rules: HPAScalingRules | undefined, defaults: HPAScalingRules): HPAScalingRules {
  const merged = { ...defaults, ...rules };
  if (rules?.policies === undefined && defaults.policies !== undefined) merged.policies = defaults.policies;
  return merged;
}
