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
      'What happens to volumes when their claims go.',
      ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    ),
    column('VolumeBindingMode', 'When claims are bound.', ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate'),
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
      'Whether volumes are attached before they are mounted.',
      ({ spec }) => spec.attachRequired ?? true,
      { type: 'boolean' },
    ),
    column('PodInfoOnMount', 'Whether mounting is told about the pod.', ({ spec }) => spec.podInfoOnMount ?? false, {
      type: 'boolean',
    }),
    column(
      'StorageCapacity',
      'Whether scheduling looks at the capacity left.',
      ({ spec }) => spec.storageCapacity ?? false,
      { type: 'boolean' },
    ),
    column('TokenRequests', 'The audiences of the tokens that the driver is given.', ({ spec }) =>
      (spec.tokenRequests ?? []).length === 0
        ? '<unset>'
        : joined((spec.tokenRequests ?? []).map((request) => request.audience)),
    ),
    column(
      'RequiresRepublish',
      'Whether volumes are published again from time to time.',
      ({ spec }) => spec.requiresRepublish ?? false,
      { type: 'boolean' },
    ),
    column('Modes', 'The life cycles of volumes that the driver knows.', ({ spec }) =>
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
    column('Capacity', 'The capacity left.', ({ capacity }) => capacity ?? '<unset>'),
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
    column('Attacher', 'The driver that attaches.', ({ spec }) => spec.attacher, { format: 'name' }),
    column(
      'PV',
      'source represents the volume that should be attached.',
      ({ spec }) => spec.source.persistentVolumeName ?? '',
    ),
    column('Node', 'nodeName represents the node that the volume should be attached to.', ({ spec }) => spec.nodeName),
    column('Attached', 'Whether the volume is attached.', ({ status }) => status?.attached ?? false, {
      type: 'boolean',
    }),
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
