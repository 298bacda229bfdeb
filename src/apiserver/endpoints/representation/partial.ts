import type { KubeObject } from '#machinery/meta/types.ts';
import type { Entry } from '../../storage/entry.ts';

type PartialVersion = 'v1' | 'v1beta1';

/** Only the metadata of an object. */
export function partialObject(object: KubeObject, version: PartialVersion): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

const END = Buffer.from('}}');

/** The same as JSON, in slices of the stored bytes: nothing is parsed. */
export function partialSlices({ encoded, revision }: Entry, version: PartialVersion): Uint8Array[] {
  const { bytes, versionOffset, managedEnd } = encoded;
  // managedFields come last in metadata, so this is where metadata ends.
  const rest = bytes.subarray(versionOffset, managedEnd);
  const comma = rest.length > 0 ? ',' : '';
  const head = `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${version}","metadata":{"resourceVersion":"${revision}"${comma}`;
  return [Buffer.from(head), rest, END];
}
