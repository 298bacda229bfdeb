import { fail } from '../errors.ts';
import { CelDouble, CelUint } from './value.ts';

export const INT_MIN = -(2n ** 63n);
export const INT_MAX = 2n ** 63n - 1n;
export const UINT_MAX = 2n ** 64n - 1n;

/** The int of a bigint; fails where it has more than 64 bits. */
export function makeInt(value: bigint): number | bigint {
  if (value >= -9_007_199_254_740_991n && value <= 9_007_199_254_740_991n) return Number(value);
  if (value < INT_MIN || value > INT_MAX) fail('integer overflow');
  return value;
}

export function makeUint(value: bigint): CelUint {
  if (value < 0n || value > UINT_MAX) fail('unsigned integer overflow');
  return new CelUint(value);
}

export function makeDouble(value: number): number | CelDouble {
  return Number.isInteger(value) ? new CelDouble(value) : value;
}

export function isInt(value: unknown): value is number | bigint {
  return typeof value === 'number' ? Number.isInteger(value) : typeof value === 'bigint';
}

export function isDouble(value: unknown): value is number | CelDouble {
  return typeof value === 'number' ? !Number.isInteger(value) : value instanceof CelDouble;
}

export function isNumeric(value: unknown): value is number | bigint | CelDouble | CelUint {
  const type = typeof value;
  return type === 'number' || type === 'bigint' || value instanceof CelDouble || value instanceof CelUint;
}

export function doubleValue(value: number | CelDouble): number {
  return typeof value === 'number' ? value : value.value;
}

/** The int, uint or double as a JavaScript number or bigint, whichever holds it exactly. */
export function exactValue(value: number | bigint | CelDouble | CelUint): number | bigint {
  return typeof value === 'object' ? value.value : value;
}

/**
 * -1, 0 or 1; undefined where one is not a number. Numbers of all types compare on one line; next to a double the
 * others count as doubles too, so the largest int equals 2^63.
 */
export function compareNumbers(
  left: number | bigint | CelDouble | CelUint,
  right: number | bigint | CelDouble | CelUint,
): -1 | 0 | 1 | undefined {
  let a = exactValue(left);
  let b = exactValue(right);
  if (typeof a !== typeof b && (isDouble(left) || isDouble(right))) {
    a = Number(a);
    b = Number(b);
  }
  // JavaScript compares a bigint with a number by their mathematical values.
  if (a < b) return -1;
  if (a > b) return 1;
  // oxlint-disable-next-line eqeqeq -- only the loose form compares a bigint with a number
  return a == b ? 0 : undefined;
}

export function areNumbersEqual(
  left: number | bigint | CelDouble | CelUint,
  right: number | bigint | CelDouble | CelUint,
): boolean {
  return compareNumbers(left, right) === 0;
}
