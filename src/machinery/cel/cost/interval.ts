import { STRING_FACTOR } from '../runtime/frame.ts';

/** From the least to the most; infinity stands for "no bound", where cel-go has the largest 64-bit integer. */
export interface Interval {
  readonly min: number;
  readonly max: number;
}

export const NOTHING: Interval = { min: 0, max: 0 };
export const ONE: Interval = { min: 1, max: 1 };
export const UNKNOWN: Interval = { min: 0, max: Infinity };

export function exactly(value: number): Interval {
  return { min: value, max: value };
}

export function sum(...intervals: readonly Interval[]): Interval {
  return intervals.reduce((left, right) => ({ min: left.min + right.min, max: left.max + right.max }), NOTHING);
}

export function product(left: Interval, right: Interval): Interval {
  return { min: times(left.min, right.min), max: times(left.max, right.max) };
}

/** A fraction of each bound, rounded up. */
export function scaled(interval: Interval, factor: number): Interval {
  return { min: Math.ceil(times(interval.min, factor)), max: Math.ceil(times(interval.max, factor)) };
}

/** The cost of going through a string of that size, so many times. */
export function traversed(size: Interval, count = 1): Interval {
  return scaled(size, count * STRING_FACTOR);
}

export function union(left: Interval, right: Interval): Interval {
  return { min: Math.min(left.min, right.min), max: Math.max(left.max, right.max) };
}

/** Nothing of anything is nothing, even without a bound. */
function times(left: number, right: number): number {
  return left === 0 || right === 0 ? 0 : left * right;
}
