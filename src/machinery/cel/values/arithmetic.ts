import { fail } from '../errors.ts';
import { doubleValue, isDouble, isInt, makeDouble, makeInt, makeUint } from './numbers.ts';
import { checkedDuration, checkedTimestamp } from './time.ts';
import { CelDouble, CelDuration, CelTimestamp, CelUint } from './value.ts';

export type ArithmeticOperator = '_+_' | '_-_' | '_*_' | '_/_' | '_%_';

/** The operator's result by the operands' run-time types; undefined where they have none together. */
export function arithmetic(operator: ArithmeticOperator, left: unknown, right: unknown): unknown {
  switch (operator) {
    case '_+_':
      return add(left, right);
    case '_-_':
      return subtract(left, right);
    case '_*_':
      return multiply(left, right);
    case '_/_':
      return divide(left, right);
    case '_%_':
      return modulo(left, right);
  }
}

export function add(left: unknown, right: unknown): unknown {
  if (isInt(left) && isInt(right)) {
    if (typeof left === 'number' && typeof right === 'number') {
      const sum = left + right;
      if (Number.isSafeInteger(sum)) return sum;
    }
    return makeInt(BigInt(left) + BigInt(right));
  }
  if (typeof left === 'string' && typeof right === 'string') return left + right;
  if (isDouble(left) && isDouble(right)) return makeDouble(doubleValue(left) + doubleValue(right));
  if (left instanceof CelUint && right instanceof CelUint) return makeUint(left.value + right.value);
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  if (left instanceof Uint8Array && right instanceof Uint8Array) return concatBytes(left, right);
  if (right instanceof CelDuration) {
    if (left instanceof CelDuration) return checkedDuration(left.nanos + right.nanos);
    if (left instanceof CelTimestamp) return checkedTimestamp(left.nanos + right.nanos, left.offsetMinutes);
    return undefined;
  }
  if (left instanceof CelDuration && right instanceof CelTimestamp) {
    return checkedTimestamp(left.nanos + right.nanos, right.offsetMinutes);
  }
  return undefined;
}

export function subtract(left: unknown, right: unknown): unknown {
  if (isInt(left) && isInt(right)) {
    if (typeof left === 'number' && typeof right === 'number') {
      const difference = left - right;
      if (Number.isSafeInteger(difference)) return difference;
    }
    return makeInt(BigInt(left) - BigInt(right));
  }
  if (isDouble(left) && isDouble(right)) return makeDouble(doubleValue(left) - doubleValue(right));
  if (left instanceof CelUint && right instanceof CelUint) return makeUint(left.value - right.value);
  if (left instanceof CelTimestamp) {
    if (right instanceof CelTimestamp) return checkedDuration(left.nanos - right.nanos);
    return right instanceof CelDuration ? checkedTimestamp(left.nanos - right.nanos, left.offsetMinutes) : undefined;
  }
  if (left instanceof CelDuration && right instanceof CelDuration) return checkedDuration(left.nanos - right.nanos);
  return undefined;
}

function multiply(left: unknown, right: unknown): unknown {
  if (isInt(left) && isInt(right)) {
    if (typeof left === 'number' && typeof right === 'number') {
      const product = left * right;
      // Adding zero makes a negative zero positive: ints have one zero.
      if (Number.isSafeInteger(product)) return product + 0;
    }
    return makeInt(BigInt(left) * BigInt(right));
  }
  if (isDouble(left) && isDouble(right)) return makeDouble(doubleValue(left) * doubleValue(right));
  return left instanceof CelUint && right instanceof CelUint ? makeUint(left.value * right.value) : undefined;
}

function divide(left: unknown, right: unknown): unknown {
  if (isInt(left) && isInt(right)) {
    if (right === 0) fail('division by zero');
    if (typeof left === 'number' && typeof right === 'number') return Math.trunc(left / right) + 0;
    return makeInt(BigInt(left) / BigInt(right));
  }
  if (isDouble(left) && isDouble(right)) return makeDouble(doubleValue(left) / doubleValue(right));
  if (!(left instanceof CelUint && right instanceof CelUint)) return undefined;
  return right.value === 0n ? fail('division by zero') : makeUint(left.value / right.value);
}

function modulo(left: unknown, right: unknown): unknown {
  if (isInt(left) && isInt(right)) {
    if (right === 0) fail('modulus by zero');
    if (typeof left === 'number' && typeof right === 'number') return (left % right) + 0;
    // The smallest int has no negative: cel-go reports its remainder by -1 as an overflow.
    if (right === -1 && BigInt(left) === -(2n ** 63n)) fail('integer overflow');
    return makeInt(BigInt(left) % BigInt(right));
  }
  if (!(left instanceof CelUint && right instanceof CelUint)) return undefined;
  return right.value === 0n ? fail('modulus by zero') : makeUint(left.value % right.value);
}

export function negate(value: unknown): unknown {
  if (isInt(value)) return typeof value === 'number' ? -value + 0 : makeInt(-value);
  if (typeof value === 'number') return -value;
  return value instanceof CelDouble ? new CelDouble(-value.value) : undefined;
}

function concatBytes(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
