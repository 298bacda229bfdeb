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

/** The schema with what rules at the root of a resource always see: apiVersion, kind, metadata.name and generateName. */
export function withResourceFields(schema: StructuralSchema): StructuralSchema {
  const metadata = { type: 'object', properties: { name: STRING_SCHEMA, generateName: STRING_SCHEMA } };
  return { ...schema, properties: { ...schema.properties, apiVersion: STRING_SCHEMA, kind: STRING_SCHEMA, metadata } };
}
