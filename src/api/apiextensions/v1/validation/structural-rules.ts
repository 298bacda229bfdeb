import {
  type FieldError,
  fieldErrorText,
  forbiddenValue,
  invalidValue,
  required,
} from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import {
  isEmbedded,
  isIntOrString,
  itemsOf,
  type JsonSchema,
  preservesUnknown,
  propertyOf,
  valuesOf,
} from '../../structural/json-schema.ts';
import { patternProblem } from '../../structural/strings.ts';

type Level = 'root' | 'item' | 'field';

/**
 * Checks that a schema is structural: what is stored is described outside of junctors, with a type everywhere. The
 * errors come in order of their text, as upstream gives them.
 */
export function validateStructural(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  checkInvariants(schema, { level: 'root', path }, errors);
  checkJunctorsComplete(schema, schema, { at: path, from: path }, errors);
  return errors.toSorted((a, b) => (fieldErrorText(a) < fieldErrorText(b) ? -1 : 1));
}

interface Place {
  readonly level: Level;
  readonly path: FieldPath;
}

function checkInvariants(schema: JsonSchema, { level, path }: Place, errors: FieldError[]): void {
  const items = itemsOf(schema);
  if (schema.type === 'array' && items === undefined) errors.push(required(path.child('items'), 'must be specified'));
  if (items !== undefined) checkInvariants(items, { level: 'item', path: path.child('items') }, errors);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    checkInvariants(property, { level: 'field', path: path.child('properties').key(name) }, errors);
  }
  if (schema.additionalProperties !== undefined) {
    const inner = path.child('additionalProperties');
    if (level === 'root') errors.push(forbiddenValue(inner, 'must not be used at the root'));
    const values = valuesOf(schema);
    if (values !== undefined) checkInvariants(values, { level: 'field', path: inner }, errors);
  }
  checkExtensions(schema, path, errors);
  const skipsAnyOf = saysIntOrString(schema.anyOf);
  const skipsFirstAllOf = saysIntOrString(schema.allOf?.[0]?.anyOf);
  checkJunctors(schema, { skipsAnyOf, skipsFirstAllOf, path }, errors);
  checkType(schema, { level, path }, errors);
  checkMetadata(schema, { level, path }, errors);
}

function checkExtensions(schema: JsonSchema, path: FieldPath, errors: FieldError[]): void {
  if (!isIntOrString(schema)) return;
  const detail = 'must be false if x-kubernetes-int-or-string is true';
  if (preservesUnknown(schema)) {
    errors.push(invalidValue(path.child('x-kubernetes-preserve-unknown-fields'), true, detail));
  }
  if (isEmbedded(schema)) errors.push(invalidValue(path.child('x-kubernetes-embedded-resource'), true, detail));
}

function checkType(schema: JsonSchema, { level, path }: Place, errors: FieldError[]): void {
  const { type = '' } = schema;
  const at = path.child('type');
  if (isEmbedded(schema) && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type === '' ? required(at, detail) : invalidValue(at, type, detail));
  } else if (type === '' && !isIntOrString(schema) && !preservesUnknown(schema)) {
    const details: Record<Level, string> = {
      root: 'must not be empty at the root',
      item: 'must not be empty for specified array items',
      field: 'must not be empty for specified object fields',
    };
    errors.push(required(at, details[level]));
  }
  if (isEmbedded(schema) && schema.additionalProperties !== undefined) {
    const detail = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(forbiddenValue(path.child('additionalProperties'), detail));
  }
  if (level === 'root' && type !== '' && type !== 'object') {
    errors.push(invalidValue(at, type, 'must be object at the root'));
  }
}

function checkMetadata(schema: JsonSchema, { level, path }: Place, errors: FieldError[]): void {
  const isResource = level === 'root' || isEmbedded(schema);
  const properties = path.child('properties');
  for (const name of ['kind', 'apiVersion']) {
    const property = propertyOf(schema, name);
    if (property === undefined || !isResource || property.type === 'string') continue;
    errors.push(invalidValue(properties.key(name).child('type'), property.type ?? '', 'must be string'));
  }
  const metadata = propertyOf(schema, 'metadata');
  if (metadata !== undefined) {
    const at = properties.key('metadata');
    if (isResource && metadata.type !== 'object') {
      errors.push(invalidValue(at.child('type'), metadata.type ?? '', 'must be object'));
    }
    if (level === 'root' && saysMoreThanNames(metadata)) {
      const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
      errors.push(forbiddenValue(at, detail));
    }
  }
  if (isEmbedded(schema) && !preservesUnknown(schema) && Object.keys(schema.properties ?? {}).length === 0) {
    const detail =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(required(properties, detail));
  }
}

function saysMoreThanNames(metadata: JsonSchema): boolean {
  const { type: _type, default: _default, properties, ...rest } = metadata;
  const names = Object.keys(properties ?? {});
  return Object.keys(rest).length > 0 || names.some((name) => name !== 'name' && name !== 'generateName');
}

