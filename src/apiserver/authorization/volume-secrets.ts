import type { PersistentVolume } from '#api/generated/types.ts';

interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

/** Secrets that a kubelet needs to mount a bound volume. Those that only controllers need are not among them. */
export function volumeSecrets(volume: PersistentVolume): SecretName[] {
  const { spec } = volume;
  const claimNamespace = spec?.claimRef?.namespace ?? '';
  const found: SecretName[] = [];
  const add = (reference: { name?: string; namespace?: string } | undefined) => {
    if (reference?.name === undefined || reference.name === '') return;
    found.push({ namespace: reference.namespace || claimNamespace, name: reference.name });
  };
  add(spec?.csi?.nodeStageSecretRef);
  add(spec?.csi?.nodePublishSecretRef);
  add(spec?.csi?.nodeExpandSecretRef);
  add(spec?.flexVolume?.secretRef);
  add(spec?.cephfs?.secretRef);
  add(spec?.cinder?.secretRef);
  add(spec?.rbd?.secretRef);
  add(spec?.iscsi?.secretRef);
  add(spec?.scaleIO?.secretRef);
  add(spec?.storageos?.secretRef);
  const { secretName, secretNamespace } = spec?.azureFile ?? {};
  add({
    ...(secretName === undefined ? {} : { name: secretName }),
    ...(secretNamespace === undefined ? {} : { namespace: secretNamespace }),
  });
  return found;
}
