import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { DaemonSet, StatefulSet } from '../../generated/types.ts';
import { createErrors, defaulted, definitionOf, update } from '../../testing/kit.ts';

const container = { name: 'a', image: 'x' };
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } };
const selector = { matchLabels: { app: 'web' } };
const negative = 'must be greater than or equal to 0';

function workload(kind: string, spec: object = {}): KubeObject & { spec: Record<string, unknown> } {
  const metadata = { name: 'web', namespace: 'default' };
  return { apiVersion: 'apps/v1', kind, metadata, spec: { selector, template, ...spec } };
}

function controller(spec: object = {}): KubeObject {
  const metadata = { name: 'web', namespace: 'default' };
  return { apiVersion: 'v1', kind: 'ReplicationController', metadata, spec: { template, ...spec } } as KubeObject;
}

/** A spec whose pods mount a claim of the set. */
const claimed = {
  volumeClaimTemplates: [
    {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
  ],
  template: {
    ...template,
    spec: { containers: [{ ...container, volumeMounts: [{ name: 'data', mountPath: '/data' }] }] },
  },
};

describe('errors of a new workload', () => {
  const labels = '`selector` does not match template `labels`';
  const cases: [string, KubeObject, string[]][] = [
    ['a daemon set', workload('DaemonSet'), []],
    ['a stateful set with a claim that is mounted', workload('StatefulSet', claimed), []],
    ['a replica set', workload('ReplicaSet'), []],
    ['a replication controller', controller(), []],
    [
      'a daemon set without a selector',
      workload('DaemonSet', { selector: undefined }),
      [`spec.template.metadata.labels: Invalid value: {"app":"web"}: ${labels}`],
    ],
    [
      'a selector of no meaning',
      workload('Deployment', { selector: { matchExpressions: [{ key: 'a', operator: 'Near' }] } }),
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Near"}]}: invalid label selector',
      ],
    ],
    [
      'the deadline of a pod',
      workload('StatefulSet', { template: { ...template, spec: { ...template.spec, activeDeadlineSeconds: 1 } } }),
      ['spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported'],
    ],
    [
      'a strategy of a deployment',
      workload('Deployment', { strategy: { type: 'Slow' } }),
      [
        'spec.strategy: Unsupported value: {"Type":"Slow","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
      ],
    ],
    [
      'percentages of a deployment',
      workload('Deployment', { strategy: { rollingUpdate: { maxUnavailable: '101%', maxSurge: 'x' } } }),
      [
        "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
      ],
    ],
    [
      'numbers of a deployment',
      workload('Deployment', { revisionHistoryLimit: -1, minReadySeconds: -1, progressDeadlineSeconds: -2 }),
      [
        `spec.minReadySeconds: Invalid value: -1: ${negative}`,
        `spec.revisionHistoryLimit: Invalid value: -1: ${negative}`,
        `spec.progressDeadlineSeconds: Invalid value: -2: ${negative}`,
        'spec.progressDeadlineSeconds: Invalid value: -2: must be greater than minReadySeconds',
      ],
    ],
    [
      'a daemon set that both surges and stops',
      workload('DaemonSet', { updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } }),
      ['spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero'],
    ],
    [
      'a daemon set that cannot move',
      workload('DaemonSet', { updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } }),
      ['spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0'],
    ],
    [
      'a strategy of a daemon set',
      workload('DaemonSet', { updateStrategy: { type: 'Slow' } }),
      [
        'spec.updateStrategy: Unsupported value: {"Type":"Slow","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"',
      ],
    ],
    [
      'policies of a stateful set',
      workload('StatefulSet', {
        podManagementPolicy: 'Any',
        updateStrategy: { type: 'Slow' },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Keep' },
        ordinals: { start: -1 },
        minReadySeconds: -1,
        serviceName: 'a.b',
      }),
      [
        "spec.podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'",
        'spec.updateStrategy: Invalid value: {"Type":"Slow","RollingUpdate":null}: must be \'RollingUpdate\' or \'OnDelete\'',
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Retain", "Delete"',
        `spec.minReadySeconds: Invalid value: -1: ${negative}`,
        `spec.ordinals.start: Invalid value: -1: ${negative}`,
        'spec.serviceName: Invalid value: "a.b": must not contain dots',
      ],
    ],
    [
      'a rollout of a set that is updated by deletion',
      workload('StatefulSet', { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } }),
      [
        'spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy \'RollingUpdate\'',
      ],
    ],
    [
      'a partition',
      workload('StatefulSet', { updateStrategy: { rollingUpdate: { partition: -1 } } }),
      [`spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: ${negative}`],
    ],
    [
      'a mount of nothing',
      workload('StatefulSet', { template: claimed.template }),
      ['spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"'],
    ],
    [
      'a controller without anything',
      controller({ template: undefined, minReadySeconds: -1, replicas: -1 }),
      [
        `spec.minReadySeconds: Invalid value: -1: ${negative}`,
        'spec.selector: Required value',
        `spec.replicas: Invalid value: -1: ${negative}`,
        'spec.template: Required value',
      ],
    ],
    [
      'a controller of other pods',
      controller({ selector: { app: 'db' } }),
      [`spec.template.metadata.labels: Invalid value: {"app":"web"}: ${labels}`],
    ],
    [
      'a revision of nothing',
      { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: { name: 'a' }, revision: -1 } as KubeObject,
      ['data: Required value: data is mandatory', `revision: Invalid value: -1: ${negative}`],
    ],
  ];

  test.each(cases)('%s', (_name, created, errors) => {
    expect(createErrors(created)).toEqual(errors);
  });
});

