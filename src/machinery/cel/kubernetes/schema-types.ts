import type { FieldDescription, TypeProvider } from '../checker/type-provider.ts';
import type { Interval } from '../cost/interval.ts';
import type { SizedNode, SizeEstimator } from '../cost/node.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listType,
  mapType,
  STRING,
  structType,
  TIMESTAMP,
} from '../types/type.ts';
import { escapeFieldName } from './escaping.ts';
import {
  type ComparableNode,
  containerConversion,
  scalarConversion,
  schemaConcat,
  schemaEquality,
} from './schema-values.ts';
import { type StructuralSchema, withResourceFields } from './structural-schema.ts';

/** The largest request, 3 MiB: what a schema does not limit cannot be larger than this. */
const REQUEST_SIZE_MAX_BYTES = 3 * 1024 * 1024;
const DURATION_LENGTH_MAX = 32;
const DATE_LENGTH_MAX = 12;
const DATE_TIME_LENGTH_MAX = 32;

/** A schema as expressions see it. */
export interface SchemaNode extends ComparableNode {
  /** The most elements, entries or bytes a value can have; estimates of costs are computed from it. */
  readonly maxElements: number;
  /** The least bytes of a value as JSON. */
  readonly minBytes: number;
  readonly properties?: ReadonlyMap<string, SchemaNode>;
  readonly element?: SchemaNode;
}

/**
 * The types of a structural schema: what `self` is and which fields it has. Parts that CEL cannot see (no type,
 * unknown fields) have no field; `root` is undefined where the whole schema is such a part.
 */
export class SchemaTypes implements TypeProvider {
  readonly root: SchemaNode | undefined;
  readonly #structs = new Map<string, { type: CelType; fields: ReadonlyMap<string, FieldDescription> }>();

  /**
   * `name` begins the names of the object types (`selfType.spec`) and must not be that of a variable; `isResource` adds
   * what every resource has.
   */
  constructor(schema: StructuralSchema, options: { readonly name?: string; readonly isResource?: boolean } = {}) {
    this.root = this.#node(schema, options.name ?? 'selfType', options.isResource ?? false);
  }

  findType(name: string): CelType | undefined {
    return this.#structs.get(name)?.type;
  }

  findField(typeName: string, field: string): FieldDescription | undefined {
    return this.#structs.get(typeName)?.fields.get(field);
  }

  #node(schema: StructuralSchema, name: string, isResource: boolean): SchemaNode | undefined {
    if (schema['x-kubernetes-int-or-string'] === true) return intOrString(schema);
    switch (schema.type) {
      case 'array':
        return this.#list(schema, name);
      case 'object':
        return this.#object(isResource ? withResourceFields(schema) : schema, name);
      case 'string':
        return text(schema);
      case 'boolean':
        return scalar(schema, BOOL, 4);
      case 'number':
        return scalar(schema, DOUBLE, 1);
      case 'integer':
        return scalar(schema, INT, 1);
      default:
        return undefined;
    }
  }

  #child(schema: StructuralSchema, name: string): SchemaNode | undefined {
    return this.#node(schema, name, schema['x-kubernetes-embedded-resource'] === true);
  }

  #list(schema: StructuralSchema, name: string): SchemaNode | undefined {
    const element = schema.items === undefined ? undefined : this.#child(schema.items, `${name}.@idx`);
    if (element === undefined) return undefined;
    const maxElements = schema.maxItems ?? Math.floor((REQUEST_SIZE_MAX_BYTES - 2) / (element.minBytes + 1));
    const kind = schema['x-kubernetes-list-type'];
    const hasOwnEquality = kind === 'set' || kind === 'map' || element.hasOwnEquality;
    return container('list', { schema, element, hasOwnEquality, maxElements: Math.max(0, maxElements), minBytes: 2 });
  }

  #object(schema: StructuralSchema, name: string): SchemaNode | undefined {
    const { additionalProperties } = schema;
    if (typeof additionalProperties === 'object') {
      const element = this.#child(additionalProperties, `${name}.@elem`);
      if (element === undefined) return undefined;
      const maxElements = schema.maxProperties ?? Math.floor((REQUEST_SIZE_MAX_BYTES - 2) / (element.minBytes + 6));
      const { hasOwnEquality } = element;
      return container('map', { schema, element, hasOwnEquality, maxElements: Math.max(0, maxElements), minBytes: 2 });
    }
    const properties = new Map<string, SchemaNode>();
    const fields = new Map<string, FieldDescription>();
    let minBytes = 2;
    for (const [property, propertySchema] of Object.entries(schema.properties ?? {})) {
      const escaped = escapeFieldName(property);
      const node = this.#child(propertySchema, `${name}.${escaped ?? property}`);
      if (node === undefined) continue;
      properties.set(property, node);
      if (escaped !== undefined) {
        fields.set(escaped, { type: node.type, property, isNullAbsent: propertySchema.nullable !== true });
      }
      const isSent = schema.required?.includes(property) === true && propertySchema.default === undefined;
      if (isSent) minBytes += Buffer.byteLength(property) + node.minBytes + 4;
    }
    const hasOwnEquality = [...properties.values()].some((node) => node.hasOwnEquality);
    const node = { schema, properties, hasOwnEquality, maxElements: 0, minBytes };
    const type = withEquality(structType(name), node);
    this.#structs.set(name, { type, fields });
    return { ...node, type };
  }
}

