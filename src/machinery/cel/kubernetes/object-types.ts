import type { CelLibrary } from '../environment.ts';
import type { FieldDescription, TypeProvider } from '../checker/type-provider.ts';
import { fail } from '../errors.ts';
import { declare, overload } from '../library/declaration.ts';
import { type CelType, DYN, STRING, structType } from '../types/type.ts';
import { isEqual } from '../values/equality.ts';
import { CelStruct, type CelValue } from '../values/value.ts';

/** An object that an expression has made: `Object.spec{replicas: 1}` or `JSONPatch{op: 'add', …}`. */
export class CelTypedObject extends CelStruct {
  readonly type: CelType;
  readonly #fields: ReadonlyMap<string, unknown>;

  constructor(type: CelType, fields: ReadonlyMap<string, unknown>) {
    super();
    this.type = type;
    this.#fields = fields;
  }

  fieldNames(): readonly string[] {
    return [...this.#fields.keys()];
  }

  has(field: string): boolean {
    return this.#fields.has(field);
  }

  get(field: string): unknown {
    return this.#fields.get(field);
  }

  isEqual(other: CelValue): boolean {
    if (!(other instanceof CelTypedObject) || other.type.name !== this.type.name) return false;
    const names = this.fieldNames();
    if (names.length !== other.fieldNames().length) return false;
    return names.every((name) => other.has(name) && isEqual(this.get(name), other.get(name)));
  }
}

const OBJECT = 'Object';
const JSON_PATCH = 'JSONPatch';

/** The type of an apply configuration, and of one operation of a JSON patch. */
export const OBJECT_TYPE = structType(OBJECT);
export const JSON_PATCH_TYPE = structType(JSON_PATCH);

/**
 * The types with which mutating policies make objects: `Object`, `Object.spec`, `Object.spec.template` and so on, with
 * any fields, and `JSONPatch`. Whether the names fit the places is checked by `objectNameProblem`.
 */
export const OBJECT_TYPES: TypeProvider = {
  findType(name) {
    if (name === OBJECT || name.startsWith(`${OBJECT}.`)) return structType(name);
    return name === JSON_PATCH ? JSON_PATCH_TYPE : undefined;
  },
  findField(typeName, field): FieldDescription | undefined {
    if (typeName !== JSON_PATCH) return { type: DYN };
    if (field === 'value') return { type: DYN };
    return field === 'op' || field === 'path' || field === 'from' ? { type: STRING } : undefined;
  },
  construct(typeName, fields) {
    if (typeName === JSON_PATCH) {
      for (const [name, value] of fields) {
        if (name !== 'value' && typeof value !== 'string') fail(`unexpected type for JSONPatchType '${name}' field`);
      }
    }
    return new CelTypedObject(structType(typeName), fields);
  },
};

/** `jsonpatch.escapeKey('a/b')`, which is `a~1b`. */
export const JSON_PATCHES: CelLibrary = {
  functions: [
    declare('jsonpatch.escapeKey', overload('string_jsonpatch_escapeKey_string', [STRING], STRING, escapeKey)),
  ],
};

function escapeKey(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/**
 * Why an object's type names do not fit: that of a field must be the object's and the field's name. Undefined where
 * they fit. Lists and maps in between have no name.
 */
export function objectNameProblem(value: unknown, expected: string = OBJECT): string | undefined {
  if (value instanceof CelTypedObject) {
    const { name } = value.type;
    if (name !== expected) {
      return `unexpected type name "${name}", expected "${expected}", which matches field name path from root Object type`;
    }
    return firstProblem(
      value.fieldNames().map((field) => () => objectNameProblem(value.get(field), `${expected}.${field}`)),
    );
  }
  return Array.isArray(value) ? firstProblem(value.map((item) => () => objectNameProblem(item, expected))) : undefined;
}

function firstProblem(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const problem = check();
    if (problem !== undefined) return problem;
  }
  return undefined;
}
