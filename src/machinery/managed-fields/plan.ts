import { resolveSchema, type Schema, type SchemaSet } from '../schema/schema.ts';

/** How the fields of a value are told apart: what owns what. Compiled once a definition. */
export type Plan =
  /** Owned as a whole: scalars, atomic lists, maps and structs. */
  | { readonly type: 'leaf' }
  /** No schema: objects are split into fields, lists are owned as a whole. */
  | { readonly type: 'deduced' }
  | { readonly type: 'struct'; readonly fields: Map<string, FieldPlan> }
  | { readonly type: 'map'; readonly items: Plan }
  | { readonly type: 'set' }
  | { readonly type: 'list'; readonly items: Plan; readonly keys: readonly ListKey[] };

export interface FieldPlan {
  /** `f:name` */
  readonly element: string;
  readonly plan: Plan;
  /** What the field holds in an object that nobody has filled yet; `undefined` where it is absent. */
  readonly zero: (() => unknown) | undefined;
}

export interface ListKey {
  readonly name: string;
  readonly fallback: unknown;
}

const LEAF_PLAN: Plan = { type: 'leaf' };
const DEDUCED_PLAN: Plan = { type: 'deduced' };
const SET_PLAN: Plan = { type: 'set' };

/** Server-owned fields that no manager ever owns. */
const METADATA_UNTRACKED = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'managedFields',
  'resourceVersion',
]);

export interface ObjectPlan {
  readonly root: Plan;
  /** The same without `status`, for writes that cannot change it. */
  readonly rootWithoutStatus: Plan;
  /** An object with nothing in it but what is always written. */
  readonly empty: unknown;
}

const compiledSets = new WeakMap<SchemaSet, Map<string, ObjectPlan>>();

/** The plan of a kind; compiled at first use and kept as long as the schemas are. */
export function planOf(schemas: SchemaSet, schemaName: string): ObjectPlan {
  let plans = compiledSets.get(schemas);
  if (plans === undefined) {
    plans = new Map();
    compiledSets.set(schemas, plans);
  }
  let plan = plans.get(schemaName);
  if (plan === undefined) {
    plan = compileObject(schemas, schemaName);
    plans.set(schemaName, plan);
  }
  return plan;
}

function compileObject(schemas: SchemaSet, schemaName: string): ObjectPlan {
  const compiler = new PlanCompiler(schemas);
  const general = compiler.planOf({ type: 'ref', ref: schemaName });
  const fields = new Map(general.type === 'struct' ? general.fields : []);
  fields.delete('apiVersion');
  fields.delete('kind');
  const metadata = fields.get('metadata')?.plan;
  const tracked = new Map(metadata?.type === 'struct' ? metadata.fields : []);
  for (const name of METADATA_UNTRACKED) tracked.delete(name);
  fields.set('metadata', { element: 'f:metadata', plan: { type: 'struct', fields: tracked }, zero: () => ({}) });
  const withoutStatus = new Map(fields);
  withoutStatus.delete('status');
  const root: Plan = { type: 'struct', fields };
  return { root, rootWithoutStatus: { type: 'struct', fields: withoutStatus }, empty: zeroStruct(fields) };
}

class PlanCompiler {
  readonly #schemas: SchemaSet;
  readonly #structs = new Map<string, Plan>();

  constructor(schemas: SchemaSet) {
    this.#schemas = schemas;
  }

  planOf(schema: Schema): Plan {
    if (schema.mapType === 'atomic') return LEAF_PLAN;
    const definition = resolveSchema(this.#schemas, schema);
    if (definition.mapType === 'atomic') return LEAF_PLAN;
    switch (definition.type) {
      case 'object':
        return this.#struct(schema.ref, definition);
      case 'map':
        return { type: 'map', items: this.planOf(definition.items ?? { type: 'any' }) };
      case 'array':
        return this.#list(definition);
      case 'any':
      case 'ref':
        return DEDUCED_PLAN;
      default:
        return LEAF_PLAN;
    }
  }

  /** Definitions may contain themselves: the plan is known before its fields are filled in. */
  #struct(name: string | undefined, definition: Schema): Plan {
    const known = name === undefined ? undefined : this.#structs.get(name);
    if (known !== undefined) return known;
    if (definition.fields === undefined) return DEDUCED_PLAN;
    const fields = new Map<string, FieldPlan>();
    const plan: Plan = { type: 'struct', fields };
    if (name !== undefined) this.#structs.set(name, plan);
    for (const [field, schema] of Object.entries(definition.fields)) {
      const fieldPlan = this.planOf(schema);
      fields.set(field, { element: `f:${field}`, plan: fieldPlan, zero: this.#zero(schema) });
    }
    return plan;
  }

  #list(schema: Schema): Plan {
    if (schema.listType === 'set') return SET_PLAN;
    if (schema.listType !== 'map' || schema.listMapKeys === undefined) return LEAF_PLAN;
    const items = schema.items ?? { type: 'any' };
    const itemFields = resolveSchema(this.#schemas, items).fields ?? {};
    const keys = schema.listMapKeys.toSorted().map((name) => ({ name, fallback: itemFields[name]?.default }));
    return { type: 'list', items: this.planOf(items), keys };
  }

  #zero(schema: Schema): (() => unknown) | undefined {
    if (schema.always !== true) return undefined;
    if (schema.pointer === true) return () => null;
    switch (schema.type) {
      case 'string':
        return () => '';
      case 'integer':
      case 'number':
        return () => 0;
      case 'boolean':
        return () => false;
      case 'ref': {
        const definition = resolveSchema(this.#schemas, schema);
        return () => zeroOfDefinition(this.#schemas, definition);
      }
      default:
        return () => null;
    }
  }
}

// An atomic struct has a leaf for its plan, so its empty form is made from the schema.
function zeroOfDefinition(schemas: SchemaSet, definition: Schema): unknown {
  if (definition.type !== 'object') return null;
  const compiler = new PlanCompiler(schemas);
  const plan = compiler.planOf({ ...definition, mapType: 'granular' });
  return plan.type === 'struct' ? zeroStruct(plan.fields) : {};
}

function zeroStruct(fields: ReadonlyMap<string, FieldPlan>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, { zero }] of fields) if (zero !== undefined) result[name] = zero();
  return result;
}
