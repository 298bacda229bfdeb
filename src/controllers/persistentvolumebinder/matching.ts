import { matchesNodeSelectorTerms } from '#api/core/v1/node-affinity.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '#api/generated/types.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { compileLabelSelector } from '#machinery/selectors/label-selector.ts';

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

export function classOfClaim({ metadata, spec }: PersistentVolumeClaim): string {
  return metadata.annotations?.[CLASS_ANNOTATION] ?? spec?.storageClassName ?? '';
}

export function classOfVolume({ metadata, spec }: PersistentVolume): string {
  return metadata.annotations?.[CLASS_ANNOTATION] ?? spec?.storageClassName ?? '';
}

function capacityOf(volume: PersistentVolume) {
  return parseQuantity(volume.spec?.capacity?.['storage'] ?? '0');
}

function requestOf(claim: PersistentVolumeClaim) {
  return parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0');
}

export function isVolumeReservedFor({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = spec?.claimRef;
  if (reference === undefined) return false;
  if (reference.name !== claim.metadata.name || reference.namespace !== claim.metadata.namespace) return false;
  return (reference.uid ?? '') === '' || reference.uid === claim.metadata.uid;
}

/** Why a volume that the claim or its own reference names cannot serve the claim; undefined where it can. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (requestOf(claim).compare(capacityOf(volume)) > 0) return 'requested PV is too small';
  if (classOfVolume(volume) !== classOfClaim(claim)) return 'storageClassName does not match';
  if ((claim.spec?.volumeAttributesClassName ?? '') !== (volume.spec?.volumeAttributesClassName ?? '')) {
    return 'volumeAttributesClassName does not match';
  }
  if ((claim.spec?.volumeMode ?? 'Filesystem') !== (volume.spec?.volumeMode ?? 'Filesystem')) {
    return 'incompatible volumeMode';
  }
  return hasAccessModes(volume, claim) ? undefined : 'incompatible accessMode';
}

/**
 * The volume to bind a claim to: one reserved for it, else the smallest free one that is large enough. Where binding
 * waits for a consumer, only a reserved one.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  options: { delaysBinding: boolean; node?: Node },
): PersistentVolume | undefined {
  const selector = claim.spec?.selector === undefined ? undefined : compileLabelSelector(claim.spec.selector);
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    const isReserved = isVolumeReservedFor(volume, claim);
    if (volume.metadata.deletionTimestamp !== undefined || mismatch(volume, claim) !== undefined) continue;
    if (isReserved) return volume;
    if (options.delaysBinding || volume.spec?.claimRef !== undefined || volume.status?.phase !== 'Available') continue;
    if (selector?.matches(volume.metadata.labels) === false || !isReachable(volume, options.node)) continue;
    if (best === undefined || capacityOf(best).compare(capacityOf(volume)) > 0) best = volume;
  }
  return best;
}

function hasAccessModes(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const offered = volume.spec?.accessModes ?? [];
  return (claim.spec?.accessModes ?? []).every((mode) => offered.includes(mode));
}

function isReachable(volume: PersistentVolume, node: Node | undefined): boolean {
  const required = volume.spec?.nodeAffinity?.required;
  return node === undefined || required === undefined || matchesNodeSelectorTerms(required, node);
}
