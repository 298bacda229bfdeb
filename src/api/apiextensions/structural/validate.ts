import { encodeValue } from '#machinery/codec/json.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { FieldError } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { type Correlation, correlatedField, correlatedItem, rootCorrelation } from './correlation.ts';
import { hasFormat, isKnownFormat } from './formats.ts';
import { isIntOrString, isObject, isSchemaList, type JsonObject, type JsonSchema } from './json-schema.ts';
import { checkNumber, goNumber } from './numbers.ts';
import { checkString } from './strings.ts';
import { type Finding, fieldErrorsOf, ValidationResult } from './validation-result.ts';

/**
 * Checks a value against its schema, with upstream's texts. What was wrong before and did not change is passed over
 * where `old` is given (KEP-4008).
 */
export function validateValue(
  value: unknown,
  schema: JsonSchema,
  { path, old }: { path: FieldPath; old?: { readonly value: unknown } | undefined },
): FieldError[] {
  const correlation = old === undefined ? undefined : rootCorrelation(schema, { value, old: old.value });
  const result = validateNode(value, schema, '', correlation);
  return result.isValid ? [] : fieldErrorsOf(result, path);
}

/** One property, item or root: what did not change may stay wrong. */
function validateNode(
  value: unknown,
  schema: JsonSchema,
  path: string,
  correlation: Correlation | undefined,
): ValidationResult {
  const result = validateSchema(value, schema, path, correlation);
  if (result.isValid || correlation === undefined || !deepEqual(value, correlation.old)) return result;
  const tolerated = new ValidationResult();
  tolerated.matches = result.matches;
  return tolerated;
}

function validateSchema(
  value: unknown,
  schema: JsonSchema,
  path: string,
  correlation: Correlation | undefined,
): ValidationResult {
  const result = new ValidationResult();
  const types = typesOf(schema);
  const format = formatOf(schema, types);
  if (types.length > 0 || format !== '') checkType(value, { types, format, schema, path }, result);
  if (value === null || value === undefined) {
    checkEnum(value, schema, path, result);
    return result;
  }
  checkJunctors(value, schema, path, correlation, result);
  if (typeof value === 'string') {
    checkString(value, schema, path, result);
    if (format !== '' && hasFormat(format, value) === false) result.add(typeFinding(path, format, value));
  } else if (typeof value === 'number' || typeof value === 'bigint') {
    checkNumber(value, { schema, type: types.length === 1 ? types[0] : undefined, format, path }, result);
  } else if (Array.isArray(value)) {
    checkItems(value, schema, path, correlation, result);
  }
  checkEnum(value, schema, path, result);
  if (isObject(value)) checkFields(value, schema, path, correlation, result);
  result.matches += 4;
  return result;
}

function typesOf(schema: JsonSchema): readonly string[] {
  if (isIntOrString(schema)) return ['integer', 'string'];
  return schema.type === undefined || schema.type === '' ? [] : [schema.type];
}

function formatOf({ format = '' }: JsonSchema, types: readonly string[]): string {
  const type = types.length === 1 ? types[0] : '';
  return format !== '' && isKnownFormat(format, type) ? format : '';
}

interface TypeCheck {
  readonly types: readonly string[];
  readonly format: string;
  readonly schema: JsonSchema;
  readonly path: string;
}

function checkType(value: unknown, { types, format, schema, path }: TypeCheck, result: ValidationResult): void {
  result.matches += 1;
  if (value === null || value === undefined) {
    if (types.length > 0 && !types.includes('null') && schema.nullable !== true) {
      result.add(typeFinding(path, types.join(','), 'null'));
      result.matches -= 1;
    }
    return;
  }
  const actual = jsonTypeOf(value);
  const isNumeric = types.includes('number') || types.includes('integer');
  const isText = actual === 'string' || actual === 'array';
  // A format says what a text must be; the type is then not looked at.
  if (!isNumeric && format !== '' && isText) return;
  if (types.length === 0) return;
  if (types.includes(actual) || (actual === 'integer' && types.includes('number'))) return;
  result.matches -= 1;
  if (!isText && format !== '') {
    result.add(typeFinding(path, format, actual === 'number' ? 'float64' : actual === 'integer' ? 'int64' : ''));
  } else result.add(typeFinding(path, types.join(','), actual));
}

function typeFinding(path: string, type: string, value: string): Finding {
  return { type: 'type', name: path, value, text: `${path} in body must be of type ${type}: ${JSON.stringify(value)}` };
}

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return typeof value;
    case 'bigint':
      return 'integer';
    case 'number':
      return Number.isInteger(value) ? 'integer' : 'number';
    default:
      return 'object';
  }
}

function checkEnum(value: unknown, schema: JsonSchema, path: string, result: ValidationResult): void {
  const allowed = schema.enum;
  if (allowed === undefined || allowed.length === 0) return;
  if (value !== null && allowed.some((one) => deepEqual(one, value))) return;
  const text = `${path} in body should be one of [${allowed.map((one) => goText(one)).join(' ')}]`;
  result.add({ type: 'enum', name: path, value, allowed, text });
}

function goText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? goNumber(value) : encodeValue(value);
}

