import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '#api/generated/types.ts';
import type { EventDetails } from '#client/events/event-recorder.ts';
import { classOfClaim, findVolume, isVolumeReservedFor, mismatch } from './matching.ts';

export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
export const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
export const BETA_STORAGE_PROVISIONER = 'volume.beta.kubernetes.io/storage-provisioner';

/** What to do about a claim. */
export type ClaimPlan =
  | { readonly type: 'bind'; readonly volume: PersistentVolume }
  | { readonly type: 'phase'; readonly phase: 'Pending' | 'Lost'; readonly event?: EventDetails }
  /** Leaves the claim to the provisioner outside. */
  | { readonly type: 'provision'; readonly provisioner: string; readonly event: EventDetails }
  | { readonly type: 'setClass'; readonly storageClassName: string };

export interface ClaimInput {
  readonly claim: PersistentVolumeClaim;
  /** The class that the claim names, where it exists. */
  readonly storageClass: StorageClass | undefined;
  readonly defaultClass: StorageClass | undefined;
  /** The volume that the claim names, where it exists. */
  readonly named: PersistentVolume | undefined;
  readonly volumesOfClass: () => readonly PersistentVolume[];
  /** The node that the scheduler chose for the claim's first consumer. */
  readonly node: Node | undefined;
}

export function planClaim(input: ClaimInput): ClaimPlan {
  const { claim, named } = input;
  const isComplete = claim.metadata.annotations?.[BIND_COMPLETED] !== undefined;
  if (isComplete) return planBoundClaim(claim, named);
  if ((claim.spec?.volumeName ?? '') !== '') return planNamedVolume(claim, named);
  const delaysBinding = input.storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && !hasSelectedNode(claim);
  const { node } = input;
  const volume = findVolume(claim, input.volumesOfClass(), {
    delaysBinding,
    ...(node === undefined ? {} : { node }),
  });
  if (volume !== undefined) return { type: 'bind', volume };
  if (delaysBinding) {
    const message = 'waiting for first consumer to be created before binding';
    return { type: 'phase', phase: 'Pending', event: { type: 'Normal', reason: 'WaitForFirstConsumer', message } };
  }
  return planUnmatched(input);
}

function hasSelectedNode(claim: PersistentVolumeClaim): boolean {
  return claim.metadata.annotations?.[SELECTED_NODE] !== undefined;
}

function planUnmatched({ claim, storageClass, defaultClass }: ClaimInput): ClaimPlan {
  const name = classOfClaim(claim);
  if (name === '') {
    if (claim.spec?.storageClassName === undefined && defaultClass !== undefined) {
      return { type: 'setClass', storageClassName: defaultClass.metadata.name ?? '' };
    }
    const message = 'no persistent volumes available for this claim and no storage class is set';
    return { type: 'phase', phase: 'Pending', event: { type: 'Normal', reason: 'FailedBinding', message } };
  }
  if (storageClass === undefined) {
    const message = `storageclass.storage.k8s.io "${name}" not found`;
    return { type: 'phase', phase: 'Pending', event: { type: 'Warning', reason: 'ProvisioningFailed', message } };
  }
  const { provisioner } = storageClass;
  if (provisioner === 'kubernetes.io/no-provisioner') {
    const message = 'no volume plugin matched';
    return { type: 'phase', phase: 'Pending', event: { type: 'Warning', reason: 'ProvisioningFailed', message } };
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the ` +
    'system administrator. If volume creation is delayed, please verify that the provisioner is running and ' +
    'correctly registered.';
  return { type: 'provision', provisioner, event: { type: 'Normal', reason: 'ExternalProvisioning', message } };
}

/** The user asked for this volume and no other. */
function planNamedVolume(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimPlan {
  if (volume === undefined) return { type: 'phase', phase: 'Pending' };
  if (volume.spec?.claimRef !== undefined) {
    if (isVolumeReservedFor(volume, claim)) return { type: 'bind', volume };
    const message = `volume "${volume.metadata.name}" already bound to a different claim.`;
    return { type: 'phase', phase: 'Pending', event: { type: 'Warning', reason: 'FailedBinding', message } };
  }
  const reason = mismatch(volume, claim);
  if (reason === undefined) return { type: 'bind', volume };
  const message = `Cannot bind to requested volume "${volume.metadata.name}": ${reason}`;
  return { type: 'phase', phase: 'Pending', event: { type: 'Warning', reason: 'VolumeMismatch', message } };
}

function planBoundClaim(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimPlan {
  const lost = (reason: string, message: string): ClaimPlan => ({
    type: 'phase',
    phase: 'Lost',
    event: { type: 'Warning', reason, message },
  });
  if ((claim.spec?.volumeName ?? '') === '') {
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  }
  if (volume === undefined) {
    return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  }
  const reference = volume.spec?.claimRef;
  if (reference === undefined || reference.uid === claim.metadata.uid) return { type: 'bind', volume };
  return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
}

/** What to do about a volume. */
export type VolumePlan =
  | { readonly type: 'none' }
  | { readonly type: 'phase'; readonly phase: string; readonly message?: string; readonly event?: EventDetails }
  /** Takes the reference to a claim away that is bound elsewhere. */
  | { readonly type: 'unbind' }
  | { readonly type: 'lookAtClaim' };

export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumePlan {
  const reference = volume.spec?.claimRef;
  if (reference === undefined || (reference.uid ?? '') === '') return { type: 'phase', phase: 'Available' };
  if (claim === undefined || claim.metadata.uid !== reference.uid) return planReleased(volume);
  const bound = claim.spec?.volumeName ?? '';
  if (bound === volume.metadata.name) return { type: 'phase', phase: 'Bound' };
  if (bound === '') return { type: 'lookAtClaim' };
  return { type: 'unbind' };
}

/** The claim is gone: the volume's data stays until its owner, or a provisioner, decides. */
function planReleased(volume: PersistentVolume): VolumePlan {
  const phase = volume.status?.phase;
  const policy = volume.spec?.persistentVolumeReclaimPolicy ?? 'Retain';
  const isExternal = volume.spec?.csi !== undefined || volume.metadata.annotations?.[PROVISIONED_BY] !== undefined;
  if (phase !== 'Released' && phase !== 'Failed') return { type: 'phase', phase: 'Released' };
  if (policy === 'Retain' || isExternal || phase === 'Failed') return { type: 'none' };
  const [reason, verb] = policy === 'Delete' ? ['VolumeFailedDelete', 'deleter'] : ['VolumeFailedRecycle', 'recycler'];
  const message =
    verb === 'deleter'
      ? `error getting deleter volume plugin for volume "${volume.metadata.name}": no deletable volume plugin matched`
      : 'no volume plugin matched';
  return { type: 'phase', phase: 'Failed', message, event: { type: 'Warning', reason, message } };
}
