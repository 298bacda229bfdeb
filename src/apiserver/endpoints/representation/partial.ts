import type { KubeObject, ListMeta, ObjectList } from '#machinery/meta/types.ts';

/** Only the metadata of an object. */
export function partialObject(object: KubeObject, version: 'v1' | 'v1beta1'): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

export function partialList(objects: readonly KubeObject[], metadata: ListMeta, version: 'v1' | 'v1beta1'): ObjectList {
  const items = objects.map((object) => partialObject(object, version));
  return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${version}`, metadata, items };
}
