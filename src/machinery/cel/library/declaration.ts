import { fail } from '../errors.ts';
import type { CelType } from '../types/type.ts';
import { isMapLike } from '../values/maps.ts';
import { isDouble, isInt } from '../values/numbers.ts';
import { CelDuration, CelOptional, CelStruct, CelTimestamp, CelTypeValue, CelUint, CelValue } from '../values/value.ts';
import { typeOf } from '../values/type-of.ts';

/** Takes values of the overload's argument types and gives one of its result type, or fails with a `CelError`. */
export type Implementation = (...args: never[]) => unknown;

export interface Overload {
  /** Unique over all functions (`size_string`); costs are looked up by it. */
  readonly id: string;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Called as `args[0].name(args[1], …)`. */
  readonly isMember: boolean;
  readonly call: Implementation;
}

/** All overloads of a name, in the order in which they are tried. */
export interface FunctionDeclaration {
  readonly name: string;
  readonly overloads: readonly Overload[];
}

export function overload(id: string, args: readonly CelType[], result: CelType, call: Implementation): Overload {
  return { id, args, result, isMember: false, call };
}

export function member(id: string, args: readonly CelType[], result: CelType, call: Implementation): Overload {
  return { id, args, result, isMember: true, call };
}

export function declare(name: string, ...overloads: Overload[]): FunctionDeclaration {
  return { name, overloads };
}

/** Whether a run-time value may be an argument of this type. Elements of lists and maps are not looked at. */
export function isArgument(type: CelType, value: unknown): boolean {
  switch (type.kind) {
    case 'dyn':
    case 'parameter':
    case 'error':
      return true;
    case 'int':
      return isInt(value);
    case 'double':
      return isDouble(value);
    case 'uint':
      return value instanceof CelUint;
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'null':
      return value === null;
    case 'bytes':
      return value instanceof Uint8Array;
    case 'list':
      return Array.isArray(value);
    case 'map':
      return isMapLike(value);
    case 'timestamp':
      return value instanceof CelTimestamp;
    case 'duration':
      return value instanceof CelDuration;
    case 'type':
      return value instanceof CelTypeValue;
    case 'struct':
      return value instanceof CelStruct ? value.type.name === type.name : isNamed(type, value) || isMapLike(value);
    case 'opaque':
      return isNamed(type, value);
  }
}

function isNamed(type: CelType, value: unknown): boolean {
  if (value instanceof CelOptional) return type.name === 'optional_type';
  return value instanceof CelValue && value.type.name === type.name;
}

export function matches(candidate: Overload, args: readonly unknown[]): boolean {
  const { args: types } = candidate;
  if (types.length !== args.length) return false;
  for (let index = 0; index < args.length; index++) {
    // `types` is as long as `args`.
    if (!isArgument(types[index] as CelType, args[index])) return false;
  }
  return true;
}

/** Functions whose error does not show the arguments' types, because one implementation serves all overloads. */
const UNTYPED_ERRORS: ReadonlyMap<string, string> = new Map([
  ['size', 'no such overload: size'],
  ['@in', 'no such overload'],
  ['!_', 'no such overload'],
  ['-_', 'no such overload: -_'],
  ['contains', 'no such overload'],
  ['endsWith', 'no such overload'],
  ['startsWith', 'no such overload'],
  ['matches', 'no such overload'],
]);

export function noSuchOverload(name: string, args: readonly unknown[]): never {
  const untyped = UNTYPED_ERRORS.get(name);
  if (untyped !== undefined) return fail(untyped);
  return fail(`no such overload: ${name}(${args.map((arg) => typeOf(arg).name).join(', ')})`);
}
