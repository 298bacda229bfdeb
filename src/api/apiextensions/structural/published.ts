import {
  isEmbedded,
  isIntOrString,
  isSchemaList,
  itemsOf,
  type JsonSchema,
  preservesUnknown,
  valuesOf,
} from './json-schema.ts';

type Json = Record<string, unknown>;
type Dialect = 'v2' | 'v3';

const API_VERSION_DESCRIPTION =
  'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized ' +
  'schemas to the latest internal value, and may reject unrecognized values. More info: ' +
  'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources';
const KIND_DESCRIPTION =
  'Kind is a string value representing the REST resource this object represents. Servers may infer this from the ' +
  'endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ' +
  'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds';
const METADATA_DESCRIPTION =
  "Standard object's metadata. More info: " +
  'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata';
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** Parts of a schema that are published as they are. */
const PLAIN = [
  'description',
  'title',
  'format',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'enum',
  'maxProperties',
  'minProperties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-list-type',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
] as const;
const JUNCTORS = ['allOf', 'anyOf', 'oneOf'] as const;

/**
 * The schema of a custom resource as OpenAPI publishes it, with the fields of every object. Version 2 has no junctors,
 * defaults and nulls: what needs them loses its type, so that clients let it pass.
 */
export function publishedSchema(schema: JsonSchema, dialect: Dialect): Json {
  if (dialect === 'v2' && preservesUnknown(schema)) return { type: 'object' };
  const published = publish(schema, dialect);
  const properties = typeof published['properties'] === 'object' ? published['properties'] : {};
  return {
    ...published,
    properties: {
      ...properties,
      apiVersion: { description: API_VERSION_DESCRIPTION, type: 'string' },
      kind: { description: KIND_DESCRIPTION, type: 'string' },
      metadata: metadataOf(dialect),
    },
  };
}

/** A kind whose schema nobody knows. */
export function openSchema(): Json {
  return { type: 'object' };
}

function publish(schema: JsonSchema, dialect: Dialect): Json {
  const result: Json = {};
  for (const name of PLAIN) if (schema[name] !== undefined) result[name] = schema[name];
  const isOpen = dialect === 'v2' && (schema.nullable === true || preservesUnknown(schema));
  if (dialect === 'v3') {
    if (schema.nullable === true) result['nullable'] = true;
    if (schema.default !== undefined) result['default'] = schema.default;
    publishJunctors(schema, result);
  }
  publishType(schema, dialect, result);
  const required = requiredOf(schema, dialect);
  if (required.length > 0) result['required'] = required;
  const items = itemsOf(schema);
  if (!isOpen && items !== undefined) result['items'] = publish(items, dialect);
  if (!isOpen && schema.properties !== undefined) {
    result['properties'] = Object.fromEntries(
      Object.entries(schema.properties).map(([name, property]) => [name, publish(property, dialect)]),
    );
  }
  const values = valuesOf(schema);
  if (values !== undefined) result['additionalProperties'] = publish(values, dialect);
  else if (schema.additionalProperties !== undefined) result['additionalProperties'] = schema.additionalProperties;
  if (isEmbedded(schema) && !isOpen) publishEmbedded(result, dialect);
  return result;
}

function publishType(schema: JsonSchema, dialect: Dialect, result: Json): void {
  const { type = '' } = schema;
  if (type === '') return;
  if (dialect === 'v2') {
    if (schema.nullable === true) return;
    if (preservesUnknown(schema) && (type === 'object' || type === 'array')) return;
    if (type === 'array' && itemsOf(schema) === undefined) return;
  }
  result['type'] = type;
}

function publishJunctors(schema: JsonSchema, result: Json): void {
  for (const name of JUNCTORS) {
    const parts = schema[name];
    if (parts !== undefined && parts.length > 0) result[name] = parts.map((part) => publishNested(part));
  }
  if (schema.not !== undefined) result['not'] = publishNested(schema.not);
  if (!isIntOrString(schema) || saysIntOrString(schema.anyOf) || saysIntOrString(schema.allOf?.[0]?.anyOf)) return;
  const either = [{ type: 'integer' }, { type: 'string' }];
  const allOf = Array.isArray(result['allOf']) ? result['allOf'] : [];
  if (schema.anyOf === undefined) result['anyOf'] = either;
  else result['allOf'] = [{ anyOf: either }, ...allOf];
}

/** A schema within a junctor, where types stand for themselves. */
function publishNested(schema: JsonSchema): Json {
  const nested = publish(schema, 'v3');
  if (isSchemaList(schema.items)) nested['items'] = schema.items.map((item) => publishNested(item));
  return nested;
}

function saysIntOrString(parts: readonly JsonSchema[] | undefined): boolean {
  return parts?.length === 2 && parts[0]?.type === 'integer' && parts[1]?.type === 'string';
}

/** In version 2 null cannot be said, so a field that may be null cannot be required. */
function requiredOf(schema: JsonSchema, dialect: Dialect): readonly string[] {
  const { required = [] } = schema;
  if (dialect === 'v3') return required;
  if (valuesOf(schema)?.nullable === true) return [];
  return required.filter((name) => schema.properties?.[name]?.nullable !== true);
}

function publishEmbedded(result: Json, dialect: Dialect): void {
  const properties = typeof result['properties'] === 'object' ? result['properties'] : {};
  result['properties'] = {
    ...properties,
    apiVersion: {
      description:
        'apiVersion defines the versioned schema of this representation of an object. More info: ' +
        'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
      type: 'string',
    },
    kind: {
      description:
        'kind is a string value representing the type of this object. In CamelCase. More info: ' +
        'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
      type: 'string',
    },
    metadata: metadataOf(dialect),
  };
  const required = Array.isArray(result['required']) ? result['required'] : [];
  result['required'] = [...new Set([...required, 'kind', 'apiVersion'])];
}

function metadataOf(dialect: Dialect): Json {
  return dialect === 'v2'
    ? { description: METADATA_DESCRIPTION, $ref: `#/definitions/${OBJECT_META}` }
    : { description: METADATA_DESCRIPTION, allOf: [{ $ref: `#/components/schemas/${OBJECT_META}` }] };
}
