import type { Container, EphemeralContainer, Pod, Volume } from '#api/generated/types.ts';

export type ReferencedResource =
  | 'secrets'
  | 'configmaps'
  | 'persistentvolumeclaims'
  | 'serviceaccounts'
  | 'resourceclaims';

/** Objects in the pod's namespace that a node must be able to read to run it. */
export interface PodReference {
  readonly resource: ReferencedResource;
  readonly name: string;
}

export function podReferences(pod: Pod): PodReference[] {
  const found: PodReference[] = [];
  const add = (resource: ReferencedResource, name: string | undefined) => {
    if (name !== undefined && name !== '') found.push({ resource, name });
  };
  const { spec } = pod;
  if (spec === undefined) return found;
  add('serviceaccounts', spec.serviceAccountName);
  for (const { name } of spec.imagePullSecrets ?? []) add('secrets', name);
  for (const volume of spec.volumes ?? []) addVolume(volume, pod.metadata.name ?? '', add);
  for (const container of [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]) {
    addEnvironment(container, add);
  }
  for (const claim of pod.status?.resourceClaimStatuses ?? []) add('resourceclaims', claim.resourceClaimName);
  for (const claim of spec.resourceClaims ?? []) add('resourceclaims', claim.resourceClaimName);
  return found;
}

type Add = (resource: ReferencedResource, name: string | undefined) => void;

function addEnvironment(container: Container | EphemeralContainer, add: Add): void {
  for (const source of container.envFrom ?? []) {
    add('secrets', source.secretRef?.name);
    add('configmaps', source.configMapRef?.name);
  }
  for (const { valueFrom } of container.env ?? []) {
    add('secrets', valueFrom?.secretKeyRef?.name);
    add('configmaps', valueFrom?.configMapKeyRef?.name);
  }
}

function addVolume(volume: Volume, podName: string, add: Add): void {
  add('secrets', volume.secret?.secretName);
  add('configmaps', volume.configMap?.name);
  for (const source of volume.projected?.sources ?? []) {
    add('secrets', source.secret?.name);
    add('configmaps', source.configMap?.name);
  }
  add('persistentvolumeclaims', volume.persistentVolumeClaim?.claimName);
  if (volume.ephemeral !== undefined) add('persistentvolumeclaims', `${podName}-${volume.name}`);
  add('secrets', volume.csi?.nodePublishSecretRef?.name);
  add('secrets', volume.flexVolume?.secretRef?.name);
  add('secrets', volume.cephfs?.secretRef?.name);
  add('secrets', volume.cinder?.secretRef?.name);
  add('secrets', volume.rbd?.secretRef?.name);
  add('secrets', volume.iscsi?.secretRef?.name);
  add('secrets', volume.scaleIO?.secretRef?.name);
  add('secrets', volume.storageos?.secretRef?.name);
  add('secrets', volume.azureFile?.secretName);
}
