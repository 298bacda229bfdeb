import { resolveSchema, type Schema, type SchemaSet } from '../schema/schema.ts';

/** How the fields of a value are told apart: what owns what. Compiled once a definition. */
export type Plan =
  /** Owned as a whole: scalars, atomic lists, maps and structs. */
  | { readonly type: 'leaf' }
  /** No schema: objects are split into fields, lists are owned as a whole. */
  | { readonly type: 'deduced' }
  | {
      readonly type: 'struct';
      readonly fields: Map<string, FieldPlan>;
      /** How fields are told apart that the schema does not name; absent where they are not tracked. */
      readonly rest?: Plan;
    }
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
/** Stands for a field that the plan leaves out although its struct tracks what it does not name. */
const UNOWNED_PLAN: Plan = { type: 'leaf' };

export type FieldsPlan = Extract<Plan, { type: 'struct' | 'map' | 'deduced' }>;
export type ItemsPlan = Extract<Plan, { type: 'set' | 'list' }>;

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

type StructPlan = Extract<Plan, { type: 'struct' }>;

export interface ObjectPlan {
  readonly root: StructPlan;
  /** An object with nothing in it but what is always written. */
  readonly empty: unknown;
  /**
   * The plan for a way of writing that cannot change some fields, which it therefore never owns: `status`,
   * `metadata.labels`; `*` is every field of the object but metadata and status.
   */
  without(fields: readonly string[]): StructPlan;
}

/** What a write of the object itself does not own, where the status has a subresource of its own. */
export const STATUS_ONLY: readonly string[] = ['status'];

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
  const isStruct = general.type === 'struct';
  const fields = new Map(isStruct ? general.fields : []);
  for (const name of ['apiVersion', 'kind']) fields.set(name, unowned(name));
  const own = fields.get('metadata')?.plan;
  const metadata = own?.type === 'struct' ? own : compiler.planOf({ type: 'ref', ref: OBJECT_META });
  fields.set('metadata', { element: 'f:metadata', plan: trackedMetadata(metadata), zero: () => ({}) });
  const rest = isStruct ? general.rest : DEDUCED_PLAN;
  const root: StructPlan = { type: 'struct', fields, ...(rest === undefined ? {} : { rest }) };
  const variants = new Map<string, StructPlan>();
  return {
    root,
    empty: zeroStruct(fields),
    without: (names) => {
      const key = names.join();
      let variant = variants.get(key);
      if (variant === undefined) {
        variant = names.reduce(withoutField, root);
        variants.set(key, variant);
      }
      return variant;
    },
  };
}

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

function unowned(name: string): FieldPlan {
  return { element: `f:${name}`, plan: UNOWNED_PLAN, zero: undefined };
}

function trackedMetadata(plan: Plan): StructPlan {
  const fields = new Map(plan.type === 'struct' ? plan.fields : []);
  for (const name of METADATA_UNTRACKED) fields.set(name, unowned(name));
  return { type: 'struct', fields, ...(plan.type === 'struct' ? {} : { rest: DEDUCED_PLAN }) };
}

function withoutField(plan: StructPlan, name: string): StructPlan {
  if (name === '*') {
    const kept = [...plan.fields].filter(([field]) => field === 'metadata' || field === 'status');
    return { type: 'struct', fields: new Map(kept) };
  }
  const [first = '', ...below] = name.split('.');
  const fields = new Map(plan.fields);
  const field = fields.get(first);
  if (below.length > 0 && field?.plan.type === 'struct') {
    fields.set(first, { ...field, plan: withoutField(field.plan, below.join('.')) });
    return { ...plan, fields };
  }
  fields.set(first, unowned(first));
  return { ...plan, fields };
}

/** The plan of a member; `undefined` for what is not tracked. */
export function childPlan(plan: FieldsPlan, name: string): Plan | undefined {
  if (plan.type === 'map') return plan.items;
  if (plan.type === 'deduced') return plan;
  const field = plan.fields.get(name);
  if (field === undefined) return plan.rest;
  return field.plan === UNOWNED_PLAN ? undefined : field.plan;
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
    const plan: Plan =
      definition.preserveUnknown === true ? { type: 'struct', fields, rest: DEDUCED_PLAN } : { type: 'struct', fields };
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
