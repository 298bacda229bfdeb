import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#machinery/meta/types.ts';
import { createErrors, definitionOf, row, update } from '../../testing/kit.ts';

const object = (kind: string, fields: object, name = 'a'): KubeObject => ({
  apiVersion: 'storage.k8s.io/v1',
  kind,
  metadata: { name },
  ...fields,
});
const driver = (spec: object = {}) => object('CSIDriver', { spec }, 'csi.example.com');
const node = (fields: object = {}) =>
  object('CSINode', { spec: { drivers: [{ name: 'csi.example.com', nodeID: 'n', ...fields }] } });
const attachment = (spec: object) =>
  object('VolumeAttachment', { spec: { attacher: 'csi.example.com', nodeName: 'n', ...spec } });

describe('storage.k8s.io', () => {
  const cases: [string, KubeObject, string[]][] = [
    ['StorageClass', object('StorageClass', { provisioner: 'example.com/x' }), []],
    ['StorageClass without a provisioner', object('StorageClass', {}), ['provisioner: Required value']],
    [
      'StorageClass with an unknown policy',
      object('StorageClass', { provisioner: 'x', reclaimPolicy: 'Recycle' }),
      ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
    ],
    [
      'StorageClass with an empty topology value',
      object('StorageClass', { provisioner: 'x', allowedTopologies: [{ matchLabelExpressions: [{ key: 'a' }] }] }),
      ['allowedTopologies[0].matchLabelExpressions[0].values: Required value'],
    ],
    ['CSIDriver', driver(), []],
    [
      'CSIDriver with an unknown mode',
      driver({ volumeLifecycleModes: ['Now'] }),
      ['spec.volumeLifecycleModes: Unsupported value: "Now": supported values: "Ephemeral", "Persistent"'],
    ],
    [
      'CSIDriver with short tokens',
      driver({ tokenRequests: [{ audience: '', expirationSeconds: 1 }] }),
      ['spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes'],
    ],
    ['CSINode', node(), []],
    ['CSINode without an id', node({ nodeID: '' }), ['spec.drivers[0].nodeID: Required value']],
    [
      'CSINode with a negative count',
      node({ allocatable: { count: -1 } }),
      ['spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0'],
    ],
    ['VolumeAttachment', attachment({ source: { persistentVolumeName: 'pv' } }), []],
    [
      'VolumeAttachment of nothing',
      attachment({ source: {} }),
      ['spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName'],
    ],
    [
      'VolumeAttributesClass without parameters',
      object('VolumeAttributesClass', { driverName: 'x' }),
      ['parameters: Required value: must contain at least one key/value pair'],
    ],
    [
      'CSIStorageCapacity below nothing',
      object('CSIStorageCapacity', { storageClassName: 'a', capacity: '-1' }),
      ['capacity: Invalid value: "-1": must be greater than or equal to 0'],
    ],
  ];
  test.each(cases)('%s', (_name, given, errors) => {
    expect(createErrors(given)).toEqual(errors);
  });

  const changes: [string, KubeObject, object, string[]][] = [
    [
      'parameters of a class',
      object('StorageClass', { provisioner: 'x' }),
      { parameters: { a: 'b' } },
      ['parameters: Forbidden: updates to parameters are forbidden.'],
    ],
    [
      'when a class binds',
      object('StorageClass', { provisioner: 'x' }),
      { volumeBindingMode: 'WaitForFirstConsumer' },
      ['volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable'],
    ],
    [
      'whether a driver attaches',
      driver(),
      { spec: { attachRequired: false } },
      ['spec.attachedRequired: Invalid value: false: field is immutable'],
    ],
    [
      'what is attached',
      attachment({ source: { persistentVolumeName: 'pv' } }),
      { spec: { attacher: 'csi.example.com', nodeName: 'm', source: { persistentVolumeName: 'pv' } } },
      [
        'spec: Invalid value: {"attacher":"csi.example.com","nodeName":"m","source":{"persistentVolumeName":"pv"}}: field is immutable',
      ],
    ],
    [
      'parameters of volume attributes',
      object('VolumeAttributesClass', { driverName: 'x', parameters: { a: 'b' } }),
      { parameters: { a: 'c' } },
      ['parameters: Invalid value: {"a":"c"}: field is immutable'],
    ],
  ];
  test.each(changes)('%s stays', (_name, current, change, errors) => {
    expect(update(current, (next) => Object.assign(next, change)).errors).toEqual(errors);
  });

  test('the default class says so', () => {
    const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    const shown = { ...object('StorageClass', { provisioner: 'x' }), metadata: { name: 'a', annotations } };
    expect(row(shown, { nowMs: 0 })[0]).toBe('a (default)');
  });

  test('old labels in topologies are warned of', () => {
    const matchLabelExpressions = [{ key: 'beta.kubernetes.io/arch', values: ['amd64'] }];
    const given = object('StorageClass', { provisioner: 'x', allowedTopologies: [{ matchLabelExpressions }] });
    expect(definitionOf(given).strategy.warnings?.(given, undefined)).toEqual([
      'allowedTopologies[0].matchLabelExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead',
    ]);
  });
});
