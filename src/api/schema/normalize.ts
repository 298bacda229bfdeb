import { canonicalQuantity } from './canonical-quantity.ts';
import { type PresenceSchema, presenceSchemas } from './load.ts';

/**
 * Brings a decoded object into the one form that upstream's decoding and encoding would leave of it: no nulls, no empty
 * lists, maps, strings, zeros or `false` where the field does not tell them from absent, `{}` and zero values where the
 * field is always written, quantities in canonical form. Works in place; unknown fields and wrong types stay as they are.
 */
export type Normalizer = (value: Record<string, unknown>) => void;

type ValueNormalizer = (value: unknown) => unknown;

interface FieldNormalizer {
  readonly keepsEmpty: boolean;
  readonly normalize: ValueNormalizer | undefined;
}

const compiled = new Map<string, Normalizer>();

/** The normalizer of a definition, compiled at its first use. */
export function normalizerOf(schemaName: string): Normalizer {
  const known = compiled.get(schemaName);
  if (known !== undefined) return known;
  const schema = presenceSchemas()[schemaName];
  if (schema === undefined) throw new Error(`no schema "${schemaName}"`);
  // Fields that refer to a definition look it up at their first use: definitions may refer to themselves.
  const run = compileObject(schema);
  compiled.set(schemaName, run);
  return run;
}

function compileObject(schema: PresenceSchema): Normalizer {
  const fields = new Map<string, FieldNormalizer>();
  const zeros: [string, () => unknown][] = [];
  for (const [name, field] of Object.entries(schema.fields ?? {})) {
    const zero = field.always === true && field.pointer !== true ? zeroOf(field) : undefined;
    if (zero !== undefined) zeros.push([name, zero]);
    fields.set(name, {
      keepsEmpty: field.pointer === true || field.always === true || field.type === 'any',
      normalize: compileValue(field),
    });
  }
  return (object) => {
    normalizeFields(object, fields);
    for (let index = 0; index < zeros.length; index++) {
      const entry = zeros[index];
      if (entry !== undefined && object[entry[0]] === undefined) object[entry[0]] = entry[1]();
    }
  };
}

function normalizeFields(object: Record<string, unknown>, fields: ReadonlyMap<string, FieldNormalizer>): void {
  for (const name in object) {
    const field = fields.get(name);
    if (field === undefined) continue;
    const value = object[name];
    if (value === null || value === undefined) {
      delete object[name];
      continue;
    }
    if (field.normalize !== undefined) {
      const normalized = field.normalize(value);
      if (normalized !== value) object[name] = normalized;
    }
    if (!field.keepsEmpty && isEmpty(value)) delete object[name];
  }
}

function isEmpty(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value === '';
    case 'number':
      return value === 0;
    case 'boolean':
      return !value;
    case 'object': {
      if (Array.isArray(value)) return value.length === 0;
      for (const _key in value) return false;
      return true;
    }
    default:
      return false;
  }
}

/** What an absent field that is always written turns into; lists and maps stay absent. */
function zeroOf(field: PresenceSchema): (() => unknown) | undefined {
  switch (field.type) {
    case 'ref':
      return () => {
        const value: Record<string, unknown> = {};
        normalizerOf(field.ref ?? '')(value);
        return value;
      };
    case 'string':
      return () => '';
    case 'integer':
    case 'number':
      return () => 0;
    case 'boolean':
      return () => false;
    case 'quantity':
      return () => '0';
    default:
      return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function compileValue(schema: PresenceSchema): ValueNormalizer | undefined {
  switch (schema.type) {
    case 'quantity':
      return canonicalQuantity;
    case 'ref': {
      const ref = schema.ref ?? '';
      let run: Normalizer | undefined;
      return (value) => {
        run ??= normalizerOf(ref);
        if (isObject(value)) run(value);
        return value;
      };
    }
    case 'array': {
      const items = schema.items === undefined ? undefined : compileValue(schema.items);
      return items === undefined ? undefined : (value) => normalizeItems(value, items);
    }
    case 'map': {
      const items = schema.items === undefined ? undefined : compileValue(schema.items);
      return items === undefined ? undefined : (value) => normalizeEntries(value, items);
    }
    default:
      return undefined;
  }
}

function normalizeItems(value: unknown, normalize: ValueNormalizer): unknown {
  if (!Array.isArray(value)) return value;
  for (let index = 0; index < value.length; index++) value[index] = normalize(value[index]);
  return value;
}

function normalizeEntries(value: unknown, normalize: ValueNormalizer): unknown {
  if (!isObject(value)) return value;
  for (const key in value) value[key] = normalize(value[key]);
  return value;
}
