import { isPodTerminal } from '#api/core/v1/pod/conditions.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

export type Guard = 'kubernetes.io/pv-protection' | 'kubernetes.io/pvc-protection' | 'kubernetes.io/vac-protection';

/**
 * What a protected object's finalizers should be: guarded while it lives, and while it is deleted but in use.
 * Undefined where they are that already.
 */
export function planFinalizers(object: KubeObject, guard: Guard, isInUse: () => boolean): string[] | undefined {
  const finalizers = object.metadata.finalizers ?? [];
  const isGuarded = finalizers.includes(guard);
  if (object.metadata.deletionTimestamp === undefined) return isGuarded ? undefined : [...finalizers, guard];
  return isGuarded && !isInUse() ? finalizers.filter((name) => name !== guard) : undefined;
}

/** A volume is in use while it is bound. */
export function isVolumeInUse({ status }: PersistentVolume): boolean {
  return status?.phase === 'Bound';
}

/** A claim is in use while a pod that is on a node, and has not ended, names it. */
export function isClaimInUse(claim: PersistentVolumeClaim, pods: readonly Pod[]): boolean {
  return pods.some((pod) => {
    const isRunning = (pod.spec.nodeName ?? '') !== '' && !isPodTerminal(pod);
    return isRunning && claimsOf(pod).includes(claim.metadata.name ?? '');
  });
}

/** Names of the claims that a pod mounts, those of its ephemeral volumes too. */
export function claimsOf(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral === undefined ? [] : [`${pod.metadata.name}-${volume.name}`];
  });
}
