import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { V1HorizontalPodAutoscaler, V2HorizontalPodAutoscaler } from '../generated/types.ts';
import { createErrors, definitionOf } from '../testing/kit.ts';
import { fromStoredAutoscaler, toStoredAutoscaler } from './conversion.ts';

const metadata = { name: 'a', namespace: 'default' };
const scaleTargetRef = { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' };
const prefix = 'autoscaling.alpha.kubernetes.io/';

const stored: V2HorizontalPodAutoscaler = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata,
  spec: {
    scaleTargetRef,
    minReplicas: 1,
    maxReplicas: 3,
    metrics: [
      { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
      {
        type: 'ContainerResource',
        containerResource: { name: 'cpu', container: 'c', target: { type: 'Utilization', averageUtilization: 5 } },
      },
      { type: 'Pods', pods: { metric: { name: 'p' }, target: { type: 'AverageValue', averageValue: '5' } } },
      {
        type: 'Object',
        object: {
          describedObject: { kind: 'Service', name: 's' },
          metric: { name: 'o', selector: { matchLabels: { a: 'b' } } },
          target: { type: 'Value', value: '7' },
        },
      },
      {
        type: 'External',
        external: {
          metric: { name: 'e', selector: { matchLabels: { a: 'b' } } },
          target: { type: 'AverageValue', averageValue: '9' },
        },
      },
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
    ],
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }],
        tolerance: '100m',
      },
      scaleDown: { selectPolicy: 'Disabled', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
    },
  },
  status: {
    currentReplicas: 2,
    desiredReplicas: 3,
    currentMetrics: [
      { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 44, averageValue: '10m' } } },
      { type: 'External', external: { metric: { name: 'e' }, current: { value: '0', averageValue: '3' } } },
    ],
    conditions: [{ type: 'AbleToScale', status: 'True' }],
  },
};

function annotation(object: KubeObject, name: string): unknown {
  return JSON.parse(object.metadata.annotations?.[`${prefix}${name}`] ?? 'null');
}

describe('an autoscaler as version 1', () => {
  const served = fromStoredAutoscaler(stored) as V1HorizontalPodAutoscaler; // Safe: it makes this kind.

  test('has the cpu in fields of its own', () => {
    expect(served.spec).toEqual({
      scaleTargetRef,
      minReplicas: 1,
      maxReplicas: 3,
      targetCPUUtilizationPercentage: 50,
    });
    expect(served.status).toEqual({ currentReplicas: 2, desiredReplicas: 3, currentCPUUtilizationPercentage: 44 });
  });

  test('has the other metrics in the shapes of version 1', () => {
    expect(annotation(served, 'metrics')).toEqual([
      { type: 'Resource', resource: { name: 'memory', targetAverageValue: '1Gi' } },
      { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'c', targetAverageUtilization: 5 } },
      { type: 'Pods', pods: { metricName: 'p', targetAverageValue: '5' } },
      {
        type: 'Object',
        object: {
          target: { kind: 'Service', name: 's' },
          metricName: 'o',
          targetValue: '7',
          selector: { matchLabels: { a: 'b' } },
        },
      },
      {
        type: 'External',
        external: { metricName: 'e', metricSelector: { matchLabels: { a: 'b' } }, targetAverageValue: '9' },
      },
    ]);
    expect(annotation(served, 'current-metrics')).toEqual([
      { type: 'Resource', resource: { name: 'cpu', currentAverageUtilization: 44, currentAverageValue: '10m' } },
      { type: 'External', external: { metricName: 'e', currentValue: '0', currentAverageValue: '3' } },
    ]);
    expect(annotation(served, 'conditions')).toEqual([{ type: 'AbleToScale', status: 'True' }]);
  });

  test("has the behavior in Go's names", () => {
    expect(annotation(served, 'behavior')).toEqual({
      ScaleUp: {
        StabilizationWindowSeconds: 0,
        SelectPolicy: 'Max',
        Policies: [{ Type: 'Pods', Value: 4, PeriodSeconds: 15 }],
        Tolerance: '100m',
      },
      ScaleDown: {
        StabilizationWindowSeconds: null,
        SelectPolicy: 'Disabled',
        Policies: [{ Type: 'Percent', Value: 100, PeriodSeconds: 15 }],
        Tolerance: null,
      },
    });
  });

  test('comes back whole', () => {
    expect(toStoredAutoscaler(served)).toEqual(stored);
  });

  test('survives annotations of nonsense', () => {
    const odd = ['x', '5', '[5]', '[{"type":"Pods","pods":{"metricName":5}}]', '{"ScaleUp":5}', 'null'];
    for (const text of odd) {
      const annotations = Object.fromEntries(
        ['metrics', 'behavior', 'conditions', 'current-metrics'].map((name) => [`${prefix}${name}`, text]),
      );
      const object = toStoredAutoscaler({ ...served, metadata: { ...metadata, annotations } } as KubeObject);
      expect(object.metadata).toEqual(metadata);
    }
  });
});

describe('a client of version 1', () => {
  const served = (fields: object, annotations: Record<string, string> = {}): KubeObject => ({
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { ...metadata, annotations },
    ...fields,
  });

  test('is held to the rules of the stored form', () => {
    const object = served({ spec: { scaleTargetRef: { kind: 'D' }, maxReplicas: 0 } });
    expect(createErrors(object)).toEqual([
      'spec.maxReplicas: Invalid value: 0: must be greater than 0',
      'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
      'spec.scaleTargetRef.name: Required value',
    ]);
  });

  test('cannot change the status on the way', () => {
    const current = served({ spec: { scaleTargetRef, maxReplicas: 1 } }, { [`${prefix}conditions`]: '[]' });
    const next = served({ spec: { scaleTargetRef, maxReplicas: 1 } }, { [`${prefix}current-metrics`]: '[]', a: 'b' });
    definitionOf(next).strategy.prepareForUpdate?.(next, current, { nowMs: 0, uuid: () => '' });
    expect(next.metadata.annotations).toEqual({ a: 'b', [`${prefix}conditions`]: '[]' });
  });
});
