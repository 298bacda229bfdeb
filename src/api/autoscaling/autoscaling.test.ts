import { describe, expect, test } from 'vitest';
import type { MetricSpec, V2HorizontalPodAutoscaler } from '../generated/types.ts';
import { createErrors, defaulted } from '../testing/kit.ts';

type Spec = V2HorizontalPodAutoscaler['spec'];

function autoscaler(spec: Partial<Spec> = {}): V2HorizontalPodAutoscaler {
  const common = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 3 };
  const metadata = { name: 'web', namespace: 'default' };
  return { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata, spec: { ...common, ...spec } };
}

const cpu: MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
};

describe('an autoscaler', () => {
  const cases: [string, Spec | Partial<Spec>, string[]][] = [
    ['as it should be', { metrics: [cpu] }, []],
    [
      'of no size',
      { minReplicas: 0, maxReplicas: 0 },
      [
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
        'spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas',
      ],
    ],
    [
      'of no policies, which is not the same as none said',
      { behavior: { scaleUp: { policies: [] } } },
      ['spec.behavior.scaleUp.policies: Required value: must specify at least one Policy'],
    ],
    [
      'of a path',
      { scaleTargetRef: { kind: 'a/b', name: '' } },
      [
        'spec.scaleTargetRef.kind: Invalid value: "a/b": may not contain \'/\'',
        'spec.scaleTargetRef.name: Required value',
      ],
    ],
    [
      'of two metrics in one',
      {
        metrics: [{ ...cpu, pods: { metric: { name: 'q' }, target: { type: 'AverageValue', averageValue: '1' } } }],
      },
      ['spec.metrics[0].pods: Forbidden: must populate the given metric source only'],
    ],
    [
      'of a metric without its source',
      { metrics: [{ type: 'Pods' }] },
      ['spec.metrics[0].pods: Required value: must populate information for the given metric source'],
    ],
    [
      'of a target of nothing',
      { metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }] },
      [
        'spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
      ],
    ],
    [
      'that waits too long',
      { behavior: { scaleDown: { stabilizationWindowSeconds: 3601 } } },
      ['spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600'],
    ],
  ];
  test.each(cases)('%s', (_name, spec, errors) => {
    expect(createErrors(autoscaler(spec))).toEqual(errors);
  });
});

test('a behavior in one direction is completed in both', () => {
  const { spec } = defaulted(autoscaler({ behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } }));
  expect(spec.behavior).toEqual({
    scaleUp: {
      stabilizationWindowSeconds: 0,
      selectPolicy: 'Max',
      policies: [
        { type: 'Pods', value: 4, periodSeconds: 15 },
        { type: 'Percent', value: 100, periodSeconds: 15 },
      ],
    },
    scaleDown: {
      stabilizationWindowSeconds: 60,
      selectPolicy: 'Max',
      policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    },
  });
  expect(spec.metrics).toHaveLength(1);
});
