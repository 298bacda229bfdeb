import {
  isEmbedded,
  isObject,
  itemsOf,
  type JsonObject,
  type JsonSchema,
  META_FIELDS,
  preservesUnknown,
  propertyOf,
  valuesOf,
} from './json-schema.ts';

/**
 * Drops the fields that a structural schema does not know, in place, and gives their paths in order of their text.
 * Where the root is a resource, its apiVersion, kind and metadata stay.
 */
export function prune(value: unknown, schema: JsonSchema, { isRoot }: { isRoot: boolean }): string[] {
  const pruner = new Pruner();
  pruner.prune(value, schema, { path: '', isResource: isRoot || isEmbedded(schema) });
  return pruner.unknown.toSorted();
}

interface Place {
  readonly path: string;
  /** The value has metadata of its own, which other rules prune. */
  readonly isResource: boolean;
}

class Pruner {
  readonly unknown: string[] = [];

  prune(value: unknown, schema: JsonSchema | undefined, place: Place): void {
    if (typeof value !== 'object' || value === null) return;
    if (schema !== undefined && preservesUnknown(schema)) this.#keep(value, schema, place);
    else if (Array.isArray(value)) this.#pruneItems(value, schema, place.path);
    else if (isObject(value)) this.#pruneFields(value, schema, place);
  }

  #pruneItems(list: readonly unknown[], schema: JsonSchema | undefined, path: string): void {
    const items = schema === undefined ? undefined : itemsOf(schema);
    for (let index = 0; index < list.length; index += 1) this.#child(list[index], items, `${path}[${index}]`);
  }

  #pruneFields(fields: JsonObject, schema: JsonSchema | undefined, { path, isResource }: Place): void {
    for (const name in fields) {
      if (isResource && META_FIELDS.has(name)) continue;
      const property = schema === undefined ? undefined : propertyOf(schema, name);
      const inner = path === '' ? name : `${path}.${name}`;
      if (property !== undefined) this.#child(fields[name], property, inner);
      else if (schema?.additionalProperties !== undefined) this.#child(fields[name], valuesOf(schema), inner);
      else {
        if (path !== '' || !META_FIELDS.has(name)) this.unknown.push(inner);
        delete fields[name];
      }
    }
  }

  /** Unknown fields stay, but what is described is pruned again from there on. */
  #keep(value: object, schema: JsonSchema, { path, isResource }: Place): void {
    if (Array.isArray(value)) {
      const items = itemsOf(schema);
      if (items === undefined) return;
      for (let index = 0; index < value.length; index += 1) {
        const item: unknown = value[index];
        if (typeof item !== 'object' || item === null) continue;
        this.#keep(item, items, { path: `${path}[${index}]`, isResource: isEmbedded(items) });
      }
      return;
    }
    // Safe: an object that is no array is read by its own keys.
    const fields = value as JsonObject;
    for (const name in fields) {
      if (isResource && META_FIELDS.has(name)) continue;
      const property = propertyOf(schema, name);
      const inner = path === '' ? name : `${path}.${name}`;
      if (property !== undefined) this.#child(fields[name], property, inner);
      else if (schema.additionalProperties !== undefined) this.#child(fields[name], valuesOf(schema), inner);
    }
  }

  #child(value: unknown, schema: JsonSchema | undefined, path: string): void {
    if (typeof value !== 'object' || value === null) return;
    this.prune(value, schema, { path, isResource: schema !== undefined && isEmbedded(schema) });
  }
}
