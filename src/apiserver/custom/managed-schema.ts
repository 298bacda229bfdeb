import {
  isEmbedded,
  isIntOrString,
  itemsOf,
  type JsonSchema,
  preservesUnknown,
  valuesOf,
} from '#api/apiextensions/structural/json-schema.ts';
import { ANY_SCHEMA, type Schema } from '#machinery/schema/schema.ts';

const METADATA: Schema = { type: 'ref', ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };
const STRING: Schema = { type: 'string' };
const SCALARS: Readonly<Record<string, Schema['type']>> = {
  string: 'string',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
};

/** The schema of a custom resource as apply and managed fields need it: which lists and maps are merged, and how. */
export function managedSchema(schema: JsonSchema, { isRoot = false }: { isRoot?: boolean } = {}): Schema {
  const isResource = isRoot || isEmbedded(schema);
  if (isIntOrString(schema)) return { type: 'intOrString' };
  if (schema.type === 'array') return listSchema(schema);
  if (schema.type !== 'object') {
    const scalar = SCALARS[schema.type ?? ''];
    return scalar === undefined ? ANY_SCHEMA : withDefault({ type: scalar }, schema);
  }
  const mapType = mapTypeOf(schema);
  const values = valuesOf(schema);
  if (values !== undefined && schema.properties === undefined) {
    return { type: 'map', items: managedSchema(values), ...mapType };
  }
  const hasFields = Object.keys(schema.properties ?? {}).length > 0;
  if (!hasFields && !isResource) return mapType.mapType === 'atomic' ? { type: 'object', ...mapType } : ANY_SCHEMA;
  const fields: Record<string, Schema> = isResource ? { apiVersion: STRING, kind: STRING, metadata: METADATA } : {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (isResource && name in fields) continue;
    fields[name] = managedSchema(property);
  }
  const keepsUnknown = preservesUnknown(schema) || schema.additionalProperties === true;
  return { type: 'object', fields, ...mapType, ...(keepsUnknown ? { preserveUnknown: true } : {}) };
}

function listSchema(schema: JsonSchema): Schema {
  const items = itemsOf(schema);
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'];
  return {
    type: 'array',
    items: items === undefined ? ANY_SCHEMA : managedSchema(items),
    ...(listType === 'set' || listType === 'map' || listType === 'atomic' ? { listType } : {}),
    ...(keys === undefined ? {} : { listMapKeys: keys }),
  };
}

function mapTypeOf(schema: JsonSchema): { mapType?: 'atomic' | 'granular' } {
  const mapType = schema['x-kubernetes-map-type'];
  return mapType === 'atomic' || mapType === 'granular' ? { mapType } : {};
}

// Keys of merged lists may be left to their defaults.
function withDefault(schema: Schema, { default: value }: JsonSchema): Schema {
  return value === undefined ? schema : { ...schema, default: value };
}
