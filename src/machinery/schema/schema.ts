/**
 * The shape of one value, as data: what decoding, patches and managed fields need to know. Built-in schemas are
 * generated (`#api/generated/schemas.json`), those of custom resources are made from their OpenAPI schema.
 */
export interface Schema {
  readonly type: SchemaType;
  /** Fields of an `object`. */
  readonly fields?: Readonly<Record<string, Schema>>;
  /** Items of an `array`, values of a `map`. */
  readonly items?: Schema;
  /** Definition name of a `ref`. */
  readonly ref?: string;
  readonly format?: string;
  readonly required?: readonly string[];
  /** Strategic merge patch: the field that identifies the items of a merged list. */
  readonly mergeKey?: string;
  /** Strategic merge patch: `merge`, `replace`, `retainKeys`, or several joined by commas. */
  readonly patchStrategy?: string;
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  readonly mapType?: 'atomic' | 'granular';
  readonly enum?: readonly string[];
  readonly default?: unknown;
  /** The field is a pointer upstream: absent and zero are different things. */
  readonly pointer?: boolean;
  /** The field is written even where it is zero (it has no `omitempty` upstream). */
  readonly always?: boolean;
  /** Unknown fields are kept (`x-kubernetes-preserve-unknown-fields`). */
  readonly preserveUnknown?: boolean;
}

export type SchemaType =
  | 'object'
  | 'array'
  | 'map'
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'any'
  | 'ref'
  | 'intOrString'
  | 'quantity'
  | 'time'
  | 'microTime'
  | 'bytes';

/** Definitions by name, such as `io.k8s.api.core.v1.Pod`. */
export type SchemaSet = Readonly<Record<string, Schema>>;

/** Follows references; a reference to nothing, and a circle of references, is `any`. */
export function resolveSchema(schemas: SchemaSet, schema: Schema): Schema {
  let current = schema;
  for (let hops = 0; current.type === 'ref' && hops < REF_HOPS_MAX; hops += 1) {
    const target = schemas[current.ref ?? ''];
    if (target === undefined) return ANY_SCHEMA;
    current = target;
  }
  return current.type === 'ref' ? ANY_SCHEMA : current;
}

export const ANY_SCHEMA: Schema = { type: 'any' };
const REF_HOPS_MAX = 8;
