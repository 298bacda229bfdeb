import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  ResourceSlice,
  VolumeAttachment,
} from '#api/generated/types.ts';
import type { ResourceView } from '../server-parts.ts';
import { podReferences, type ReferencedResource } from './pod-references.ts';
import { volumeSecrets } from './volume-secrets.ts';

/** Views that the graph is made of, by group and resource. */
export type ViewOf = (group: string, resource: string) => ResourceView;

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

/** Which objects the pods of each node refer to, kept up to date change by change. */
export class NodeGraph {
  readonly #view: ViewOf;
  /** Node -> reference key -> number of the node's pods that refer to it. */
  readonly #references = new Map<string, Map<string, number>>();
  #isLoaded = false;

  constructor(view: ViewOf) {
    this.#view = view;
  }

  /** Whether a pod on the node refers to the object. */
  refers(nodeName: string, target: { resource: ReferencedResource; namespace: string; name: string }): boolean {
    this.#load();
    const references = this.#references.get(nodeName);
    if (references === undefined) return false;
    if (references.has(referenceKey(target.namespace, target))) return true;
    return target.resource === 'secrets' && this.#isVolumeSecret(references, target);
  }

  /** Whether a pod on the node uses the claim that the volume is bound to. */
  refersToVolume(nodeName: string, name: string): boolean {
    // Safe: the view holds PersistentVolumes.
    const volume = this.#view('', 'persistentvolumes').get(name) as PersistentVolume | undefined;
    const claim = volume?.spec?.claimRef;
    if (claim?.name === undefined) return false;
    const resource = 'persistentvolumeclaims';
    return this.refers(nodeName, { resource, namespace: claim.namespace ?? '', name: claim.name });
  }

  isAttachedTo(nodeName: string, attachment: string): boolean {
    // Safe: the view holds VolumeAttachments.
    const object = this.#view('storage.k8s.io', 'volumeattachments').get(attachment) as VolumeAttachment | undefined;
    return object?.spec.nodeName === nodeName;
  }

  isOnNode(nodeName: string, pod: { namespace: string; name: string }): boolean {
    // Safe: the view holds Pods.
    const object = this.#view('', 'pods').get(pod.name, pod.namespace) as Pod | undefined;
    return object?.spec?.nodeName === nodeName;
  }

  /** Whether the resource slice describes devices of the node. */
  offersSlice(nodeName: string, slice: string): boolean {
    // Safe: the view holds ResourceSlices.
    const object = this.#view('resource.k8s.io', 'resourceslices').get(slice) as ResourceSlice | undefined;
    return object?.spec.nodeName === nodeName;
  }

  /** Whether a volume that is bound to one of the claims names the secret. */
  #isVolumeSecret(references: ReadonlyMap<string, number>, secret: { namespace: string; name: string }): boolean {
    for (const key of references.keys()) {
      const [resource, namespace, name = ''] = key.split('/');
      if (resource !== 'persistentvolumeclaims') continue;
      // Safe: the view holds PersistentVolumeClaims.
      const claim = this.#view('', resource).get(name, namespace) as PersistentVolumeClaim | undefined;
      const volumeName = claim?.spec?.volumeName ?? '';
      if (volumeName === '') continue;
      // Safe: the view holds PersistentVolumes.
      const volume = this.#view('', 'persistentvolumes').get(volumeName) as PersistentVolume | undefined;
      const bound = volume?.spec?.claimRef;
      if (volume === undefined || bound?.namespace !== namespace || bound?.name !== name) continue;
      if (volumeSecrets(volume).some((one) => one.namespace === secret.namespace && one.name === secret.name)) {
        return true;
      }
    }
    return false;
  }

  #load(): void {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    const pods = this.#view('', 'pods');
    pods.onChange((change) => {
      // Safe: the view holds Pods.
      const object = change.object as Pod | undefined;
      const previous = change.previous as Pod | undefined;
      if (object !== undefined && previous !== undefined && hasSameReferences(object, previous)) return;
      if (previous !== undefined) this.#count(previous, -1);
      if (object !== undefined) this.#count(object, 1);
    });
    for (const pod of pods.list()) this.#count(pod as Pod, 1);
  }

  #count(pod: Pod, difference: 1 | -1): void {
    const nodeName = pod.spec?.nodeName;
    if (nodeName === undefined || nodeName === '') return;
    // A node could make itself a mirror pod that refers to any secret.
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) return;
    let counts = this.#references.get(nodeName);
    if (counts === undefined) {
      counts = new Map();
      this.#references.set(nodeName, counts);
    }
    for (const reference of podReferences(pod)) {
      const key = referenceKey(pod.metadata.namespace ?? '', reference);
      const count = (counts.get(key) ?? 0) + difference;
      if (count > 0) counts.set(key, count);
      else counts.delete(key);
    }
    if (counts.size === 0) this.#references.delete(nodeName);
  }
}

function referenceKey(namespace: string, { resource, name }: { resource: string; name: string }): string {
  return `${resource}/${namespace}/${name}`;
}

/** Volumes and containers of a pod never change; ephemeral containers and claim names come later. */
function hasSameReferences(left: Pod, right: Pod): boolean {
  return (
    left.metadata.uid === right.metadata.uid &&
    left.spec?.nodeName === right.spec?.nodeName &&
    (left.spec?.ephemeralContainers?.length ?? 0) === (right.spec?.ephemeralContainers?.length ?? 0) &&
    (left.status?.resourceClaimStatuses?.length ?? 0) === (right.status?.resourceClaimStatuses?.length ?? 0)
  );
}
