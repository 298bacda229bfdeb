import { type FilterOperator, JsonPathError } from './nodes.ts';

type Scalar = string | number | bigint | boolean;

/** Compares two scalars in a filter; values of different kinds cannot be compared. */
export function compareFilter(operator: FilterOperator, left: unknown, right: unknown): boolean {
  const [a, b] = [scalarOf(left), scalarOf(right)];
  const isNumeric = isNumber(a) && isNumber(b);
  if (!isNumeric && typeof a !== typeof b) throw new JsonPathError('incompatible types for comparison');
  switch (operator) {
    case '==':
      // Numbers and big integers of one value are equal.
      return isNumeric ? a >= b && a <= b : a === b;
    case '!=':
      return isNumeric ? a < b || a > b : a !== b;
    case '<':
      return isOrdered(a) && a < b;
    case '<=':
      return isOrdered(a) && a <= b;
    case '>':
      return isOrdered(a) && a > b;
    case '>=':
      return isOrdered(a) && a >= b;
    case 'exists':
      return true;
    default:
      return operator satisfies never;
  }
}

function scalarOf(value: unknown): Scalar {
  if (typeof value === 'string' || typeof value === 'boolean' || isNumber(value)) return value;
  throw new JsonPathError('invalid type for comparison');
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function isOrdered(value: Scalar): boolean {
  if (typeof value === 'boolean') throw new JsonPathError('invalid type for comparison');
  return true;
}