/** `anyOf: [{type: integer}, {type: string}]` and nothing else. */
function saysIntOrString(parts: readonly JsonSchema[] | undefined): boolean {
  const hasOnlyType = (part: JsonSchema | undefined, type: string): boolean =>
    part?.type === type && Object.keys(part).length === 1;
  return parts?.length === 2 && hasOnlyType(parts[0], 'integer') && hasOnlyType(parts[1], 'string');
}

interface JunctorPlace {
  readonly path: FieldPath;
  readonly skipsAnyOf: boolean;
  readonly skipsFirstAllOf: boolean;
}

function checkJunctors(schema: JsonSchema, place: JunctorPlace, errors: FieldError[]): void {
  const { path } = place;
  const nested = (part: JsonSchema, at: FieldPath, skipsAnyOf = false): void =>
    checkNested(part, { path: at, skipsAnyOf }, errors);
  if (!place.skipsAnyOf) {
    for (const [index, part] of (schema.anyOf ?? []).entries()) nested(part, path.child('anyOf').index(index));
  }
  for (const [index, part] of (schema.allOf ?? []).entries()) {
    nested(part, path.child('allOf').index(index), place.skipsFirstAllOf && index === 0);
  }
  for (const [index, part] of (schema.oneOf ?? []).entries()) nested(part, path.child('oneOf').index(index));
  if (schema.not !== undefined) nested(schema.not, path.child('not'));
  const { pattern = '' } = schema;
  const problem = pattern === '' ? undefined : patternProblem(pattern);
  if (problem === undefined) return;
  errors.push(
    invalidValue(path.child('pattern'), pattern, `must be a valid regular expression, but isn't: ${problem}`),
  );
}

/** Within a junctor nothing may be described that is not described outside of it. */
function checkNested(
  schema: JsonSchema,
  { path, skipsAnyOf }: { path: FieldPath; skipsAnyOf: boolean },
  errors: FieldError[],
): void {
  checkJunctors(schema, { path, skipsAnyOf, skipsFirstAllOf: false }, errors);
  const items = itemsOf(schema);
  if (items !== undefined) checkNested(items, { path: path.child('items'), skipsAnyOf: false }, errors);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    checkNested(property, { path: path.child('properties').key(name), skipsAnyOf: false }, errors);
  }
  const forbid = (isSet: boolean, name: string, detail: string): void => {
    if (isSet) errors.push(forbiddenValue(path.child(name), `${detail} to be structural`));
  };
  forbid((schema.type ?? '') !== '', 'type', 'must be empty');
  forbid((schema.additionalProperties ?? false) !== false, 'additionalProperties', 'must be undefined');
  forbid(schema.default !== undefined, 'default', 'must be undefined');
  forbid((schema.title ?? '') !== '', 'title', 'must be empty');
  forbid((schema.description ?? '') !== '', 'description', 'must be empty');
  forbid(schema.nullable === true, 'nullable', 'must be false');
  forbid(preservesUnknown(schema), 'x-kubernetes-preserve-unknown-fields', 'must be false');
  forbid(isEmbedded(schema), 'x-kubernetes-embedded-resource', 'must be false');
  forbid(isIntOrString(schema), 'x-kubernetes-int-or-string', 'must be false');
  forbid((schema['x-kubernetes-list-map-keys'] ?? []).length > 0, 'x-kubernetes-list-map-keys', 'must be empty');
  forbid(schema['x-kubernetes-list-type'] !== undefined, 'x-kubernetes-list-type', 'must be undefined');
  forbid(schema['x-kubernetes-map-type'] !== undefined, 'x-kubernetes-map-type', 'must be undefined');
  forbid((schema['x-kubernetes-validations'] ?? []).length > 0, 'x-kubernetes-validations', 'must be empty');
  if (propertyOf(schema, 'metadata') !== undefined) {
    const detail = 'must not be specified in a nested context';
    errors.push(forbiddenValue(path.child('properties').key('metadata'), detail));
  }
}

interface Counterparts {
  /** Where the structural part stands, and where the part of a junctor that asks for it. */
  readonly at: FieldPath;
  readonly from: FieldPath;
}

function checkJunctorsComplete(
  part: JsonSchema,
  structural: JsonSchema | undefined,
  { at, from }: Counterparts,
  errors: FieldError[],
): void {
  const nested = (inner: JsonSchema, path: FieldPath): void =>
    checkComplete(inner, structural, { at, from: path }, errors);
  if (part.not !== undefined) nested(part.not, from.child('not'));
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, inner] of (part[name] ?? []).entries()) nested(inner, from.child(name).index(index));
  }
}

function checkComplete(
  part: JsonSchema,
  structural: JsonSchema | undefined,
  { at, from }: Counterparts,
  errors: FieldError[],
): void {
  if (structural === undefined) {
    errors.push(required(at, `because it is defined in ${from.toString()}`));
    return;
  }
  checkJunctorsComplete(part, structural, { at, from }, errors);
  const items = itemsOf(part);
  if (items !== undefined) {
    checkComplete(items, itemsOf(structural), { at: at.child('items'), from: from.child('items') }, errors);
  }
  for (const [name, property] of Object.entries(part.properties ?? {})) {
    const places = { at: at.child('properties').key(name), from: from.child('properties').key(name) };
    checkComplete(property, propertyOf(structural, name), places, errors);
  }
}