// Junctors are checked before anything else of the value, as upstream does.
function checkJunctors(
  value: unknown,
  schema: JsonSchema,
  path: string,
  correlation: Correlation | undefined,
  result: ValidationResult,
): void {
  const { anyOf = [], oneOf = [], allOf = [], not } = schema;
  const try1 = (one: JsonSchema): ValidationResult => validateSchema(value, one, path, correlation);
  const place = JSON.stringify(path);
  const general = (text: string): void => result.add({ type: 'general', name: '', text });
  if (anyOf.length > 0) {
    const { best, valid } = alternatives(anyOf, try1, { stopsAtFirst: true });
    if (valid.length === 0) general(`${place} must validate at least one schema (anyOf)`);
    const outcome = valid[0] ?? best;
    if (outcome !== undefined) result.merge(outcome);
  }
  if (oneOf.length > 0) {
    const { best, valid } = alternatives(oneOf, try1, { stopsAtFirst: false });
    if (valid.length !== 1) {
      const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`;
      general(`${place} must validate one and only one schema (oneOf). ${found}`);
      if (valid.length === 0 && best !== undefined) result.merge(best);
    } else if (valid[0] !== undefined) result.merge(valid[0]);
  }
  if (allOf.length > 0) {
    const results = allOf.map(try1);
    for (const one of results) result.merge(one);
    const validated = results.filter((one) => one.isValid).length;
    if (validated !== allOf.length) {
      general(`${place} must validate all the schemas (allOf)${validated === 0 ? '. None validated' : ''}`);
    }
  }
  if (not !== undefined && try1(not).isValid) general(`${place} must not validate the schema (not)`);
  result.matches += 2;
}

function alternatives(
  schemas: readonly JsonSchema[],
  try1: (schema: JsonSchema) => ValidationResult,
  { stopsAtFirst }: { stopsAtFirst: boolean },
): { best: ValidationResult | undefined; valid: ValidationResult[] } {
  const valid: ValidationResult[] = [];
  let best: ValidationResult | undefined;
  for (const schema of schemas) {
    const one = try1(schema);
    if (one.isValid) {
      valid.push(one);
      if (stopsAtFirst) break;
    } else if (best === undefined || one.matches > best.matches) best = one;
  }
  return { best, valid };
}

function checkItems(
  list: readonly unknown[],
  schema: JsonSchema,
  path: string,
  correlation: Correlation | undefined,
  result: ValidationResult,
): void {
  const { items, maxItems, minItems } = schema;
  if (items !== undefined && !isSchemaList(items)) {
    for (const [index, item] of list.entries()) {
      const child = correlation === undefined ? undefined : correlatedItem(correlation, index);
      result.merge(validateNode(item, items, `${path}[${index}]`, child));
    }
  }
  const size = list.length;
  if (minItems !== undefined && size < minItems) {
    const text = `${path} in body should have at least ${minItems} items`;
    result.add({ type: 'invalid', name: path, value: size, text });
  }
  if (maxItems !== undefined && size > maxItems) {
    const text = `${path} in body should have at most ${maxItems} items`;
    result.add({ type: 'tooMany', name: path, value: size, limit: maxItems, text });
  }
  if (schema.uniqueItems === true && list.some((item, index) => list.slice(0, index).some((o) => deepEqual(o, item)))) {
    result.add({ type: 'invalid', name: path, text: `${path} in body shouldn't contain duplicates` });
  }
  result.matches += 1;
}

function checkFields(
  fields: JsonObject,
  schema: JsonSchema,
  path: string,
  correlation: Correlation | undefined,
  result: ValidationResult,
): void {
  const { properties = {}, additionalProperties, required = [] } = schema;
  checkCount(Object.keys(fields).length, schema, path, result);
  const child = (name: string): Correlation | undefined =>
    correlation === undefined ? undefined : correlatedField(correlation, name);
  if (additionalProperties !== undefined && additionalProperties !== true) {
    for (const [name, field] of Object.entries(fields)) {
      if (Object.hasOwn(properties, name)) continue;
      if (additionalProperties === false) {
        const text = `${path}.${name} in body is a forbidden property`;
        result.add({ type: 'invalid', name: path, value: name, text });
      } else result.merge(validateNode(field, additionalProperties, `${path}.${name}`, child(name)));
    }
  }
  for (const [name, property] of Object.entries(properties)) {
    if (!Object.hasOwn(fields, name)) continue;
    const inner = path === '' ? name : `${path}.${name}`;
    result.merge(validateNode(fields[name], property, inner, child(name)));
  }
  for (const name of required) {
    if (Object.hasOwn(fields, name) && fields[name] !== undefined) continue;
    const inner = `${path}.${name}`;
    result.add({ type: 'required', name: inner, text: `${inner} in body is required` });
  }
}

function checkCount(
  count: number,
  { maxProperties, minProperties }: JsonSchema,
  path: string,
  result: ValidationResult,
): void {
  if (minProperties !== undefined && count < minProperties) {
    const text = `${path} in body should have at least ${minProperties} properties`;
    result.add({ type: 'invalid', name: path, value: count, text });
  }
  if (maxProperties !== undefined && count > maxProperties) {
    const text = `${path} in body should have at most ${maxProperties} properties`;
    result.add({ type: 'tooMany', name: path, value: count, limit: maxProperties, text });
  }
}
