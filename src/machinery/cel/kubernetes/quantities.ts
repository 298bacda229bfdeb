import type { CelLibrary } from '../environment.ts';
import { fail } from '../errors.ts';
import { parseQuantity, Quantity, QuantityError } from '../../quantity/quantity.ts';
import { declare, member, overload } from '../library/declaration.ts';
import { BOOL, type CelType, DOUBLE, INT, STRING } from '../types/type.ts';
import { INT_MAX, INT_MIN, makeDouble, makeInt } from '../values/numbers.ts';
import { CelValue } from '../values/value.ts';
import { QUANTITY } from './types.ts';

const NANOS_PER_UNIT = 1_000_000_000n;

export class CelQuantity extends CelValue {
  readonly value: Quantity;

  constructor(value: Quantity) {
    super();
    this.value = value;
  }

  get type(): CelType {
    return QUANTITY;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelQuantity && this.value.compare(other.value) === 0;
  }
}

/** `quantity('1Gi')` and what can be asked of it. */
export const QUANTITIES: CelLibrary = {
  namedTypes: [QUANTITY],
  functions: [
    declare('quantity', overload('string_to_quantity', [STRING], QUANTITY, toQuantity)),
    declare('isQuantity', overload('is_quantity_string', [STRING], BOOL, isQuantityText)),
    declare(
      'sign',
      member('quantity_sign', [QUANTITY], INT, ({ value }: CelQuantity) => Math.sign(value.compare(ZERO)) + 0),
    ),
    declare('isGreaterThan', member('quantity_is_greater_than', [QUANTITY, QUANTITY], BOOL, isGreater)),
    declare('isLessThan', member('quantity_is_less_than', [QUANTITY, QUANTITY], BOOL, isLess)),
    declare('compareTo', member('quantity_compare_to', [QUANTITY, QUANTITY], INT, compare)),
    declare('asApproximateFloat', member('quantity_get_float', [QUANTITY], DOUBLE, asDouble)),
    declare('asInteger', member('quantity_get_int', [QUANTITY], INT, asInteger)),
    declare(
      'isInteger',
      member('quantity_is_integer', [QUANTITY], BOOL, ({ value }: CelQuantity) => isInteger(value)),
    ),
    declare(
      'add',
      member('quantity_add', [QUANTITY, QUANTITY], QUANTITY, (left: CelQuantity, right: CelQuantity) =>
        plus(left, right.value),
      ),
      member('quantity_add_int', [QUANTITY, INT], QUANTITY, (left: CelQuantity, right: number | bigint) =>
        plus(left, ofInt(right)),
      ),
    ),
    declare(
      'sub',
      member('quantity_sub', [QUANTITY, QUANTITY], QUANTITY, (left: CelQuantity, right: CelQuantity) =>
        minus(left, right.value),
      ),
      member('quantity_sub_int', [QUANTITY, INT], QUANTITY, (left: CelQuantity, right: number | bigint) =>
        minus(left, ofInt(right)),
      ),
    ),
  ],
};

const ZERO = new Quantity(0n, 'DecimalSI');

function toQuantity(text: string): CelQuantity {
  try {
    return new CelQuantity(parseQuantity(text));
  } catch (error) {
    if (error instanceof QuantityError) return fail(error.message);
    throw error;
  }
}

function isQuantityText(text: string): boolean {
  try {
    parseQuantity(text);
    return true;
  } catch (error) {
    if (error instanceof QuantityError) return false;
    throw error;
  }
}

function ofInt(value: number | bigint): Quantity {
  return new Quantity(BigInt(value) * NANOS_PER_UNIT, 'DecimalExponent');
}

function plus(left: CelQuantity, right: Quantity): CelQuantity {
  return new CelQuantity(left.value.add(right));
}

function minus(left: CelQuantity, right: Quantity): CelQuantity {
  return new CelQuantity(left.value.subtract(right));
}

function compare(left: CelQuantity, right: CelQuantity): number {
  return Math.sign(left.value.compare(right.value)) + 0;
}

function isGreater(left: CelQuantity, right: CelQuantity): boolean {
  return compare(left, right) > 0;
}

function isLess(left: CelQuantity, right: CelQuantity): boolean {
  return compare(left, right) < 0;
}

function isInteger({ nanos }: Quantity): boolean {
  const units = nanos / NANOS_PER_UNIT;
  return nanos % NANOS_PER_UNIT === 0n && units >= INT_MIN && units <= INT_MAX;
}

function asInteger({ value }: CelQuantity): number | bigint {
  if (!isInteger(value)) fail('cannot convert value to integer');
  return makeInt(value.nanos / NANOS_PER_UNIT);
}

function asDouble({ value }: CelQuantity): unknown {
  const units = value.nanos / NANOS_PER_UNIT;
  return makeDouble(Number(units) + Number(value.nanos % NANOS_PER_UNIT) / 1e9);
}
