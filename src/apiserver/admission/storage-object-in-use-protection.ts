import type { AdmissionPlugin } from '../pipeline/types.ts';

const FINALIZERS: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
};

/** Claims and volumes are not removed while a pod or claim uses them: controllers take the finalizer away then. */
export function storageObjectInUseProtection(): AdmissionPlugin {
  return {
    name: 'StorageObjectInUseProtection',
    mutate: ({ operation, info, object }) => {
      const finalizer = info.group === '' && info.subresource === '' ? FINALIZERS[info.resource] : undefined;
      if (operation !== 'CREATE' || finalizer === undefined || object === undefined) return;
      const present = object.metadata.finalizers ?? [];
      if (!present.includes(finalizer)) object.metadata.finalizers = [...present, finalizer];
    },
  };
}
