import { fail } from '../errors.ts';
import type { CelLibrary } from '../environment.ts';
import type { Expression } from '../syntax/ast.ts';
import type { Macro, MacroCall } from '../syntax/node-factory.ts';
import { BOOL, type CelType, DOUBLE, DYN, INT, listType, UINT } from '../types/type.ts';
import {
  compareNumbers,
  doubleValue,
  isDouble,
  isInt,
  isNumeric,
  makeDouble,
  makeInt,
  makeUint,
} from '../values/numbers.ts';
import { type CelDouble, CelUint } from '../values/value.ts';
import { declare, type FunctionDeclaration, type Implementation, overload } from './declaration.ts';

type Int = number | bigint;
type Double = number | CelDouble;

const NUMBERS: readonly CelType[] = [DOUBLE, INT, UINT];

/** The math extension, which Kubernetes does not offer to expressions. */
export const MATH: CelLibrary = {
  macros: new Map<string, Macro>([
    ['greatest:*:receiver', (call) => expandExtreme(call, 'greatest')],
    ['least:*:receiver', (call) => expandExtreme(call, 'least')],
  ]),
  functions: [
    extremes('min', -1),
    extremes('max', 1),
    ofDouble('ceil', (value) => makeDouble(Math.ceil(value))),
    ofDouble('floor', (value) => makeDouble(Math.floor(value))),
    ofDouble('trunc', (value) => makeDouble(Math.trunc(value))),
    ofDouble('round', (value) => makeDouble(Math.sign(value) * Math.floor(Math.abs(value) + 0.5))),
    ofDouble('isInf', (value) => Math.abs(value) === Infinity, BOOL),
    ofDouble('isNaN', (value) => Number.isNaN(value), BOOL),
    ofDouble('isFinite', (value) => Number.isFinite(value), BOOL),
    declare('math.abs', ...NUMBERS.map((type) => overload(`math_abs_${type.name}`, [type], type, absolute))),
    declare('math.sign', ...NUMBERS.map((type) => overload(`math_sign_${type.name}`, [type], type, signOf))),
    declare('math.sqrt', ...NUMBERS.map((type) => overload(`math_sqrt_${type.name}`, [type], DOUBLE, squareRoot))),
    bitwise('bitAnd', (left, right) => left & right),
    bitwise('bitOr', (left, right) => left | right),
    bitwise('bitXor', (left, right) => left ^ right),
    declare(
      'math.bitNot',
      overload('math_bitNot_int_int', [INT], INT, (value: Int) => makeInt(~BigInt(value))),
      overload('math_bitNot_uint_uint', [UINT], UINT, (value: CelUint) => makeUint(BigInt.asUintN(64, ~value.value))),
    ),
    shift('bitShiftLeft', (value, bits) => BigInt.asUintN(64, value << bits)),
    shift('bitShiftRight', (value, bits) => value >> bits),
  ],
};

function ofDouble(name: string, call: (value: number) => unknown, result: CelType = DOUBLE): FunctionDeclaration {
  return declare(
    `math.${name}`,
    overload(`math_${name}_double`, [DOUBLE], result, (value: Double) => call(doubleValue(value))),
  );
}

function extremes(name: 'min' | 'max', sign: -1 | 1): FunctionDeclaration {
  const pick = (left: unknown, right: unknown): unknown => {
    if (!isNumeric(left) || !isNumeric(right)) return fail(`no such overload: math.@${name}`);
    return compareNumbers(right, left) === sign ? right : left;
  };
  const ofList: Implementation = (list: readonly unknown[]) => {
    if (list.length === 0) fail(`math.@${name}(list) argument must not be empty`);
    return list.reduce(pick);
  };
  const id = `math_@${name}`;
  const overloads = NUMBERS.map((type) => overload(`${id}_${type.name}`, [type], type, (value: unknown) => value));
  for (const left of NUMBERS) {
    for (const right of NUMBERS) {
      overloads.push(overload(`${id}_${left.name}_${right.name}`, [left, right], left === right ? left : DYN, pick));
    }
    overloads.push(overload(`${id}_list_${left.name}`, [listType(left)], left, ofList));
  }
  return declare(`math.@${name}`, ...overloads);
}

function absolute(value: Int | Double | CelUint): unknown {
  if (value instanceof CelUint) return value;
  if (isDouble(value)) return makeDouble(Math.abs(doubleValue(value)));
  return makeInt(value < 0 ? -BigInt(value) : BigInt(value));
}

function signOf(value: Int | Double | CelUint): unknown {
  if (value instanceof CelUint) return new CelUint(value.value === 0n ? 0n : 1n);
  if (isInt(value)) return value === 0 ? 0 : value < 0 ? -1 : 1;
  return makeDouble(Math.sign(doubleValue(value)));
}

function squareRoot(value: Int | Double | CelUint): unknown {
  if (value instanceof CelUint) return makeDouble(Math.sqrt(Number(value.value)));
  return makeDouble(Math.sqrt(isInt(value) ? Number(value) : doubleValue(value)));
}

function bitwise(name: string, call: (left: bigint, right: bigint) => bigint): FunctionDeclaration {
  return declare(
    `math.${name}`,
    overload(`math_${name}_int_int`, [INT, INT], INT, (left: Int, right: Int) =>
      makeInt(call(BigInt(left), BigInt(right))),
    ),
    overload(`math_${name}_uint_uint`, [UINT, UINT], UINT, (left: CelUint, right: CelUint) =>
      makeUint(call(left.value, right.value)),
    ),
  );
}

/** Shifts work on the 64 bits of the value, also of a negative one. */
function shift(name: string, call: (value: bigint, bits: bigint) => bigint): FunctionDeclaration {
  const shifted = (value: bigint, bits: Int): bigint => {
    if (bits < 0) fail(`math.${name}() negative offset: ${bits}`);
    return bits >= 64 ? 0n : call(BigInt.asUintN(64, value), BigInt(bits));
  };
  return declare(
    `math.${name}`,
    overload(`math_${name}_int_int`, [INT, INT], INT, (value: Int, bits: Int) =>
      makeInt(BigInt.asIntN(64, shifted(BigInt(value), bits))),
    ),
    overload(`math_${name}_uint_int`, [UINT, INT], UINT, (value: CelUint, bits: Int) =>
      makeUint(shifted(value.value, bits)),
    ),
  );
}

function expandExtreme({ nodes, offset, target, args }: MacroCall, name: 'greatest' | 'least'): ReturnType<Macro> {
  if (target?.type !== 'ident' || target.name !== 'math') return undefined;
  const call = name === 'greatest' ? 'math.@max' : 'math.@min';
  const [first] = args;
  if (first === undefined) return { error: `math.${name}() requires at least one argument`, offset: target.offset };
  if (args.length === 1) {
    const isList = first.type === 'list' && first.elements.length > 0 && first.elements.every(mayBeNumber);
    if (isList || (first.type !== 'list' && mayBeNumber(first))) return nodes.call(offset, call, [first]);
    return { error: `math.${name}() invalid single argument value`, offset: first.offset };
  }
  const bad = args.find((arg) => !mayBeNumber(arg));
  if (bad !== undefined) {
    return { error: `math.${name}() simple literal arguments must be numeric`, offset: bad.offset };
  }
  return nodes.call(offset, call, args.length === 2 ? args : [nodes.list(offset, args)]);
}

function mayBeNumber(expression: Expression): boolean {
  if (expression.type === 'literal') return isNumeric(expression.value);
  return expression.type !== 'list' && expression.type !== 'map' && expression.type !== 'struct';
}
