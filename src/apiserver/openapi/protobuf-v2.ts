/**
 * The OpenAPI v2 document in protobuf (`gnostic.openapi.v2.Document`), which kubectl reads to validate kinds that it
 * does not know. Field numbers as in github.com/google/gnostic-models `openapiv2/OpenAPIv2.proto`. Paths are left out:
 * who asks for this form looks at definitions.
 */
type Json = Readonly<Record<string, unknown>>;

/** The document's fields before its definitions. */
export function documentHead(info: { readonly title: string; readonly version: string }): Uint8Array {
  return join([text(1, '2.0'), message(2, [text(1, info.title), text(2, info.version)]), message(8, [])]);
}

/** What stands before definitions that take so many bytes together. */
export function definitionsField(lengthBytes: number): Uint8Array {
  return join([varint((9 << 3) | 2), varint(lengthBytes)]);
}

/** One definition. */
export function namedSchema(name: string, schema: Json): Uint8Array {
  return message(1, [text(1, name), message(2, schemaFields(schema))]);
}

function namedSchemas(schemas: Json): Uint8Array[] {
  return Object.entries(schemas).map(([name, schema]) => namedSchema(name, objectOf(schema)));
}

function schemaFields(schema: Json): Uint8Array[] {
  const additional = schema['additionalProperties'];
  const type = schema['type'];
  const extensions = Object.entries(schema).filter(([name]) => name.startsWith('x-'));
  return [
    text(1, schema['$ref']),
    text(2, schema['format']),
    text(3, schema['title']),
    text(4, schema['description']),
    ...listOf(schema['required']).map((name) => text(19, name)),
    ...listOf(schema['enum']).map((value) => message(20, anyFields(value))),
    ...(additional === undefined ? [] : [message(21, additionalFields(additional))]),
    ...(type === undefined ? [] : [message(22, [text(1, type)])]),
    ...(schema['items'] === undefined ? [] : [message(23, [message(1, schemaFields(objectAt(schema, 'items')))])]),
    ...(schema['properties'] === undefined ? [] : [message(25, namedSchemas(objectAt(schema, 'properties')))]),
    ...extensions.map(([name, value]) => message(31, [text(1, name), message(2, anyFields(value))])),
  ];
}

function additionalFields(additional: unknown): Uint8Array[] {
  return typeof additional === 'boolean'
    ? [join([varint((2 << 3) | 0), varint(additional ? 1 : 0)])]
    : [message(1, schemaFields(objectOf(additional)))];
}

/** Any value travels as YAML text, of which JSON is a part. */
function anyFields(value: unknown): Uint8Array[] {
  return [text(2, `${JSON.stringify(value)}\n`)];
}

function text(number: number, value: unknown): Uint8Array {
  if (typeof value !== 'string' || value === '') return new Uint8Array();
  return lengthDelimited(number, Buffer.from(value));
}

function message(number: number, fields: readonly Uint8Array[]): Uint8Array {
  return lengthDelimited(number, join(fields));
}

function lengthDelimited(number: number, bytes: Uint8Array): Uint8Array {
  return join([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function objectAt(parent: Json, name: string): Json {
  return objectOf(parent[name]);
}

function objectOf(value: unknown): Json {
  // Safe: checked to be an object.
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