/**
 * The sizes that the schemas of variables limit: `{self: types.root, oldSelf: types.root}`. Other names, such as those of
 * types, count as the first of these: the API server's estimator does not look at the name.
 */
export function schemaSizes(variables: Readonly<Record<string, SchemaNode | undefined>>): SizeEstimator {
  return ({ path }: SizedNode): Interval | undefined => {
    const [variable, ...steps] = path;
    if (variable === undefined) return undefined;
    let node = Object.hasOwn(variables, variable) ? variables[variable] : Object.values(variables)[0];
    for (const step of steps) {
      if (node === undefined) return undefined;
      if (step === '@keys') return node.schema.type === 'object' ? { min: 0, max: 0 } : undefined;
      node = step === '@items' || step === '@values' ? node.element : propertyNode(node, step);
    }
    return node === undefined ? undefined : { min: 0, max: node.maxElements };
  };
}

/** Paths hold the names of fields as expressions write them. */
function propertyNode(node: SchemaNode, field: string): SchemaNode | undefined {
  const direct = node.properties?.get(field);
  if (direct !== undefined) return direct;
  for (const [property, child] of node.properties ?? []) {
    if (escapeFieldName(property) === field) return child;
  }
  return undefined;
}

type NodeParts = Omit<SchemaNode, 'type'>;

function withEquality(type: CelType, node: NodeParts): CelType {
  if (!node.hasOwnEquality) return type;
  return { ...type, isEqual: schemaEquality({ ...node, type }) };
}

function container(kind: 'list' | 'map', node: NodeParts & { readonly element: SchemaNode }): SchemaNode {
  const { element } = node;
  const plain = kind === 'list' ? listType(element.type) : mapType(STRING, element.type);
  const convert = element.type.convert === undefined ? undefined : containerConversion(kind, element.type.convert);
  const converted = convert === undefined ? plain : { ...plain, convert };
  const type = withEquality(converted, node);
  const concat = kind === 'list' ? schemaConcat({ ...node, type }) : undefined;
  return { ...node, type: concat === undefined ? type : { ...type, concat } };
}

function scalar(schema: StructuralSchema, plain: CelType, minBytes: number, maxElements = 0): SchemaNode {
  const convert = scalarConversion({ schema });
  const type = convert === undefined ? plain : { ...plain, convert };
  const hasOwnEquality = plain === TIMESTAMP || plain === DURATION || plain === BYTES;
  return { schema, type, minBytes, maxElements, hasOwnEquality };
}

function intOrString(schema: StructuralSchema): SchemaNode {
  const maxElements = schema.maxLength === undefined ? REQUEST_SIZE_MAX_BYTES - 2 : Math.max(0, schema.maxLength) * 4;
  return { schema, type: DYN, minBytes: 1, maxElements, hasOwnEquality: false };
}

function text(schema: StructuralSchema): SchemaNode {
  const { maxLength } = schema;
  switch (schema.format) {
    case 'byte':
      return scalar(schema, BYTES, 2, maxLength === undefined ? REQUEST_SIZE_MAX_BYTES - 2 : Math.max(0, maxLength));
    case 'duration':
      return scalar(schema, DURATION, 3, DURATION_LENGTH_MAX);
    case 'date':
      return scalar(schema, TIMESTAMP, 12, DATE_LENGTH_MAX);
    case 'date-time':
      return scalar(schema, TIMESTAMP, 21, DATE_TIME_LENGTH_MAX);
    default:
      return scalar(schema, STRING, 2, textLengthMax(schema));
  }
}

/** In bytes; a character of the schema's limit may take four. */
function textLengthMax(schema: StructuralSchema): number {
  if (schema.maxLength !== undefined) return Math.max(0, schema.maxLength) * 4;
  const texts = (schema.enum ?? []).filter((value) => typeof value === 'string');
  if (texts.length === 0 && (schema.enum ?? []).length === 0) return REQUEST_SIZE_MAX_BYTES - 2;
  return Math.max(0, ...texts.map((value) => Buffer.byteLength(value)));
}
