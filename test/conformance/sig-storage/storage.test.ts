import { expect } from 'vitest';
import type { Api, StatusBody } from '../support/api.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { eventually } from '../support/eventually.ts';
import { CONFIG_MAPS, type JsonObject, type Kind, kindOf, PODS, SECRETS } from '../support/kinds.ts';
import { PAUSE_IMAGE, podOf } from '../support/workloads.ts';

const GROUP = 'storage.k8s.io/v1';

async function expectImmutable(api: Api, namespace: string, kind: Kind<JsonObject>): Promise<void> {
  const objects = api.of(kind, namespace);
  await objects.create({ metadata: { name: 'immutable' }, data: { 'data-1': 'dmFsdWUtMQ==' } });
  await objects.change('immutable', (object) => {
    object['data'] = { 'data-1': 'dmFsdWUtMg==' };
  });
  await objects.change('immutable', (object) => {
    object['immutable'] = true;
  });
  const tryPatch = (body: object) =>
    api.raw<StatusBody>('PATCH', objects.path('immutable'), { body, contentType: 'application/merge-patch+json' });
  const changedData = await tryPatch({ data: { 'data-3': 'dmFsdWUtMw==' } });
  expect(changedData.code).toBe(422);
  expect(changedData.body.message).toContain('field is immutable when `immutable` is set');
  const mutable = await tryPatch({ immutable: false });
  expect(mutable.code).toBe(422);
  expect(mutable.body.message).toContain('field is immutable when `immutable` is set');
  const labeled = await tryPatch({ metadata: { labels: { still: 'possible' } } });
  expect(labeled.code).toBe(200);
  await objects.delete('immutable');
  await objects.create({ metadata: { name: 'immutable' }, data: { 'data-1': 'dmFsdWUtMQ==' } });
}

conformanceTest(
  '[sig-storage] ConfigMap should be immutable if `immutable` field is set [Conformance]',
  async ({ api, namespace }) => expectImmutable(api, namespace, kindOf('v1', CONFIG_MAPS.kind, CONFIG_MAPS.resource)),
);

conformanceTest(
  '[sig-storage] Secrets should be immutable if `immutable` field is set [Conformance]',
  async ({ api, namespace }) => expectImmutable(api, namespace, kindOf('v1', SECRETS.kind, SECRETS.resource)),
);

conformanceTest(
  '[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations [Conformance]',
  async ({ api, namespace, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'CSIStorageCapacity', 'csistoragecapacities'),
      namespace,
      body: { nodeTopology: { matchLabels: { foo: 'bar' } }, storageClassName: 'e2e', capacity: '1Gi' },
      changed: { capacity: '2Gi' },
      unique,
    });
  },
);

conformanceTest(
  '[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'CSIDriver', 'csidrivers'),
      body: { spec: { volumeLifecycleModes: ['Ephemeral'] } },
      unique,
    });
  },
);

conformanceTest(
  '[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API [Conformance]',
  async ({ api, namespace }) => {
    const pods = api.of(PODS, namespace);
    await pods.create(
      podOf('pod-csi-inline-volumes', {
        spec: {
          containers: [
            { name: 'pause', image: PAUSE_IMAGE, volumeMounts: [{ name: 'pod-storage', mountPath: '/mnt' }] },
          ],
          volumes: [
            {
              name: 'pod-storage',
              csi: { driver: 'e2e.example.com', readOnly: true, volumeAttributes: { foo: 'bar' } },
            },
          ],
        },
      }),
    );
    const pod = await pods.get('pod-csi-inline-volumes');
    expect(pod.spec?.volumes?.find(({ name }) => name === 'pod-storage')?.csi).toMatchObject({
      driver: 'e2e.example.com',
    });
    const patched = await pods.patch('pod-csi-inline-volumes', { metadata: { labels: { patched: 'true' } } });
    expect(patched.metadata?.labels?.['patched']).toBe('true');
    await pods.delete('pod-csi-inline-volumes', { gracePeriodSeconds: 0 });
    await eventually(
      'the pod is gone',
      () => pods.find('pod-csi-inline-volumes'),
      (found) => found === undefined,
    );
  },
);

conformanceTest(
  '[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'CSINode', 'csinodes'),
      body: {
        spec: { drivers: [{ name: 'e2e.example.com', nodeID: 'e2e-node', topologyKeys: ['company.com/zone1'] }] },
      },
      unique,
    });
  },
);

conformanceTest(
  '[sig-storage] StorageClasses CSI Conformance should run through the lifecycle of a StorageClass [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'StorageClass', 'storageclasses'),
      body: { provisioner: 'e2e-fake-provisioner', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
      unique,
    });
  },
);

const ATTACHMENT_SPEC = {
  attacher: 'e2e-test.csi.local',
  nodeName: 'e2e-node',
  source: { persistentVolumeName: 'e2e-pv' },
};

conformanceTest(
  '[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'VolumeAttachment', 'volumeattachments'),
      body: { spec: ATTACHMENT_SPEC },
      unique,
    });
  },
);

conformanceTest(
  '[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'VolumeAttachment', 'volumeattachments'),
      body: { spec: ATTACHMENT_SPEC },
      status: { attached: true },
      statusKeepsMetadata: true,
      statusPatched: { attached: false },
      unique,
    });
  },
);

conformanceTest(
  '[sig-storage] VolumeAttributesClass [FeatureGate:VolumeAttributesClass] should run through the lifecycle of a VolumeAttributesClass [Conformance]',
  async ({ api, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf(GROUP, 'VolumeAttributesClass', 'volumeattributesclasses'),
      body: { driverName: 'e2e-fake-csi-driver', parameters: { iops: '100' } },
      unique,
    });
  },
);

const VOLUME = {
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'conformance-none',
    csi: { driver: 'e2e-driver.example.com', volumeHandle: 'e2e' },
  },
};
const CLAIM = {
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    storageClassName: 'conformance-none',
    volumeName: 'is-not-there',
  },
};

conformanceTest(
  '[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC [Conformance]',
  async ({ api, namespace, unique }) => {
    await exerciseApiOperations(api, {
      kind: kindOf('v1', 'PersistentVolume', 'persistentvolumes'),
      body: VOLUME,
      unique,
    });
    await exerciseApiOperations(api, {
      kind: kindOf('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
      namespace,
      body: CLAIM,
      unique,
    });
  },
);

conformanceTest(
  '[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status [Conformance]',
  async ({ api, namespace, unique }) => {
    const condition = (reason: string) => ({
      type: 'StatusUpdate',
      status: 'True',
      reason,
      message: 'set by the test',
    });
    await exerciseApiOperations(api, {
      kind: kindOf('v1', 'PersistentVolume', 'persistentvolumes'),
      body: VOLUME,
      status: { message: 'StatusPatched', reason: 'E2E' },
      statusPatched: { message: 'StatusUpdate', reason: 'E2E' },
      unique,
    });
    await exerciseApiOperations(api, {
      kind: kindOf('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
      namespace,
      body: CLAIM,
      status: { conditions: [condition('patched')] },
      statusPatched: { conditions: [condition('updated')] },
      unique,
    });
  },
);
