/** What the mapping to CEL reads of an OpenAPI schema; other keywords may be there and are ignored. */
export interface StructuralSchema {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: boolean | StructuralSchema;
  readonly items?: StructuralSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}

const STRING_SCHEMA: StructuralSchema = { type: 'string' };

/**
 * The schema with what rules at the root of a resource always see: apiVersion, kind, metadata.name and generateName. Of
 * the metadata they see nothing else, unless the schema has all of these itself.
 */
export function withResourceFields(schema: StructuralSchema): StructuralSchema {
  const { kind, apiVersion, metadata } = schema.properties ?? {};
  const known = metadata?.properties;
  const named = [kind, apiVersion, known?.['name'], known?.['generateName']];
  if (metadata?.type === 'object' && named.every((property) => property?.type === 'string')) return schema;
  const visible = { type: 'object', properties: { name: STRING_SCHEMA, generateName: STRING_SCHEMA } };
  const properties = { ...schema.properties, apiVersion: STRING_SCHEMA, kind: STRING_SCHEMA, metadata: visible };
  return { ...schema, properties };
}
