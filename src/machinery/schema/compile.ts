import { deepCopy, setOwn } from '../codec/deep.ts';
import { DecodePath } from './decode-path.ts';
import { goStructName, jsonKind } from './go-types.ts';
import { decodeScalar, mismatchMessage } from './scalars.ts';
import type { Schema, SchemaSet } from './schema.ts';

export interface DecodeError {
  /** `spec.containers[0].image` */
  readonly path: string;
  /** As Go's decoder words it; the first one is what clients see. */
  readonly message: string;
}

export interface Decoded {
  readonly value: unknown;
  /** Paths of fields that the schema does not know, in document order. */
  readonly unknown: string[];
  readonly errors: DecodeError[];
}

export interface DecodeOptions {
  /** `prune` drops unknown fields, `keep` carries them over. Both report them. */
  readonly mode: 'prune' | 'keep';
}

export interface CompiledSchema {
  /** Checks and copies a parsed document; the result shares nothing with it. */
  decode(value: unknown, options: DecodeOptions): Decoded;
}

export interface CompileOptions {
  /**
   * `go` (default) writes zero values as Go does for its structs: fields that are not pointers vanish where they are
   * empty, unless they are always written; those appear. `keep` leaves values as they are: custom resources.
   */
  readonly zeroes?: 'go' | 'keep';
}

/**
 * Compiles a definition to closures. Cheap: definitions that it refers to are compiled at their first use, once for all
 * kinds of a schema set.
 */
export function compileSchema(schemas: SchemaSet, name: string, options: CompileOptions = {}): CompiledSchema {
  const compiler = compilerOf(schemas, options.zeroes ?? 'go');
  const decodeRoot = compiler.compile({ type: 'ref', ref: name });
  return {
    decode: (value, { mode }) => {
      const context: Context = {
        keepsUnknown: mode === 'keep',
        path: new DecodePath(),
        struct: '',
        unknown: [],
        errors: [],
      };
      const decoded = decodeRoot(value, context);
      return { value: decoded, unknown: context.unknown, errors: context.errors };
    },
  };
}

/** What strict decoding complains about, as upstream words it. */
export function strictMessages(found: { unknown: readonly string[]; duplicates: readonly string[] }): string[] {
  return [
    ...found.duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ...found.unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  ];
}

const compilers = { go: new WeakMap<SchemaSet, Compiler>(), keep: new WeakMap<SchemaSet, Compiler>() };

/** What was compiled lives as long as its schemas. */
function compilerOf(schemas: SchemaSet, zeroes: 'go' | 'keep'): Compiler {
  let compiler = compilers[zeroes].get(schemas);
  if (compiler === undefined) {
    compiler = new Compiler(schemas, zeroes);
    compilers[zeroes].set(schemas, compiler);
  }
  return compiler;
}

interface Context {
  readonly keepsUnknown: boolean;
  readonly path: DecodePath;
  /** The struct whose fields are being decoded, as Go names it. */
  struct: string;
  readonly unknown: string[];
  readonly errors: DecodeError[];
}

/** Gives the decoded value, or `undefined` for what counts as absent. */
type Decoder = (value: unknown, context: Context) => unknown;

interface FieldPlan {
  readonly decode: Decoder;
  /** Whether a zero value is dropped after decoding. */
  readonly dropsZero: boolean;
  /** The field is a map: without entries it is zero, whereas a struct never is. */
  readonly isMap: boolean;
}

class Compiler {
  readonly #schemas: SchemaSet;
  readonly #zeroes: 'go' | 'keep';
  readonly #definitions = new Map<string, Decoder>();

  constructor(schemas: SchemaSet, zeroes: 'go' | 'keep') {
    this.#schemas = schemas;
    this.#zeroes = zeroes;
  }

  compile(schema: Schema): Decoder {
    switch (schema.type) {
      case 'ref':
        return this.#reference(schema);
      case 'object':
        return this.#object(schema, schema, 'Object');
      case 'array':
        return this.#array(schema);
      case 'map':
        return this.#map(schema);
      case 'any':
        return copyAny;
      case 'string':
        return typed(schema, 'string');
      case 'boolean':
        return typed(schema, 'boolean');
      case 'number':
        return typed(schema, 'number');
      default:
        return scalar(schema);
    }
  }

