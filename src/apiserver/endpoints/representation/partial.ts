import type { KubeObject } from '#machinery/meta/types.ts';

/** Only the metadata of an object. */
export function partialObject(object: KubeObject, version: 'v1' | 'v1beta1'): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
