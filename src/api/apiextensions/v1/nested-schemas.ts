import { badRequest } from '#machinery/errors/status-error.ts';
import { type CompiledSchema, compileSchema } from '#machinery/schema/compile.ts';
import { builtinSchemas } from '../../schema/load.ts';
import { isObject, type JsonObject } from '../structural/json-schema.ts';

const SCHEMA = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
const REFUSAL =
  'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition: json: cannot unmarshal';
const LISTS = ['allOf', 'anyOf', 'oneOf'];
const MAPS = ['properties', 'patternProperties', 'definitions'];
/** Fields that hold a schema or something else, which the schema of schemas cannot say. */
const EITHER = ['items', 'additionalProperties', 'additionalItems'];

/**
 * Decodes, in place, the parts of a schema that may be of several types: what is a schema there becomes one like all
 * others. Throws a 400 for what is none.
 */
export function decodeNestedSchemas(schema: unknown): void {
  if (!isObject(schema)) return;
  for (const name of EITHER) {
    const part = schema[name];
    if (part === undefined || part === null) delete schema[name];
    else if (typeof part === 'boolean' && name !== 'items') continue;
    else if (Array.isArray(part) && name === 'items') schema[name] = part.map(decoded);
    else schema[name] = decoded(part);
  }
  decodeDependencies(schema);
  for (const name of LISTS) if (Array.isArray(schema[name])) for (const part of schema[name]) decodeNestedSchemas(part);
  for (const name of MAPS) {
    const parts = schema[name];
    if (isObject(parts)) for (const part of Object.values(parts)) decodeNestedSchemas(part);
  }
  decodeNestedSchemas(schema['not']);
}

function decodeDependencies(schema: JsonObject): void {
  const { dependencies } = schema;
  if (!isObject(dependencies)) return;
  for (const [name, part] of Object.entries(dependencies)) {
    if (!Array.isArray(part)) dependencies[name] = decoded(part);
  }
}

let compiled: CompiledSchema | undefined;

function decoded(part: unknown): unknown {
  if (!isObject(part)) {
    const type = Array.isArray(part) ? 'array' : typeof part === 'boolean' ? 'bool' : typeof part;
    throw badRequest(`${REFUSAL} ${type} into Go value of type v1.JSONSchemaProps`);
  }
  compiled ??= compileSchema(builtinSchemas(), SCHEMA);
  const { value, errors } = compiled.decode(part, { mode: 'prune' });
  const [first] = errors;
  if (first !== undefined) throw badRequest(REFUSAL.replace('json: cannot unmarshal', first.message));
  decodeNestedSchemas(value);
  return value;
}