  #reference(schema: Schema): Decoder {
    const name = schema.ref ?? '';
    const definition = this.#schemas[name];
    if (definition === undefined) return copyAny;
    if (definition.type !== 'object') return this.compile(definition);
    let compiled = this.#definitions.get(name);
    return (value, context) => {
      if (compiled === undefined) {
        compiled =
          this.#definitions.get(name) ?? this.#object(definition, { type: 'ref', ref: name }, goStructName(name));
        this.#definitions.set(name, compiled);
      }
      return compiled(value, context);
    };
  }

  #object(definition: Schema, shown: Schema, struct: string): Decoder {
    const fields = new Map<string, FieldPlan>();
    const fillers: { name: string; fill: () => unknown }[] = [];
    for (const [name, field] of Object.entries(definition.fields ?? {})) {
      const dropsZero = this.#zeroes === 'go' && field.pointer !== true && field.always !== true;
      fields.set(name, { decode: this.compile(field), dropsZero, isMap: field.type === 'map' });
      const fill = this.#zeroes === 'go' && field.always === true ? this.#filler(field) : undefined;
      if (fill !== undefined) fillers.push({ name, fill });
    }
    const keepsUnknown = definition.preserveUnknown === true;
    return (value, context) => {
      if (value === null) return undefined;
      if (typeof value !== 'object' || Array.isArray(value)) return mismatch(shown, value, context);
      const outer = context.struct;
      context.struct = struct;
      // Safe: an object that is no array is read by its own keys.
      const result = decodeFields(value as Record<string, unknown>, fields, keepsUnknown, context);
      for (const { name, fill } of fillers) if (result[name] === undefined) result[name] = fill();
      context.struct = outer;
      return result;
    };
  }

  /** What an absent field that is always written holds; pointers, lists, maps and times would be `null` and stay away. */
  #filler(field: Schema): (() => unknown) | undefined {
    if (field.pointer === true) return undefined;
    switch (field.type) {
      case 'string':
        return () => '';
      case 'integer':
      case 'number':
        return () => 0;
      case 'boolean':
        return () => false;
      case 'ref':
      case 'object': {
        const decode = this.compile(field);
        return () => decode({}, emptyContext());
      }
      default:
        return undefined;
    }
  }

  #array(schema: Schema): Decoder {
    const items = schema.items ?? { type: 'any' };
    const decode = this.compile(items);
    return (value, context) => {
      if (value === null) return undefined;
      if (!Array.isArray(value)) return mismatch(schema, value, context);
      const { length } = value;
      // A copy has room for its items and no more; an array that grows reserves room for 17.
      const result: unknown[] = value.slice();
      for (let index = 0; index < length; index += 1) {
        context.path.enterIndex(index);
        result[index] = decode(value[index], context) ?? zeroOf(items);
        context.path.leave();
      }
      return result;
    };
  }

  #map(schema: Schema): Decoder {
    const items = schema.items ?? { type: 'any' };
    const decode = this.compile(items);
    return (value, context) => {
      if (value === null) return undefined;
      if (typeof value !== 'object' || Array.isArray(value)) return mismatch(schema, value, context);
      // Safe: an object that is no array is read by its own keys.
      const source = value as Record<string, unknown>;
      const result: Record<string, unknown> = {};
      for (const key in source) {
        context.path.enterKey(key);
        const decoded = decode(source[key], context) ?? zeroOf(items);
        context.path.leave();
        if (key === '__proto__') setOwn(result, key, decoded);
        else result[key] = decoded;
      }
      return result;
    };
  }
}

function decodeFields(
  source: Record<string, unknown>,
  fields: ReadonlyMap<string, FieldPlan>,
  keepsUnknown: boolean,
  context: Context,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const key in source) {
    const plan = fields.get(key);
    if (plan === undefined) {
      context.path.enterField(key);
      if (!keepsUnknown) context.unknown.push(context.path.toString());
      context.path.leave();
      if (keepsUnknown || context.keepsUnknown) setOwn(result, key, deepCopy(source[key]));
      continue;
    }
    const value = source[key];
    if (value === undefined) continue;
    context.path.enterField(key);
    const decoded = plan.decode(value, context);
    context.path.leave();
    if (decoded !== undefined && !(plan.dropsZero && isZero(decoded, plan.isMap))) result[key] = decoded;
  }
  return result;
}

/** A zero value as `omitempty` sees it. */
function isZero(value: unknown, isMap: boolean): boolean {
  if (value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (!isMap) return false;
  for (const _ in value as object) return false; // Safe: a map decodes to an object.
  return true;
}

function copyAny(value: unknown): unknown {
  return value === null ? undefined : deepCopy(value);
}

function typed(schema: Schema, type: 'string' | 'boolean' | 'number'): Decoder {
  return (value, context) => {
    // oxlint-disable-next-line valid-typeof -- `type` is one of three literals
    if (typeof value === type) return value;
    return value === null ? undefined : mismatch(schema, value, context);
  };
}

function scalar(schema: Schema): Decoder {
  return (value, context) => {
    if (value === null) return undefined;
    const result = decodeScalar(schema, value);
    if (result.type === 'value') return result.value;
    if (result.type === 'mismatch') return fail(mismatchMessage(schema, result.kind, place(context)), context);
    return fail(result.message, context);
  };
}

function mismatch(schema: Schema, value: unknown, context: Context): undefined {
  return fail(mismatchMessage(schema, jsonKind(value), place(context)), context);
}

function place(context: Context): { struct: string; field: string } {
  return { struct: context.struct, field: context.path.fieldText() };
}

function fail(message: string, context: Context): undefined {
  context.errors.push({ path: context.path.toString(), message });
  return undefined;
}

/** What `null` means as an item of a list or a value of a map. */
function zeroOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'string':
    case 'bytes':
      return '';
    case 'integer':
    case 'number':
    case 'intOrString':
      return 0;
    case 'boolean':
      return false;
    case 'quantity':
      return '0';
    case 'array':
      return [];
    case 'ref':
    case 'object':
    case 'map':
      return {};
    default:
      return null;
  }
}

function emptyContext(): Context {
  return { keepsUnknown: false, path: new DecodePath(), struct: '', unknown: [], errors: [] };
}
