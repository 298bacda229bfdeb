import { deepCopy } from '#machinery/codec/deep.ts';
import { isObject, itemsOf, type JsonObject, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/** Nodes of a schema that have a default, or lead to one; others need no walk. */
const defaulting = new WeakMap<JsonSchema, boolean>();

/** Fills in what is absent, and what is null where it may not be, in place. */
export function applySchemaDefaults(value: unknown, schema: JsonSchema | undefined): void {
  if (schema === undefined || typeof value !== 'object' || value === null || !hasDefaults(schema)) return;
  if (Array.isArray(value)) defaultItems(value, schema);
  else if (isObject(value)) defaultFields(value, schema);
}

/** Whether the structural part of a schema holds a default. */
export function hasDefaults(schema: JsonSchema): boolean {
  let known = defaulting.get(schema);
  if (known === undefined) {
    const children = [...Object.values(schema.properties ?? {}), itemsOf(schema), valuesOf(schema)];
    known = children.some((child) => child !== undefined && (child.default !== undefined || hasDefaults(child)));
    defaulting.set(schema, known);
  }
  return known;
}

/** Drops nulls where null is not allowed and no default takes their place, in place. */
export function pruneNulls(value: unknown, schema: JsonSchema | undefined): void {
  if (schema === undefined || typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const item of value) pruneNulls(item, items);
    return;
  }
  // Safe: an object that is no array is read by its own keys.
  const fields = value as JsonObject;
  for (const name in fields) {
    const field = propertyOf(schema, name) ?? valuesOf(schema);
    if (fields[name] === null && field !== undefined && field.nullable !== true && field.default === undefined) {
      delete fields[name];
    } else pruneNulls(fields[name], field);
  }
}

function defaultFields(fields: JsonObject, schema: JsonSchema): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined) continue;
    const isAbsent = !Object.hasOwn(fields, name) || fields[name] === undefined;
    if (isAbsent || isForbiddenNull(fields[name], property)) fields[name] = deepCopy(property.default);
  }
  for (const name in fields) {
    const property = propertyOf(schema, name);
    if (property !== undefined) {
      applySchemaDefaults(fields[name], property);
      continue;
    }
    const values = valuesOf(schema);
    if (values === undefined) continue;
    if (isForbiddenNull(fields[name], values)) fields[name] = deepCopy(values.default ?? null);
    applySchemaDefaults(fields[name], values);
  }
}

function defaultItems(list: unknown[], schema: JsonSchema): void {
  const items = itemsOf(schema);
  if (items === undefined) return;
  for (let index = 0; index < list.length; index += 1) {
    if (isForbiddenNull(list[index], items)) list[index] = deepCopy(items.default ?? null);
    applySchemaDefaults(list[index], items);
  }
}

function isForbiddenNull(value: unknown, schema: JsonSchema): boolean {
  return value === null && schema.nullable !== true;
}
