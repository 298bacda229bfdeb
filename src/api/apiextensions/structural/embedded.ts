import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { ObjectMeta } from '#machinery/meta/types.ts';
import type { CompiledSchema } from '#machinery/schema/compile.ts';
import { validateObjectMeta } from '#machinery/validation/metadata.ts';
import { isDns1035Label } from '#machinery/validation/names.ts';
import {
  isEmbedded,
  isObject,
  itemsOf,
  type JsonObject,
  type JsonSchema,
  propertyOf,
  someSchema,
  valuesOf,
} from './json-schema.ts';

/** What was found while metadata of embedded resources was read. */
export interface Coerced {
  /** Paths of fields that metadata does not have. */
  readonly unknown: string[];
  /** The first field that is malformed. */
  error?: FieldError;
}

const withEmbedded = new WeakMap<JsonSchema, boolean>();

function hasEmbedded(schema: JsonSchema): boolean {
  let known = withEmbedded.get(schema);
  if (known === undefined) {
    known = someSchema(schema, isEmbedded);
    withEmbedded.set(schema, known);
  }
  return known;
}

/** Reads the metadata of embedded resources by the schema of metadata, in place: what it does not know goes. */
export function coerceEmbedded(
  value: unknown,
  schema: JsonSchema,
  { metadata, path }: { metadata: CompiledSchema; path: FieldPath },
): Coerced {
  const found: Coerced = { unknown: [] };
  if (hasEmbedded(schema)) coerce(value, schema, { metadata, path }, found);
  return found;
}

function coerce(
  value: unknown,
  schema: JsonSchema,
  { metadata, path }: { metadata: CompiledSchema; path: FieldPath },
  found: Coerced,
): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return;
    for (const [index, item] of value.entries()) coerce(item, items, { metadata, path: path.index(index) }, found);
    return;
  }
  if (!isObject(value)) return;
  if (isEmbedded(schema)) coerceResource(value, { metadata, path }, found);
  for (const [name, field] of Object.entries(value)) {
    const property = propertyOf(schema, name);
    if (property !== undefined) coerce(field, property, { metadata, path: path.child(name) }, found);
    else {
      const values = valuesOf(schema);
      if (values !== undefined) coerce(field, values, { metadata, path: path.key(name) }, found);
    }
  }
}

function coerceResource(
  resource: JsonObject,
  { metadata, path }: { metadata: CompiledSchema; path: FieldPath },
  found: Coerced,
): void {
  for (const name of ['apiVersion', 'kind']) {
    if (Object.hasOwn(resource, name) && typeof resource[name] !== 'string') {
      found.error ??= invalidValue(path.child(name), resource[name], 'must be a string');
    }
  }
  if (!Object.hasOwn(resource, 'metadata')) return;
  const decoded = metadata.decode(resource['metadata'], { mode: 'prune' });
  const [first] = decoded.errors;
  if (first !== undefined) {
    found.error ??= invalidValue(path.child('metadata'), resource['metadata'], first.message);
    return;
  }
  const prefix = path.child('metadata').toString();
  found.unknown.push(...decoded.unknown.map((name) => `${prefix}.${name}`));
  resource['metadata'] = decoded.value ?? {};
}

/** Checks apiVersion, kind and metadata of embedded resources. */
export function validateEmbedded(
  value: unknown,
  schema: JsonSchema,
  { path, isRoot = false }: { path: FieldPath; isRoot?: boolean },
): FieldError[] {
  const errors: FieldError[] = [];
  if (isRoot || hasEmbedded(schema))
    validate(value, schema, { path, isResource: isRoot || isEmbedded(schema) }, errors);
  return errors;
}

function validate(
  value: unknown,
  schema: JsonSchema,
  { path, isResource }: { path: FieldPath; isResource: boolean },
  errors: FieldError[],
): void {
  const child = (field: unknown, inner: JsonSchema, at: FieldPath): void =>
    validate(field, inner, { path: at, isResource: isEmbedded(inner) }, errors);
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items !== undefined) for (const [index, item] of value.entries()) child(item, items, path.index(index));
    return;
  }
  if (!isObject(value)) return;
  if (isResource) validateResource(value, path, errors);
  for (const [name, field] of Object.entries(value)) {
    const property = propertyOf(schema, name);
    const values = valuesOf(schema);
    if (property !== undefined) child(field, property, path.child(name));
    else if (values !== undefined) child(field, values, path.key(name));
  }
}

function validateResource(resource: JsonObject, path: FieldPath, errors: FieldError[]): void {
  const { apiVersion, kind, metadata } = resource;
  if (apiVersion === undefined) errors.push(required(path.child('apiVersion'), ''));
  if (kind === undefined) errors.push(required(path.child('kind'), ''));
  if (apiVersion !== undefined) {
    const problem = apiVersionProblem(apiVersion);
    if (problem !== undefined) errors.push(invalidValue(path.child('apiVersion'), apiVersion, problem));
  }
  if (kind !== undefined) {
    const problem = kindProblem(kind);
    if (problem !== undefined) errors.push(invalidValue(path.child('kind'), kind, problem));
  }
  if (!isObject(metadata)) return;
  // Safe: metadata of embedded resources was read by its schema.
  const meta: ObjectMeta = { ...(metadata as ObjectMeta) };
  if ((meta.name ?? '') === '') meta.name = 'fakename';
  errors.push(
    ...validateObjectMeta(meta, {
      namespaced: (meta.namespace ?? '') !== '',
      validateName: (name) => pathSegmentProblems(name),
      path: path.child('metadata'),
    }),
  );
}

function apiVersionProblem(apiVersion: unknown): string | undefined {
  if (typeof apiVersion !== 'string') return 'must be a string';
  if (apiVersion === '') return 'must not be empty';
  return apiVersion.split('/').length > 2 ? `unexpected GroupVersion string: ${apiVersion}` : undefined;
}

function kindProblem(kind: unknown): string | undefined {
  if (typeof kind !== 'string') return 'must be a string';
  if (kind === '') return 'must not be empty';
  const messages = isDns1035Label(kind.toLowerCase());
  return messages.length === 0 ? undefined : `may have mixed case, but should otherwise match: ${messages.join(',')}`;
}

function pathSegmentProblems(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((text) => name.includes(text)).map((text) => `may not contain '${text}'`);
}
