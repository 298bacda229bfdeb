import { describe, expect, test } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec } from '../../../generated/types.ts';
import { createErrors, definitionOf, update } from '../../../testing/kit.ts';

type ClaimSpec = PersistentVolumeClaim['spec'];

function volume(spec: Partial<PersistentVolumeSpec> = { hostPath: { path: '/x' } }): PersistentVolume {
  const common = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] };
  return { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v' }, spec: { ...common, ...spec } };
}

function claim(spec: Partial<ClaimSpec> = {}, status: PersistentVolumeClaim['status'] = {}): PersistentVolumeClaim {
  const common = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } };
  const metadata = { name: 'c', namespace: 'default' };
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: { ...common, ...spec }, status };
}

describe('what is wrong with', () => {
  const cases: [string, PersistentVolume | PersistentVolumeClaim, string[]][] = [
    ['nothing', volume(), []],
    ['a volume of no kind', volume({}), ['spec: Required value: must specify a volume type']],
    [
      'a volume of two kinds',
      volume({ hostPath: { path: '/x' }, nfs: { server: 's', path: '/p' } }),
      ['spec.nfs: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'a local volume of no node',
      volume({ local: { path: '/x' } }),
      ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
    ],
    [
      'a volume of one byte less than nothing',
      volume({ hostPath: { path: '/x' }, capacity: { storage: '0' } }),
      ['spec.capacity[storage]: Invalid value: "0": must be greater than zero'],
    ],
    [
      'a volume that recycles its host',
      volume({ hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' }),
      ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
    ],
    [
      'a CSI volume without a handle',
      volume({ csi: { driver: 'a.io', volumeHandle: '', nodePublishSecretRef: { name: 's' } } }),
      ['spec.csi.volumeHandle: Required value', 'spec.csi.nodePublishSecretRef.namespace: Required value'],
    ],
    ['nothing', claim(), []],
    [
      'a claim of two minds',
      claim({ accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'] }),
      ['spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes'],
    ],
    ['a claim of nothing', claim({ resources: {} }), ['spec.resources[storage]: Required value']],
    [
      'a copy of an unknown thing',
      claim({ dataSource: { kind: 'Thing', name: 'x' } }),
      [
        'spec.dataSource: Invalid value: "Thing": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
      ].flatMap((text) => [text, text.replace('dataSource', 'dataSourceRef')]),
    ],
  ];
  test.each(cases)('%s', (_name, object, errors) => {
    expect(createErrors(object)).toEqual(errors);
  });
});

describe('an update', () => {
  test('keeps what a volume is made of', () => {
    const { errors } = update(volume(), ({ spec }) => {
      spec.hostPath = { path: '/y' };
    });
    expect(errors[0]).toMatch(/^spec\.persistentvolumesource: Forbidden: spec\.persistentvolumesource is immutable/);
  });

  const bound = claim({ volumeName: 'v' }, { phase: 'Bound', capacity: { storage: '1Gi' } });
  const resized = (object: PersistentVolumeClaim, storage: string): string[] =>
    update(object, ({ spec }) => {
      spec.resources = { requests: { storage } };
    }).errors;

  test('lets a bound claim grow', () => {
    expect(resized(bound, '3Gi')).toEqual([]);
    expect(resized(bound, '1500Mi')).toEqual([]);
    expect(resized(bound, '1Gi')).toEqual([
      'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
    ]);
  });

  test('does not let others grow', () => {
    expect(resized(claim(), '3Gi')[0]).toMatch(/^spec: Forbidden: spec is immutable after creation except/);
  });

  test('binds a claim once, and gives it a class once', () => {
    const bind = (object: PersistentVolumeClaim, change: Partial<ClaimSpec>): number =>
      update(object, ({ spec }) => void Object.assign(spec, change)).errors.length;
    expect(bind(claim(), { volumeName: 'v', storageClassName: 'fast' })).toBe(0);
    expect(bind(claim({ volumeName: 'v' }), { volumeName: 'w' })).toBe(1);
    expect(bind(claim({ storageClassName: 'fast' }), { storageClassName: 'slow' })).toBe(1);
  });
});

test('old sources are warned about', () => {
  const object = volume({ cephfs: { monitors: ['a'] }, persistentVolumeReclaimPolicy: 'Retain' });
  expect(definitionOf(object).strategy.warnings?.(object, undefined)).toEqual([
    'spec.cephfs: deprecated in v1.28, non-functional in v1.31+',
  ]);
});
