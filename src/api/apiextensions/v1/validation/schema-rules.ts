import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import {
  isEmbedded,
  isSchemaList,
  itemsOf,
  type JsonSchema,
  META_FIELDS,
  valuesOf,
} from '../../structural/json-schema.ts';
import { validateRules } from './rule-rules.ts';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** What holds where a part of the schema stands. */
export interface SchemaPlace {
  readonly path: FieldPath;
  readonly isRoot: boolean;
  readonly isInsideMeta: boolean;
  /** Why there may be no default here; absent where there may. */
  readonly noDefaults?: string;
  /** The nearest schema above whose parts have no counterpart in another version of an object. */
  readonly uncorrelated?: FieldPath;
  /** Checks the rules in CEL; absent where there is no use in it. */
  readonly checkRules?: RuleCheck;
}

/** Compiles the rules of one schema. `uncorrelated`: where `oldSelf` cannot be used, and why not. */
export type RuleCheck = (
  schema: JsonSchema,
  place: { readonly path: FieldPath; readonly uncorrelated: FieldPath | undefined },
) => FieldError[];

interface Findings {
  readonly schema: FieldError[];
  readonly rules: FieldError[];
}

/** Checks what OpenAPI and Kubernetes' extensions allow in a schema, whether structural or not. */
export function validateOpenApiSchema(schema: JsonSchema, place: SchemaPlace): FieldError[] {
  const findings = check(schema, place);
  return [...findings.schema, ...findings.rules];
}

function check(schema: JsonSchema, place: SchemaPlace): Findings {
  const { path } = place;
  const findings: Findings = { schema: standardErrors(schema, place), rules: [] };
  const add = (found: Findings): void => {
    findings.schema.push(...found.schema);
    findings.rules.push(...found.rules);
  };
  if (schema.uniqueItems === true) {
    const detail = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    findings.schema.push(forbiddenValue(path.child('uniqueItems'), detail));
  }
  for (const part of structuralParts(schema, place, findings.schema)) add(check(part.schema, part.place));
  for (const part of junctorParts(schema, place)) add(check(part.schema, part.place));
  findings.schema.push(...mapTypeErrors(schema, path), ...listTypeErrors(schema, path), ...listKeyErrors(schema, path));
  findings.schema.push(...validateRules(schema, path));
  const hasRules = (schema['x-kubernetes-validations'] ?? []).length > 0;
  if (hasRules && findings.schema.length === 0 && place.checkRules !== undefined) {
    findings.rules.push(...place.checkRules(schema, { path, uncorrelated: place.uncorrelated }));
  }
  return findings;
}

interface Part {
  readonly schema: JsonSchema;
  readonly place: SchemaPlace;
}

function structuralParts(schema: JsonSchema, place: SchemaPlace, errors: FieldError[]): Part[] {
  const { path, isRoot } = place;
  const inner: SchemaPlace = { ...place, isRoot: false };
  const parts: Part[] = [];
  const properties = Object.entries(schema.properties ?? {});
  if (schema.additionalProperties !== undefined) {
    const at = path.child('additionalProperties');
    if (properties.length > 0 && schema.additionalProperties !== true) {
      errors.push(forbiddenValue(at, 'additionalProperties and properties are mutual exclusive'));
    }
    const values = valuesOf(schema);
    const reason = { noDefaults: 'inside additionalProperties applying to object metadata' };
    if (values !== undefined) {
      parts.push({ schema: values, place: { ...inner, path: at, ...(place.isInsideMeta ? reason : {}) } });
    }
  }
  for (const [name, property] of properties) {
    const isMeta = (isRoot || isEmbedded(schema)) && META_FIELDS.has(name);
    parts.push({
      schema: property,
      place: {
        ...inner,
        path: path.child('properties').key(name),
        isInsideMeta: place.isInsideMeta || isMeta,
        ...(isMeta && isRoot ? { noDefaults: `in top-level ${name}` } : {}),
      },
    });
  }
  const items = itemsOf(schema);
  if (items !== undefined) {
    const isCorrelated = schema['x-kubernetes-list-type'] === 'map' || place.uncorrelated !== undefined;
    const uncorrelated = isCorrelated ? {} : { uncorrelated: path };
    parts.push({ schema: items, place: { ...inner, path: path.child('items'), ...uncorrelated } });
  }
  return parts;
}

function junctorParts(schema: JsonSchema, place: SchemaPlace): Part[] {
  const { path } = place;
  const { checkRules: _, ...rest } = place;
  const inner: SchemaPlace = { ...rest, isRoot: false };
  const parts: Part[] = [];
  if (schema.not !== undefined) parts.push({ schema: schema.not, place: { ...inner, path: path.child('not') } });
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [index, part] of (schema[name] ?? []).entries()) {
      parts.push({ schema: part, place: { ...inner, path: path.child(name).index(index) } });
    }
  }
  return parts;
}

