import { type PresenceSchema } from '#api/schema/load.ts';
import type { Schema, SchemaSet } from '#machinery/schema/schema.ts';
import type { Descriptions } from './descriptions.ts';
import { everywhere } from './meta-kinds.ts';

type Json = Record<string, unknown>;

export type Dialect = 'v2' | 'v3';

/** Types without fields of their own that documents refer to by name, as upstream does. */
const NAMED_SCALARS: Readonly<Record<string, { readonly name: string; readonly v2: Json; readonly v3: Json }>> = {
  time: {
    name: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time',
    v2: { type: 'string', format: 'date-time' },
    v3: { type: 'string', format: 'date-time' },
  },
  microTime: {
    name: 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime',
    v2: { type: 'string', format: 'date-time' },
    v3: { type: 'string', format: 'date-time' },
  },
  quantity: {
    name: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  intOrString: {
    name: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    v2: { type: 'string', format: 'int-or-string' },
    v3: { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
  },
};

const EXTENSIONS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Definitions that say little of what they hold. */
const FREE_FORMS: Readonly<Record<string, Json>> = {
  [`${META}.FieldsV1`]: { type: 'object' },
  [`${META}.Patch`]: { type: 'object' },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object' },
  [`${EXTENSIONS}.JSON`]: {},
  [`${EXTENSIONS}.JSONSchemaPropsOrArray`]: {},
  [`${EXTENSIONS}.JSONSchemaPropsOrBool`]: {},
  [`${EXTENSIONS}.JSONSchemaPropsOrStringArray`]: {},
};

/** Makes OpenAPI schemas of our definitions, in either version of the standard. */
export class SchemaWriter {
  readonly #schemas: SchemaSet;
  readonly #descriptions: Descriptions;
  readonly #dialect: Dialect;
  readonly #referenced = new Set<string>();

  constructor(options: { schemas: SchemaSet; descriptions: Descriptions; dialect: Dialect }) {
    this.#schemas = options.schemas;
    this.#descriptions = options.descriptions;
    this.#dialect = options.dialect;
  }

  /** Names that paths referred to: a document must define them. */
  get referenced(): Iterable<string> {
    return this.#referenced;
  }

  reference(name: string): Json {
    this.#referenced.add(name);
    return { $ref: this.#dialect === 'v3' ? `#/components/schemas/${name}` : `#/definitions/${name}` };
  }

  /** The named definitions and all that they refer to, sorted by name. */
  definitions(roots: Iterable<string>): Json {
    return Object.fromEntries([...this.entries(roots)].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The same one by one, in no order. */
  *entries(roots: Iterable<string>): Generator<[name: string, definition: Json]> {
    const found = new Set<string>();
    const pending = [...roots];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (found.has(name)) continue;
      const written = this.#definition(name, (reference) => pending.push(reference));
      if (written === undefined) continue;
      found.add(name);
      yield [name, written];
    }
  }

  #definition(name: string, onReference: (name: string) => void): Json | undefined {
    const scalar = Object.values(NAMED_SCALARS).find((candidate) => candidate.name === name);
    const description = this.#descriptions[name]?.description;
    const described = description === undefined ? {} : { description };
    if (scalar !== undefined) return { ...described, ...scalar[this.#dialect] };
    const free = FREE_FORMS[name];
    if (free !== undefined) return { ...described, ...free };
    const schema = this.#schemas[name];
    if (schema === undefined) return undefined;
    // Safe: generated schemas carry the kinds that they are; others just lack them.
    const { gvk = everywhere(name), unions } = schema as PresenceSchema;
    return {
      ...described,
      ...this.#value(schema, name, onReference),
      ...(unions === undefined ? {} : { 'x-kubernetes-unions': unions }),
      ...(gvk === undefined ? {} : { 'x-kubernetes-group-version-kind': gvk }),
    };
  }

  #value(schema: Schema, owner: string, onReference: (name: string) => void): Json {
    switch (schema.type) {
      case 'object':
        return this.#object(schema, owner, onReference);
      case 'array':
        return { type: 'array', items: this.#item(schema.items, owner, onReference), ...listExtensions(schema) };
      case 'map':
        return {
          type: 'object',
          additionalProperties: this.#item(schema.items, owner, onReference),
          ...mapExtensions(schema),
        };
      case 'ref':
        onReference(schema.ref ?? '');
        return this.reference(schema.ref ?? '');
      case 'bytes':
        return { type: 'string', format: 'byte', ...listExtensions(schema) };
      case 'any': {
        // Safe: generated schemas carry the name; others just lack it.
        const { named } = schema as PresenceSchema;
        if (named === undefined) return { type: 'object' };
        onReference(named);
        return this.reference(named);
      }
      case 'string':
      case 'integer':
      case 'number':
      case 'boolean':
        return {
          type: schema.type,
          ...(schema.format === undefined ? {} : { format: schema.format }),
          ...(schema.enum === undefined ? {} : { enum: schema.enum }),
        };
      case 'time':
      case 'microTime':
      case 'quantity':
      case 'intOrString': {
        const name = NAMED_SCALARS[schema.type]?.name ?? '';
        onReference(name);
        return this.reference(name);
      }
    }
  }

  #object(schema: Schema, owner: string, onReference: (name: string) => void): Json {
    const properties: Json = {};
    for (const [name, field] of Object.entries(schema.fields ?? {})) {
      properties[name] = this.#field(field, { owner, name }, onReference);
    }
    return {
      ...(schema.required === undefined || schema.required.length === 0 ? {} : { required: schema.required }),
      type: 'object',
      ...(Object.keys(properties).length === 0 ? {} : { properties }),
      ...mapExtensions(schema),
      ...(schema.preserveUnknown === true ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    };
  }

  #field(field: Schema, at: { owner: string; name: string }, onReference: (name: string) => void): Json {
    const written = this.#value(field, at.owner, onReference);
    const description = this.#descriptions[at.owner]?.fields?.[at.name];
    const described = description === undefined ? {} : { description };
    const patch = { ...patchExtensions(field), ...(field.type === 'ref' ? mapExtensions(field) : {}) };
    if (this.#dialect === 'v2' || !('$ref' in written)) {
      return { ...described, ...written, ...this.#default(field), ...patch };
    }
    // In version 3 nothing may stand beside a reference.
    return { ...described, ...this.#default(field), allOf: [written], ...patch };
  }

  #item(items: Schema | undefined, owner: string, onReference: (name: string) => void): Json {
    if (items === undefined) return { type: 'object' };
    const written = this.#value(items, owner, onReference);
    if (this.#dialect === 'v2') return written;
    return '$ref' in written ? { ...this.#default(items), allOf: [written] } : { ...written, ...this.#default(items) };
  }

  /** Version 3 tells the zero value of what is no pointer; version 2 has no defaults. */
  #default(field: Schema): Json {
    if (this.#dialect === 'v2') return {};
    if (field.default !== undefined) return { default: field.default };
    if (field.pointer === true) return {};
    if (field.type === 'ref') return this.#schemas[field.ref ?? '']?.type === 'object' ? { default: {} } : {};
    if (field.always !== true) return {};
    if (field.type === 'string') return { default: '' };
    if (field.type === 'integer' || field.type === 'number') return { default: 0 };
    return field.type === 'boolean' ? { default: false } : {};
  }
}

function listExtensions({ listType, listMapKeys }: Schema): Json {
  return {
    ...(listMapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': listMapKeys }),
    ...(listType === undefined ? {} : { 'x-kubernetes-list-type': listType }),
  };
}

function mapExtensions({ mapType }: Schema): Json {
  return mapType === undefined ? {} : { 'x-kubernetes-map-type': mapType };
}

function patchExtensions({ mergeKey, patchStrategy }: Schema): Json {
  return {
    ...(mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
    ...(patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': patchStrategy }),
  };
}
