import type { PersistentVolumeClaim, Pod, PodTemplateSpec, StatefulSet, Volume } from '#api/generated/types.ts';
import { REVISION_HASH_LABEL } from '../shared/controller-revisions.ts';
import { controllerReference } from '../shared/ownership.ts';
import { podFromTemplate } from '../shared/pods.ts';

export function firstOrdinal({ spec }: StatefulSet): number {
  return spec.ordinals?.start ?? 0;
}

export function podName({ metadata }: StatefulSet, ordinal: number): string {
  return `${metadata.name}-${ordinal}`;
}

/** The ordinal in a pod's name; undefined where the name is not one of the set's. */
export function ordinalOf({ metadata }: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${metadata.name}-`;
  const name = pod.metadata.name ?? '';
  const text = name.slice(prefix.length);
  return name.startsWith(prefix) && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

export function revisionOf(pod: Pod): string {
  return pod.metadata.labels?.[REVISION_HASH_LABEL] ?? '';
}

/** The pod of an ordinal: its name, host name and volumes are the same whenever it is made again. */
export function podOfOrdinal(
  set: StatefulSet,
  { ordinal, revision, template }: { ordinal: number; revision: string; template: PodTemplateSpec },
): Pod {
  const pod = podFromTemplate(template, set);
  const name = podName(set, ordinal);
  const { generateName: _, ...metadata } = pod.metadata;
  const { serviceName = '' } = set.spec;
  const claims = claimsOfOrdinal(set, ordinal).map(
    ({ template: claim, object }): Volume => ({
      name: claim,
      persistentVolumeClaim: { claimName: object.metadata.name ?? '' },
    }),
  );
  const names = new Set(claims.map((volume) => volume.name));
  const volumes = [...claims, ...(pod.spec.volumes ?? []).filter((volume) => !names.has(volume.name))];
  return {
    ...pod,
    metadata: {
      ...metadata,
      name,
      labels: {
        ...metadata.labels,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
        [REVISION_HASH_LABEL]: revision,
      },
    },
    spec: {
      ...pod.spec,
      hostname: name,
      ...(serviceName === '' ? {} : { subdomain: serviceName }),
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  };
}

/** The claims of an ordinal with the names of their templates. */
export function claimsOfOrdinal(
  set: StatefulSet,
  ordinal: number,
): { readonly template: string; readonly object: PersistentVolumeClaim }[] {
  const ownsClaims = set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete';
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const name = template.metadata.name ?? '';
    const { annotations } = template.metadata;
    const object: PersistentVolumeClaim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: `${name}-${podName(set, ordinal)}`,
        namespace: set.metadata.namespace ?? '',
        labels: { ...template.metadata.labels, ...set.spec.selector.matchLabels },
        ...(annotations === undefined ? {} : { annotations }),
        ...(ownsClaims ? { ownerReferences: [{ ...controllerReference(set) }] } : {}),
      },
      spec: template.spec,
    };
    return { template: name, object };
  });
}
