import { fail } from '../errors.ts';
import { type MapLike, isMapLike, mapGet, mapHas, mapKeys, mapSize } from './maps.ts';
import { areNumbersEqual, compareNumbers, isNumeric } from './numbers.ts';
import { CelDuration, CelOptional, CelTimestamp, CelValue } from './value.ts';

/** CEL's `==`: values of different types are different, but numbers compare by value across types. */
export function isEqual(left: unknown, right: unknown): boolean {
  if (left === right) return !Number.isNaN(left);
  if (isNumeric(left)) return isNumeric(right) && areNumbersEqual(left, right);
  if (typeof left !== 'object' || left === null || typeof right !== 'object' || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && areListsEqual(left, right);
  if (left instanceof Uint8Array) return right instanceof Uint8Array && compareBytes(left, right) === 0;
  if (isMapLike(left)) return isMapLike(right) && areMapsEqual(left, right);
  return left instanceof CelValue && right instanceof CelValue && left.isEqual(right);
}

function areListsEqual(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((element, index) => isEqual(element, right[index]));
}

function areMapsEqual(left: MapLike, right: MapLike): boolean {
  if (mapSize(left) !== mapSize(right)) return false;
  return mapKeys(left).every((key) => mapHas(right, key) && isEqual(mapGet(left, key), mapGet(right, key)));
}

/** -1, 0 or 1 for two values that have an order; undefined where their types have none together. */
export function compareValues(left: unknown, right: unknown): -1 | 0 | 1 | undefined {
  if (isNumeric(left) && isNumeric(right)) return compareNumbers(left, right) ?? fail('NaN values cannot be ordered');
  if (typeof left === 'string' && typeof right === 'string') return compareStrings(left, right);
  if (typeof left === 'boolean' && typeof right === 'boolean') return sign(Number(left) - Number(right));
  if (left instanceof CelTimestamp && right instanceof CelTimestamp) return compareNumbers(left.nanos, right.nanos);
  if (left instanceof CelDuration && right instanceof CelDuration) return compareNumbers(left.nanos, right.nanos);
  if (left instanceof Uint8Array && right instanceof Uint8Array) return compareBytes(left, right);
  return undefined;
}

/** The order of the UTF-8 bytes, as Go compares strings; UTF-16 order differs beyond the basic plane. */
export function compareStrings(left: string, right: string): -1 | 0 | 1 {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a === b) continue;
    const isHighA = a >= 0xd800 && a <= 0xdfff;
    const isHighB = b >= 0xd800 && b <= 0xdfff;
    if (isHighA !== isHighB) return isHighA ? 1 : -1;
    return a < b ? -1 : 1;
  }
  return sign(left.length - right.length);
}

export function compareBytes(left: Uint8Array, right: Uint8Array): -1 | 0 | 1 {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    // Both have at least `length` bytes.
    const difference = (left[index] as number) - (right[index] as number);
    if (difference !== 0) return sign(difference);
  }
  return sign(left.length - right.length);
}

export function someOptional(value: unknown): CelOptional {
  return CelOptional.of(value, isEqual);
}

function sign(value: number): -1 | 0 | 1 {
  if (value === 0) return 0;
  return value < 0 ? -1 : 1;
}
