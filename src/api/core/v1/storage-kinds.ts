import { formatTime } from '#machinery/clock/clock.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../generated/resources.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { defaultClaimSpec } from './pod/volume-defaults.ts';
import { validateClaim, validateClaimStatusUpdate, validateClaimUpdate } from './volumes/claim.ts';
import { claimSpecWarnings } from './volumes/claim-warnings.ts';
import { validateVolume, validateVolumeUpdate } from './volumes/persistent-volume.ts';

const shortModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** `RWO,ROX`, in upstream's fixed order. */
function accessModes(modes: readonly string[] | undefined): string {
  return Object.keys(shortModes)
    .filter((mode) => modes?.includes(mode) === true)
    .map((mode) => shortModes[mode] ?? mode)
    .join(',');
}

export const persistentVolumes = defineKind(PERSISTENT_VOLUMES, {
  strategy: {
    applyDefaults(next) {
      next.spec.persistentVolumeReclaimPolicy ||= 'Retain';
      next.spec.volumeMode ??= 'Filesystem';
      if (next.spec.hostPath !== undefined) next.spec.hostPath.type ??= '';
      next.status ??= {};
      next.status.phase ||= 'Pending';
    },
    prepareForCreate(next, { nowMs }) {
      next.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(nowMs) };
    },
    prepareForUpdate: (next, current) => {
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate: (next, current, { nowMs }) => {
      carryOver(next, current, 'spec');
      const { status = {} } = next;
      const before = current.status ?? {};
      if (status.phase === before.phase) return;
      // A client may say when the phase changed; if it does not, it was now.
      const isGiven = (status.lastPhaseTransitionTime ?? '') !== (before.lastPhaseTransitionTime ?? '');
      if (!isGiven) next.status = { ...status, lastPhaseTransitionTime: formatTime(nowMs) };
    },
    validate: validateVolume,
    validateUpdate: validateVolumeUpdate,
    warnings: volumeWarnings,
  },
  columns: [
    nameColumn,
    column('Capacity', 'The size of the volume.', (volume) => volume.spec.capacity?.['storage'] ?? ''),
    column('Access Modes', 'How the volume may be mounted.', (volume) => accessModes(volume.spec.accessModes)),
    column(
      'Reclaim Policy',
      'What happens to the volume when its claim goes.',
      (volume) => volume.spec.persistentVolumeReclaimPolicy ?? '',
    ),
    column('Status', 'Whether the volume is free, bound or released.', (volume) =>
      volume.metadata.deletionTimestamp === undefined ? (volume.status?.phase ?? '') : 'Terminating',
    ),
    column('Claim', 'The claim that has the volume.', claimCell),
    column('StorageClass', 'StorageClass of the pv', (volume) => volume.spec.storageClassName ?? ''),
    column(
      'VolumeAttributesClass',
      'Name of VolumeAttributesClass to which this persistent volume belongs.',
      (volume) => volume.spec.volumeAttributesClassName ?? '<unset>',
    ),
    column('Reason', 'Why the volume failed.', (volume) => volume.status?.reason ?? ''),
    ageColumn,
    column('VolumeMode', 'Files or a block device.', (volume) => volume.spec.volumeMode ?? '<unset>', { wide: true }),
  ],
});

function claimCell(volume: PersistentVolume): string {
  const claim = volume.spec.claimRef;
  return claim === undefined ? '' : `${claim.namespace ?? ''}/${claim.name ?? ''}`;
}

export const persistentVolumeClaims = defineKind(PERSISTENT_VOLUME_CLAIMS, {
  strategy: {
    applyDefaults(next) {
      defaultClaimSpec(next.spec);
      next.status ??= {};
      next.status.phase ||= 'Pending';
    },
    prepareForCreate(next) {
      next.status = { phase: 'Pending' };
      alignDataSources(next);
    },
    prepareForUpdate: (next, current) => {
      carryOver(next, current, 'status');
      alignDataSources(next);
    },
    prepareForStatusUpdate: (next, current) => {
      carryOver(next, current, 'spec');
    },
    validate: validateClaim,
    validateUpdate: validateClaimUpdate,
    validateStatusUpdate: (next) => validateClaimStatusUpdate(next),
    warnings: (next) => claimWarnings(next),
  },
  columns: [
    nameColumn,
    column('Status', 'phase represents the current phase of PersistentVolumeClaim.', (claim) =>
      claim.metadata.deletionTimestamp === undefined ? (claim.status?.phase ?? '') : 'Terminating',
    ),
    column('Volume', 'The volume that the claim has.', (claim) => claim.spec.volumeName ?? ''),
    column('Capacity', 'capacity represents the actual resources of the underlying volume.', (claim) =>
      (claim.spec.volumeName ?? '') === '' ? '' : (claim.status?.capacity?.['storage'] ?? ''),
    ),
    column('Access Modes', 'How the volume may be mounted.', (claim) =>
      (claim.spec.volumeName ?? '') === '' ? '' : accessModes(claim.status?.accessModes),
    ),
    column('StorageClass', 'StorageClass of the pvc', (claim) => claim.spec.storageClassName ?? ''),
    column(
      'VolumeAttributesClass',
      'The class of attributes that the claim asks for.',
      (claim) => claim.spec.volumeAttributesClassName ?? '<unset>',
    ),
    ageColumn,
    column('VolumeMode', 'Files or a block device.', (claim) => claim.spec.volumeMode ?? '<unset>', { wide: true }),
  ],
});

/** The older and the newer field of where the data comes from: a client may set either. */
function alignDataSources({ spec }: PersistentVolumeClaim): void {
  if (spec.dataSource !== undefined && spec.dataSourceRef === undefined) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSource === undefined && spec.dataSourceRef !== undefined) {
    const { namespace = '', ...source } = spec.dataSourceRef;
    if (namespace === '') spec.dataSource = source;
  }
}

const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';
const OLD_CLASS_WARNING = `metadata.annotations[${OLD_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`;
const oldSources: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

function claimWarnings(claim: PersistentVolumeClaim): string[] {
  const isOld = claim.metadata.annotations?.[OLD_CLASS] !== undefined;
  return [...(isOld ? [OLD_CLASS_WARNING] : []), ...claimSpecWarnings(claim.spec, 'spec')];
}

function volumeWarnings({ metadata, spec }: PersistentVolume): string[] {
  const warnings: string[] = [];
  if (metadata.annotations?.[OLD_CLASS] !== undefined) warnings.push(OLD_CLASS_WARNING);
  if (spec.persistentVolumeReclaimPolicy === 'Recycle') {
    warnings.push(
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    );
  }
  for (const type in spec) {
    const text = oldSources[type];
    if (text !== undefined) warnings.push(`spec.${type === 'storageos' ? 'storageOS' : type}: ${text}`);
  }
  return warnings;
}
