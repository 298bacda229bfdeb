import { ageColumn, column, joined, nameColumn } from '../../columns/common.ts';
import {
  CSI_DRIVERS,
  CSI_NODES,
  CSI_STORAGE_CAPACITIES,
  STORAGE_CLASSES,
  VOLUME_ATTACHMENTS,
  VOLUME_ATTRIBUTES_CLASSES,
} from '../../generated/resources.ts';
import type { StorageClass } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const BETA_DEFAULT_CLASS = 'storageclass.beta.kubernetes.io/is-default-class';

/** Whether claims without a class get this one. */
export function isDefaultStorageClass({ metadata }: StorageClass): boolean {
  return metadata.annotations?.[DEFAULT_CLASS] === 'true' || metadata.annotations?.[BETA_DEFAULT_CLASS] === 'true';
}

export const storageClasses = defineKind(STORAGE_CLASSES, {
  strategy: {
    applyDefaults(next) {
      next.reclaimPolicy ??= 'Delete';
      next.volumeBindingMode ??= 'Immediate';
    },
  },
  columns: [
    {
      ...nameColumn,
      cell: (object) => `${object.metadata.name ?? ''}${isDefaultStorageClass(object) ? ' (default)' : ''}`,
    },
    column('Provisioner', 'provisioner indicates the type of the provisioner.', ({ provisioner }) => provisioner),
    column(
      'ReclaimPolicy',
      'reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class. Defaults to Delete.',
      ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    ),
    column(
      'VolumeBindingMode',
      'volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound. When unset, VolumeBindingImmediate is used.',
      ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate',
    ),
    column(
      'AllowVolumeExpansion',
      'allowVolumeExpansion shows whether the storage class allow volume expand.',
      ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    ),
    ageColumn,
  ],
});

export const csiDrivers = defineKind(CSI_DRIVERS, {
  strategy: {
    hasGeneration: true,
    applyDefaults({ spec }) {
      spec.attachRequired ??= true;
      spec.podInfoOnMount ??= false;
      spec.storageCapacity ??= false;
      spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
      spec.volumeLifecycleModes ??= ['Persistent'];
      spec.requiresRepublish ??= false;
      spec.seLinuxMount ??= false;
    },
  },
  columns: [
    nameColumn,
    column(
      'AttachRequired',
      'attachRequired indicates this CSI volume driver requires an attach operation.',
      ({ spec }) => spec.attachRequired ?? true,
      { type: 'boolean' },
    ),
    column(
      'PodInfoOnMount',
      'podInfoOnMount indicates this CSI volume driver requires additional pod information (like podName, podUID, etc.) during mount operations, if set to true.',
      ({ spec }) => spec.podInfoOnMount ?? false,
      { type: 'boolean' },
    ),
    column(
      'StorageCapacity',
      'storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage capacity that the driver deployment will report by creating CSIStorageCapacity objects with capacity information, if set to true.',
      ({ spec }) => spec.storageCapacity ?? false,
      { type: 'boolean' },
    ),
    column(
      'TokenRequests',
      "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume for to do necessary authentication.",
      ({ spec }) =>
        (spec.tokenRequests ?? []).length === 0
          ? '<unset>'
          : joined((spec.tokenRequests ?? []).map((request) => request.audience)),
    ),
    column(
      'RequiresRepublish',
      'requiresRepublish indicates the CSI driver wants `NodePublishVolume` being periodically called to reflect any possible change in the mounted volume.',
      ({ spec }) => spec.requiresRepublish ?? false,
      { type: 'boolean' },
    ),
    column('Modes', 'volumeLifecycleModes defines what kind of volumes this CSI volume driver supports.', ({ spec }) =>
      joined(spec.volumeLifecycleModes),
    ),
    ageColumn,
  ],
});

export const csiNodes = defineKind(CSI_NODES, {
  strategy: {},
  columns: [
    nameColumn,
    column(
      'Drivers',
      'Drivers indicates the number of CSI drivers registered on the node',
      ({ spec }) => spec.drivers?.length ?? 0,
      { type: 'integer' },
    ),
    ageColumn,
  ],
});

export const csiStorageCapacities = defineKind(CSI_STORAGE_CAPACITIES, {
  strategy: {},
  columns: [
    nameColumn,
    column(
      'StorageClassName',
      'The name of the StorageClass that the reported capacity applies to.',
      ({ storageClassName }) => storageClassName,
    ),
    column(
      'Capacity',
      'Capacity is the value reported by the CSI driver in its GetCapacityResponse for a GetCapacityRequest with topology and parameters that match the previous fields.',
      ({ capacity }) => capacity ?? '<unset>',
    ),
  ],
});

export const volumeAttachments = defineKind(VOLUME_ATTACHMENTS, {
  strategy: {
    ...statusRules,
    prepareForCreate(next) {
      next.status = { attached: false };
    },
  },
  columns: [
    nameColumn,
    column(
      'Attacher',
      'attacher indicates the name of the volume driver that MUST handle this request. This is the name returned by GetPluginName().',
      ({ spec }) => spec.attacher,
      { format: 'name' },
    ),
    column(
      'PV',
      'source represents the volume that should be attached.',
      ({ spec }) => spec.source.persistentVolumeName ?? '',
    ),
    column('Node', 'nodeName represents the node that the volume should be attached to.', ({ spec }) => spec.nodeName),
    column(
      'Attached',
      'attached indicates the volume is successfully attached. This field must only be set by the entity completing the attach operation, i.e. the external-attacher.',
      ({ status }) => status?.attached ?? false,
      { type: 'boolean' },
    ),
    ageColumn,
  ],
});

export const volumeAttributesClasses = defineKind(VOLUME_ATTRIBUTES_CLASSES, {
  strategy: {},
  columns: [
    nameColumn,
    column('DriverName', 'Name of the CSI driver This field is immutable.', ({ driverName }) => driverName),
    ageColumn,
  ],
});