function standardErrors(schema: JsonSchema, { path, isInsideMeta, noDefaults }: SchemaPlace): FieldError[] {
  const errors: FieldError[] = [];
  const { type = '' } = schema;
  if (type !== '' && !TYPES.includes(type)) errors.push(notSupported(path.child('type'), type, TYPES));
  if (schema.default !== undefined && noDefaults !== undefined) {
    errors.push(forbiddenValue(path.child('default'), `must not be set ${noDefaults}`));
  }
  const forbid = (isSet: boolean, name: string, detail = `${name} is not supported`): void => {
    if (isSet) errors.push(forbiddenValue(path.child(name), detail));
  };
  forbid((schema.id ?? '') !== '', 'id');
  forbid(schema.additionalItems !== undefined, 'additionalItems');
  forbid(Object.keys(schema.patternProperties ?? {}).length > 0, 'patternProperties');
  forbid(Object.keys(schema.definitions ?? {}).length > 0, 'definitions');
  forbid(schema.dependencies !== undefined, 'dependencies');
  forbid(schema.$ref !== undefined, '$ref');
  forbid(type === 'null', 'type', 'type cannot be set to null, use nullable as an alternative');
  forbid(isSchemaList(schema.items), 'items', 'items must be a schema object and not an array');
  if (isInsideMeta)
    forbid(isEmbedded(schema), 'x-kubernetes-embedded-resource', 'must not be used inside of resource meta');
  return errors;
}

function mapTypeErrors(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    const at = path.child('x-kubernetes-preserve-unknown-fields');
    errors.push(invalidValue(at, false, 'must be true or undefined'));
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return errors;
  if (schema.type !== 'object') {
    errors.push(wrongType(schema, path, 'must be object if x-kubernetes-map-type is specified'));
  }
  if (mapType !== 'atomic' && mapType !== 'granular') {
    errors.push(notSupported(path.child('x-kubernetes-map-type'), mapType, ['atomic', 'granular']));
  }
  return errors;
}

function wrongType({ type = '' }: JsonSchema, path: FieldPath, detail: string): FieldError {
  return type === '' ? required(path.child('type'), detail) : invalidValue(path.child('type'), type, detail);
}

function listTypeErrors(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const at = path.child('x-kubernetes-list-type');
  if (listType !== undefined && schema.type !== 'array') {
    errors.push(wrongType(schema, path, 'must be array if x-kubernetes-list-type is specified'));
  } else if (listType === 'set') {
    const items = itemsOf(schema);
    const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set';
    if (items?.type === 'array' && (items['x-kubernetes-list-type'] ?? 'atomic') !== 'atomic') {
      const value = items['x-kubernetes-list-type'];
      errors.push(invalidValue(path.child('items', 'x-kubernetes-list-type'), value, detail));
    }
    if (items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
      const value = items['x-kubernetes-list-type'] ?? null;
      errors.push(invalidValue(path.child('items', 'x-kubernetes-map-type'), value, detail));
    }
  }
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    errors.push(notSupported(at, listType, ['atomic', 'set', 'map']));
  }
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(listType === undefined ? required(at, detail) : invalidValue(at, listType, detail));
  }
  return errors;
}

function listKeyErrors(schema: JsonSchema, path: FieldPath): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== 'map' && listType !== 'set') return [];
  const items = itemsOf(schema);
  const errors = listType === 'map' ? mapListErrors(schema, path) : [];
  if (items === undefined) return errors;
  if (items.nullable === true) {
    const detail = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(forbiddenValue(path.child('items', 'nullable'), detail));
  }
  if (listType === 'set') return errors;
  for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
    const property = items.properties?.[key];
    if (property === undefined) continue;
    const at = path.child('items', 'properties').key(key);
    if (items.required?.includes(key) !== true && property.default === undefined) {
      const detail =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      errors.push(required(at.child('default'), detail));
    }
    if (property.nullable === true) {
      const detail = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      errors.push(forbiddenValue(at.child('nullable'), detail));
    }
  }
  return errors;
}

function mapListErrors(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const keysPath = path.child('x-kubernetes-list-map-keys');
  const items = itemsOf(schema);
  if (keys.length === 0) errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
  if (schema.items === undefined) {
    errors.push(required(path.child('items'), 'must have a schema if x-kubernetes-list-type is map'));
  } else if (items === undefined) {
    const detail = 'must only have a single schema if x-kubernetes-list-type is map';
    errors.push(invalidValue(path.child('items'), schema.items, detail));
  } else if (items.type !== 'object') {
    const detail = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalidValue(path.child('items', 'type'), items.type ?? '', detail));
  } else {
    for (const [index, key] of keys.entries()) {
      const property = items.properties?.[key];
      if (property === undefined) {
        errors.push(invalidValue(keysPath, keys, 'entries must all be names of item properties'));
      } else if (property.type === 'array' || property.type === 'object') {
        const at = path.child('items', 'properties').key(key).child('type');
        errors.push(
          invalidValue(at, items.type, "must be a scalar type if parent array's x-kubernetes-list-type is map"),
        );
      }
      if (keys.indexOf(key) < index) errors.push(invalidValue(keysPath, keys, 'must not contain duplicate entries'));
    }
  }
  return errors;
}
