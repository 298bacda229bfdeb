import { invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isPercent } from '#machinery/validation/names.ts';
import { type FieldErrors, NOT_NEGATIVE } from './basics.ts';

type IntOrPercent = number | string;

/** The percentage of a text such as `25%`; undefined if it is none. */
export function percentOf(value: IntOrPercent | undefined): number | undefined {
  if (typeof value !== 'string' || !/^[0-9]+%$/.test(value)) return undefined;
  return Number(value.slice(0, -1));
}

/** A number, or the percentage of `total`, rounded as said. What is neither counts as 0. */
export function scaledValue(value: IntOrPercent | undefined, options: { total: number; roundUp: boolean }): number {
  if (typeof value === 'number') return value;
  const percent = percentOf(value);
  if (percent === undefined) return 0;
  const exact = (percent * options.total) / 100;
  return options.roundUp ? Math.ceil(exact) : Math.floor(exact);
}

/** Not negative, or a percentage. */
export function checkIntOrPercent(value: IntOrPercent | undefined, path: FieldPath, errors: FieldErrors): void {
  if (typeof value === 'string') {
    for (const message of isPercent(value)) errors.push(invalidValue(path, value, message));
  } else if (value !== undefined && value < 0) {
    errors.push(invalidValue(path, value, NOT_NEGATIVE));
  }
}

export function checkAtMostWhole(value: IntOrPercent | undefined, path: FieldPath, errors: FieldErrors): void {
  const percent = percentOf(value);
  if (percent !== undefined && percent > 100) errors.push(invalidValue(path, value, 'must not be greater than 100%'));
}

/** Whether it is 0 or 0%. */
export function isZero(value: IntOrPercent | undefined): boolean {
  return value === undefined || value === 0 || percentOf(value) === 0;
}
