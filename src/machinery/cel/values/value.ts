import { type CelType, DURATION, optionalType, DYN, TIMESTAMP, UINT, DOUBLE } from '../types/type.ts';
import { fail } from '../errors.ts';

/*
 * How values are represented, chosen so that decoded JSON needs no conversion:
 *
 *   null, bool, string   themselves
 *   int                  a number where it is a safe integer, otherwise a bigint (never the other way round)
 *   double               a number where it is no integer (NaN and the infinities included), otherwise a `CelDouble`
 *   uint                 a `CelUint`
 *   bytes                a Uint8Array
 *   list                 an array
 *   map, object          a plain object, or a `CelMap` where a literal or a macro made it
 *   everything else      an instance of `CelValue`
 */

/** Base of the values that JSON does not have. */
export abstract class CelValue {
  /** The run-time type, without parameters that are not known. */
  abstract readonly type: CelType;

  /** Whether the other value is the same; asked only of values of the same type name. */
  abstract isEqual(other: CelValue): boolean;
}

/** A double whose value is an integer, negative zero included. */
export class CelDouble extends CelValue {
  readonly value: number;

  constructor(value: number) {
    super();
    this.value = value;
  }

  get type(): CelType {
    return DOUBLE;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelDouble && other.value === this.value;
  }
}

/** An unsigned 64-bit integer. */
export class CelUint extends CelValue {
  readonly value: bigint;

  constructor(value: bigint) {
    super();
    this.value = value;
  }

  get type(): CelType {
    return UINT;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelUint && other.value === this.value;
  }
}

export class CelDuration extends CelValue {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    super();
    this.nanos = nanos;
  }

  get type(): CelType {
    return DURATION;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelDuration && other.nanos === this.nanos;
  }
}

/** A moment. The offset of the text that it was read from is kept, because converting it to a string shows it again. */
export class CelTimestamp extends CelValue {
  /** Nanoseconds since 1970, UTC. */
  readonly nanos: bigint;
  readonly offsetMinutes: number;

  constructor(nanos: bigint, offsetMinutes = 0) {
    super();
    this.nanos = nanos;
    this.offsetMinutes = offsetMinutes;
  }

  get type(): CelType {
    return TIMESTAMP;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelTimestamp && other.nanos === this.nanos;
  }
}

const TYPE_OF_TYPES: CelType = { kind: 'type', name: 'type', parameters: [], display: 'type', isNullable: false };

/** A type as a value: `int`, `type(x)`. Types are the same where their names are. */
export class CelTypeValue extends CelValue {
  readonly value: CelType;

  constructor(value: CelType) {
    super();
    this.value = value;
  }

  get type(): CelType {
    return TYPE_OF_TYPES;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelTypeValue && other.value.name === this.value.name;
  }
}

const OPTIONAL_DYN = optionalType(DYN);

/** A value that may be absent. */
export class CelOptional extends CelValue {
  static readonly NONE = new CelOptional({ isPresent: false, value: undefined });

  readonly isPresent: boolean;
  readonly #value: unknown;
  readonly #isValueEqual: (left: unknown, right: unknown) => boolean;

  private constructor(
    content: { isPresent: boolean; value: unknown },
    isValueEqual: (left: unknown, right: unknown) => boolean = Object.is,
  ) {
    super();
    this.isPresent = content.isPresent;
    this.#value = content.value;
    this.#isValueEqual = isValueEqual;
  }

  /** `isValueEqual` is CEL's equality, handed in because it is defined in terms of this class. */
  static of(value: unknown, isValueEqual: (left: unknown, right: unknown) => boolean): CelOptional {
    return new CelOptional({ isPresent: true, value }, isValueEqual);
  }

  get type(): CelType {
    return OPTIONAL_DYN;
  }

  /** Fails where there is none. */
  get value(): unknown {
    if (!this.isPresent) fail('optional.none() dereference');
    return this.#value;
  }

  isEqual(other: CelValue): boolean {
    if (!(other instanceof CelOptional) || other.isPresent !== this.isPresent) return false;
    return !this.isPresent || this.#isValueEqual(this.#value, other.#value);
  }
}

/** A typed object made by an expression (`Object.spec{replicas: 1}`), or one whose fields are computed when asked for. */
export abstract class CelStruct extends CelValue {
  /** The names of the fields that are set. */
  abstract fieldNames(): readonly string[];
  abstract has(field: string): boolean;
  /** Undefined where the field is not set. */
  abstract get(field: string): unknown;
}
