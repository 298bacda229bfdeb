import { encodeValue } from '#machinery/codec/json.ts';
import { duplicateValue, type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import {
  isObject,
  itemsOf,
  type JsonObject,
  type JsonSchema,
  propertyOf,
  someSchema,
  valuesOf,
} from './json-schema.ts';

/** Checks that lists of type set and map hold nothing twice. */
export function validateListTypes(value: unknown, schema: JsonSchema, path: FieldPath): FieldError[] {
  if (!hasListTypes(schema)) return [];
  const errors: FieldError[] = [];
  check(value, schema, path, errors);
  return errors;
}

const withListTypes = new WeakMap<JsonSchema, boolean>();

function hasListTypes(schema: JsonSchema): boolean {
  let known = withListTypes.get(schema);
  if (known === undefined) {
    known = someSchema(schema, (node) => (node['x-kubernetes-list-type'] ?? 'atomic') !== 'atomic');
    withListTypes.set(schema, known);
  }
  return known;
}

function check(value: unknown, schema: JsonSchema, path: FieldPath, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    const type = schema['x-kubernetes-list-type'];
    if (type === 'set') checkSet(value, path, errors);
    else if (type === 'map') checkMap(value, schema['x-kubernetes-list-map-keys'] ?? [], path, errors);
    const items = itemsOf(schema);
    if (items === undefined) return;
    for (const [index, item] of value.entries()) check(item, items, path.index(index), errors);
  } else if (isObject(value)) {
    const values = valuesOf(schema);
    for (const [name, field] of Object.entries(value)) {
      const property = propertyOf(schema, name);
      if (property !== undefined) check(field, property, path.child(name), errors);
      if (values !== undefined) check(field, values, path.key(name), errors);
    }
  }
}

function checkSet(list: readonly unknown[], path: FieldPath, errors: FieldError[]): void {
  for (const index of repeatedAt(list.map((item) => textOf(item)))) {
    errors.push(duplicateValue(path.index(index), list[index]));
  }
}

function checkMap(list: readonly unknown[], keys: readonly string[], path: FieldPath, errors: FieldError[]): void {
  for (const [index, item] of list.entries()) {
    if (item === null || isObject(item)) continue;
    errors.push(invalidValue(path.index(index), item, 'must be an object for an array of list-type map'));
    return;
  }
  const keyOf = (item: unknown): JsonObject =>
    isObject(item)
      ? Object.fromEntries(keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]]))
      : {};
  const found = list.map(keyOf);
  for (const index of repeatedAt(found.map((key) => textOf(key)))) {
    errors.push(duplicateValue(path.index(index), found[index]));
  }
}

/** Where a value stands for the second time; a third time is not told of. */
function repeatedAt(texts: readonly string[]): number[] {
  const times = new Map<string, number>();
  const repeated: number[] = [];
  for (const [index, text] of texts.entries()) {
    const seen = times.get(text) ?? 0;
    times.set(text, seen + 1);
    if (seen === 1) repeated.push(index);
  }
  return repeated;
}

/** The same text for the same value, whatever the order of its fields. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  if (!isObject(value)) return encodeValue(value);
  const fields = Object.keys(value)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${textOf(value[name])}`);
  return `{${fields.join(',')}}`;
}
