import type { ResourceDefinition } from '#api/registry/resource.ts';
import { apiVersionOf, type KubeObject } from '#machinery/meta/types.ts';
import type { SchemaSet } from '#machinery/schema/schema.ts';
import type { AdmissionRequest } from '../../pipeline/types.ts';

/**
 * An object in another version of its resource. Built-in versions turn into each other through what is stored; of
 * custom resources only those are equivalent here whose versions differ in nothing but their name.
 */
export function inVersion(object: KubeObject, from: ResourceDefinition, to: ResourceDefinition): KubeObject {
  // Subresources speak a kind of their own, which has one version.
  if (from === to || object.kind !== from.kind) return object;
  const stored = from.storedAs?.toStored(object) ?? object;
  return { ...(to.storedAs?.fromStored(stored) ?? stored), apiVersion: apiVersionOf(to) };
}

/** The kind that a request's object is of, and the schemas that know it. */
export interface ObjectType {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schemas: SchemaSet;
  readonly schemaName: string;
}

/** The type of the object of a request that counts as one for `definition`; `undefined`: nobody knows its schema. */
export function objectTypeOf(
  { info, kind }: AdmissionRequest,
  definition: ResourceDefinition,
  schemas: SchemaSet,
): ObjectType | undefined {
  const own = definition.subresources.find(({ name }) => name === info.subresource)?.kind;
  if (own === undefined) {
    const { schemaName, custom } = definition;
    return { apiVersion: apiVersionOf(definition), kind, schemas: custom?.schemas ?? schemas, schemaName };
  }
  const schemaName = `io.k8s.api.${own.group === '' ? 'core' : own.group.split('.')[0]}.${own.version}.${own.kind}`;
  return schemaName in schemas ? { apiVersion: apiVersionOf(own), kind: own.kind, schemas, schemaName } : undefined;
}
