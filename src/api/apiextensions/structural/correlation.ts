import { isObject, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/** A part of an object together with the same part before an update. */
export interface Correlation {
  readonly schema: JsonSchema | undefined;
  readonly value: unknown;
  readonly old: unknown;
}

export function rootCorrelation(
  schema: JsonSchema | undefined,
  { value, old }: { value: unknown; old: unknown },
): Correlation | undefined {
  return old === undefined ? undefined : { schema, value, old };
}

/** The same field of both; undefined where one of them has none. */
export function correlatedField({ schema, value, old }: Correlation, name: string): Correlation | undefined {
  if (!isObject(value) || !isObject(old) || !Object.hasOwn(value, name) || !Object.hasOwn(old, name)) return undefined;
  const field = schema === undefined ? undefined : (propertyOf(schema, name) ?? valuesOf(schema));
  return { schema: field, value: value[name], old: old[name] };
}

/** The item of the same key in a list of type map; items of other lists have no counterpart. */
export function correlatedItem({ schema, value, old }: Correlation, index: number): Correlation | undefined {
  if (schema?.['x-kubernetes-list-type'] !== 'map' || !Array.isArray(value) || !Array.isArray(old)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const item: unknown = value[index];
  if (!isObject(item)) return undefined;
  const found: unknown = old.find(
    (other: unknown) => isObject(other) && keys.every((key) => Object.hasOwn(other, key) && other[key] === item[key]),
  );
  return found === undefined ? undefined : { schema: itemsOf(schema), value: item, old: found };
}