describe('updates of a workload', () => {
  test('of a stateful set: the fields that may change', () => {
    const current = workload('StatefulSet', { ...claimed, serviceName: 'web' });
    const allowed = update(current, ({ spec }) => {
      Object.assign(spec, { replicas: 3, ordinals: { start: 2 }, minReadySeconds: 5, revisionHistoryLimit: 3 });
      spec['updateStrategy'] = { type: 'OnDelete' };
      spec['persistentVolumeClaimRetentionPolicy'] = { whenDeleted: 'Delete' };
    });
    expect(allowed.errors).toEqual([]);
    const refused = update(current, ({ spec }) => {
      spec['serviceName'] = 'db';
    });
    expect(refused.errors).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
  });

  test.each(['DaemonSet', 'Deployment', 'ReplicaSet'])('the selector of a %s is immutable', (kind) => {
    const { errors } = update(workload(kind), ({ spec }) => {
      spec['selector'] = { matchLabels: { app: 'web', more: 'x' } };
      spec['template'] = { ...template, metadata: { labels: { app: 'web', more: 'x' } } };
    });
    expect(errors).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","more":"x"}}: field is immutable',
    ]);
  });

  test('of a daemon set: the server counts the templates', () => {
    const key = 'deprecated.daemonset.template.generation';
    const created = defaulted(workload('DaemonSet')) as KubeObject as DaemonSet; // Safe: a daemon set by its kind.
    definitionOf(created).strategy.prepareForCreate?.(created, { nowMs: 0, uuid: () => '' });
    expect(created.metadata.annotations).toEqual({ [key]: '1' });
    const scaled = update(created, (next) => {
      next.spec.minReadySeconds = 3;
      next.metadata.annotations = { [key]: '7', own: 'x' };
    });
    expect(scaled.next.metadata.annotations).toEqual({ [key]: '1', own: 'x' });
    const changed = update(created, (next) => {
      next.spec.template.metadata = { labels: { app: 'web', more: 'x' } };
    });
    expect(changed.next.metadata.annotations).toEqual({ [key]: '2' });
  });

  test('of a stateful set: a field behind a gate is dropped', () => {
    const rolling = { updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } };
    const { next } = update(workload('StatefulSet'), ({ spec }) => Object.assign(spec, rolling));
    const { spec } = next as KubeObject as StatefulSet; // Safe: a stateful set by its kind.
    expect(spec.updateStrategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { partition: 0 } });
  });
});

describe('errors of a status', () => {
  const total = 'cannot be greater than status.replicas';
  const cases: [string, object, string[]][] = [
    [
      'Deployment',
      { replicas: 1, updatedReplicas: 2, availableReplicas: 1, unavailableReplicas: -1 },
      [
        `status.unavailableReplicas: Invalid value: -1: ${negative}`,
        `status.updatedReplicas: Invalid value: 2: ${total}`,
        'status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas',
        'status.collisionCount: Invalid value: 0: cannot be decremented',
      ],
    ],
    [
      'ReplicaSet',
      { replicas: 1, fullyLabeledReplicas: 2 },
      [`status.fullyLabeledReplicas: Invalid value: 2: ${total}`],
    ],
    [
      'DaemonSet',
      { numberReady: -1, collisionCount: 1 },
      [
        `status.numberReady: Invalid value: -1: ${negative}`,
        'status.collisionCount: Invalid value: 1: cannot be decremented',
      ],
    ],
    [
      'StatefulSet',
      { replicas: 2, currentReplicas: 3, availableReplicas: 1, collisionCount: 2 },
      [
        `status.currentReplicas: Invalid value: 3: ${total}`,
        'status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas',
      ],
    ],
  ];

  test.each(cases)('of a %s', (kind, status, errors) => {
    const current = { ...workload(kind), status: { collisionCount: 2 } } as KubeObject;
    const next = { ...workload(kind), status } as KubeObject;
    const found = definitionOf(next).strategy.validateStatusUpdate?.(next, current) ?? [];
    expect(found.map(fieldErrorText)).toEqual(errors);
  });
});

describe('warnings of a workload', () => {
  const warningsOf = (next: KubeObject, current?: KubeObject): string[] =>
    definitionOf(next).strategy.warnings?.(next, current) ?? [];
  const selected = { ...template, spec: { ...template.spec, nodeSelector: { 'beta.kubernetes.io/os': 'linux' } } };
  const old = 'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead';

  test('come where the spec changes', () => {
    const next = workload('Deployment', { template: selected });
    expect(warningsOf(next)).toEqual([`spec.template.${old}`]);
    expect(warningsOf(next, workload('Deployment'))).toEqual([`spec.template.${old}`]);
    expect(warningsOf(next, structuredClone(next))).toEqual([]);
    expect(warningsOf(controller({ template: selected }))).toEqual([`template.${old}`]);
  });

  test('a name that is no host name', () => {
    const next = { ...workload('ReplicaSet'), metadata: { name: 'a.b', namespace: 'default' } };
    expect(warningsOf(next)[0]).toMatch(/^metadata.name: this is used in Pod names and hostnames, /);
    expect(warningsOf(next, next)).toEqual([]);
  });

  test('a history without end', () => {
    expect(warningsOf(workload('StatefulSet', { revisionHistoryLimit: -1 }))).toEqual([
      'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
    ]);
  });
});
