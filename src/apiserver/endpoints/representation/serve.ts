import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Entry } from '../../storage/entry.ts';
import { parseStored } from '../../storage/object-cache.ts';

/** Whether stored bytes are what clients of this definition get. */
export function servesStoredBytes(definition: ResourceDefinition): boolean {
  return definition.storedAs === undefined;
}

/** The whole object of an entry in the version asked for: mutable, with managedFields and resourceVersion. */
export function servedObject(definition: ResourceDefinition, entry: Entry): KubeObject {
  const stored = parseStored(entry.encoded.bytes);
  const object = definition.storedAs === undefined ? stored : definition.storedAs.fromStored(stored);
  const { metadata, kind, apiVersion, ...fields } = object;
  return { kind, apiVersion, metadata: { resourceVersion: String(entry.revision), ...metadata }, ...fields };
}

/** The shared frozen object of an entry in the version asked for: without managedFields. */
export function frozenObject(definition: ResourceDefinition, entry: Entry): KubeObject {
  return definition.storedAs === undefined ? entry.object : definition.storedAs.fromStored(entry.object);
}
