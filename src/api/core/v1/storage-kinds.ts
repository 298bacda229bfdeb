import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../generated/resources.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../generated/types.ts';
import { carryOver } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import type { FieldErrors } from '../../validation/basics.ts';
import { specDifference } from './pod/validation/difference.ts';
import { defaultClaimSpec } from './pod/volume-defaults.ts';

const specPath = new FieldPath('spec');
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
    prepareForCreate(next) {
      next.status = { phase: 'Pending' };
    },
    prepareForUpdate: (next, current) => {
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate: (next, current) => {
      carryOver(next, current, 'spec');
    },
    validate: validateVolume,
    validateUpdate: (next) => validateVolume(next),
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

function validateVolume(volume: PersistentVolume): FieldError[] {
  const errors: FieldErrors = [];
  if ((volume.spec.accessModes ?? []).length === 0) errors.push(required(specPath.child('accessModes'), ''));
  if (Object.keys(volume.spec.capacity ?? {}).length === 0) errors.push(required(specPath.child('capacity'), ''));
  return errors;
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
    },
    prepareForUpdate: (next, current) => {
      carryOver(next, current, 'status');
    },
    prepareForStatusUpdate: (next, current) => {
      carryOver(next, current, 'spec');
    },
    validate: validateClaim,
    validateUpdate: validateClaimUpdate,
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

function validateClaim(claim: PersistentVolumeClaim): FieldError[] {
  const errors: FieldErrors = [];
  if ((claim.spec.accessModes ?? []).length === 0) {
    errors.push(required(specPath.child('accessModes'), 'at least 1 access mode is required'));
  }
  if (claim.spec.resources?.requests?.['storage'] === undefined) {
    errors.push(required(specPath.child('resources').key('storage'), ''));
  }
  return errors;
}

function validateClaimUpdate(next: PersistentVolumeClaim, current: PersistentVolumeClaim): FieldError[] {
  const errors = validateClaim(next);
  const comparable = { ...next.spec };
  // A claim is bound once, and may grow and change class.
  for (const field of ['volumeName', 'storageClassName'] as const) {
    if (current.spec[field] === undefined) delete comparable[field];
  }
  for (const field of ['resources', 'volumeAttributesClassName'] as const) {
    const value = current.spec[field];
    if (value === undefined) delete comparable[field];
    else Object.assign(comparable, { [field]: value });
  }
  if (!deepEqual(comparable, current.spec)) {
    const detail = `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${specDifference(current.spec, comparable)}`;
    errors.push(forbiddenValue(specPath, detail));
  }
  return errors;
}
