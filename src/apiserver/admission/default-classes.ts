import type { Ingress, IngressClass, PersistentVolumeClaim, StorageClass } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { AdmissionPlugin } from '../pipeline/types.ts';
import { isResource, type AdmissionDeps } from './plugin.ts';

const DEFAULT_STORAGE = 'storageclass.kubernetes.io/is-default-class';
const DEFAULT_STORAGE_BETA = 'storageclass.beta.kubernetes.io/is-default-class';
const STORAGE_BETA = 'volume.beta.kubernetes.io/storage-class';
const DEFAULT_INGRESS = 'ingressclass.kubernetes.io/is-default-class';
const INGRESS_LEGACY = 'kubernetes.io/ingress.class';

/** A claim that names no class gets the default one. */
export function defaultStorageClass({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    mutate: (request) => {
      if (request.operation !== 'CREATE' || request.info.subresource !== '') return;
      if (!isResource(request, '', 'persistentvolumeclaims')) return;
      // Safe: what is written to persistentvolumeclaims is one.
      const claim = request.object as PersistentVolumeClaim;
      if (claim.spec === undefined || claim.spec.storageClassName !== undefined) return;
      if (claim.metadata.annotations?.[STORAGE_BETA] !== undefined) return;
      const classes = view('storage.k8s.io', 'storageclasses').list() as StorageClass[];
      const chosen = newestDefault(classes, [DEFAULT_STORAGE, DEFAULT_STORAGE_BETA]);
      if (chosen !== undefined) claim.spec.storageClassName = chosen;
    },
  };
}

/** An Ingress that names no class gets the default one. */
export function defaultIngressClass({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    mutate: (request) => {
      if (request.operation !== 'CREATE' || request.info.subresource !== '') return;
      if (!isResource(request, 'networking.k8s.io', 'ingresses')) return;
      // Safe: what is written to ingresses is one.
      const ingress = request.object as Ingress;
      if (ingress.spec?.ingressClassName !== undefined) return;
      if (ingress.metadata.annotations?.[INGRESS_LEGACY] !== undefined) return;
      const classes = view('networking.k8s.io', 'ingressclasses').list() as IngressClass[];
      const chosen = newestDefault(classes, [DEFAULT_INGRESS]);
      if (chosen !== undefined) ingress.spec = { ...ingress.spec, ingressClassName: chosen };
    },
  };
}

/** Of several defaults the youngest wins, then the first by name. */
function newestDefault(classes: readonly KubeObject[], annotations: readonly string[]): string | undefined {
  const defaults = classes.filter(({ metadata }) =>
    annotations.some((annotation) => metadata.annotations?.[annotation] === 'true'),
  );
  const age = ({ metadata }: KubeObject) => metadata.creationTimestamp ?? '';
  const nameOf = ({ metadata }: KubeObject) => metadata.name ?? '';
  defaults.sort((a, b) => compare(age(b), age(a)) || compare(nameOf(a), nameOf(b)));
  return defaults[0]?.metadata.name;
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
