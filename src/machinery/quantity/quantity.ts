/** Why a text is no quantity; the messages are upstream's. */
export class QuantityError extends Error {
  readonly code = 'QUANTITY';

  constructor(message: string) {
    super(message);
    this.name = 'QuantityError';
  }
}

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const FORMAT_MESSAGE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NUMERIC_MESSAGE = 'unable to parse numeric part of quantity';
const SUFFIX_MESSAGE = "unable to parse quantity's suffix";

/** Values are kept in nanos: nothing finer is representable, finer input is rounded away from zero. */
const NANO_DIGITS = 9;
const NANOS_PER_UNIT = 10n ** 9n;

/** Binary quantities are capped at the largest 64-bit integer. */
const BINARY_MAX_NANOS = (2n ** 63n - 1n) * NANOS_PER_UNIT;

/** Beyond this a number's digits would only fill memory. Upstream has no such limit. */
const EXPONENT_MAX = 1000;

const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;
const DECIMAL_SUFFIXES: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const DECIMAL_SUFFIX_BY_EXPONENT = new Map([...DECIMAL_SUFFIXES].map(([suffix, exponent]) => [exponent, suffix]));
const DECIMAL_EXPONENT_MAX = 18;

/** An exact number with a preferred way to write it (apimachinery `resource.Quantity`). Immutable. */
export class Quantity {
  /** The exact value in billionths. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
  #text: string | undefined;

  /** `text` is given where the parsed text is kept as it was written. */
  constructor(nanos: bigint, format: QuantityFormat, text?: string) {
    this.nanos = nanos;
    this.format = format;
    this.#text = text;
  }

  get isZero(): boolean {
    return this.nanos === 0n;
  }

  /** The sum; written like this quantity, or like the other where this is zero. */
  add(other: Quantity): Quantity {
    return new Quantity(this.nanos + other.nanos, this.isZero ? other.format : this.format);
  }

  subtract(other: Quantity): Quantity {
    return new Quantity(this.nanos - other.nanos, this.isZero ? other.format : this.format);
  }

  negate(): Quantity {
    return new Quantity(-this.nanos, this.format);
  }

  multiply(factor: number): Quantity {
    return new Quantity(this.nanos * BigInt(factor), this.format);
  }

  /** Negative, zero or positive, as this is less than, equal to or greater than the other. */
  compare(other: Quantity): number {
    if (this.nanos === other.nanos) return 0;
    return this.nanos < other.nanos ? -1 : 1;
  }

  /** Thousandths, rounded up (away from zero). */
  milliValue(): number {
    return Number(this.scaled(-3));
  }

  /** Whole units, rounded up (away from zero). */
  value(): number {
    return Number(this.scaled(0));
  }

  /** The value in units of 10^exponent (at least -9), rounded up (away from zero). */
  scaled(exponent: number): bigint {
    return divideUp(this.nanos, 10n ** BigInt(exponent + NANO_DIGITS));
  }

  /** A floating point approximation. */
  approximate(): number {
    return Number(this.nanos) / 1e9;
  }

  /** Rounded up to a multiple of 10^exponent, as resource lists are stored with thousandths at the finest. */
  roundUp(exponent: number): Quantity {
    return new Quantity(this.scaled(exponent) * 10n ** BigInt(exponent + NANO_DIGITS), this.format);
  }

  /** The canonical text: no fraction, the largest suffix that loses nothing. */
  toString(): string {
    this.#text ??= canonicalText(this.nanos, this.format);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}

export const ZERO_QUANTITY = new Quantity(0n, 'DecimalSI');

/** Quantities are immutable and the same few are parsed over and over; emptied when full. */
const recent = new Map<string, Quantity>();
const RECENT_MAX = 4096;

/** Parses `100m`, `1.5Gi`, `1e3`; throws `QuantityError`. */
export function parseQuantity(text: string | number): Quantity {
  const key = typeof text === 'number' ? String(text) : text;
  const known = recent.get(key);
  if (known !== undefined) return known;
  const quantity = parse(key);
  if (recent.size >= RECENT_MAX) recent.clear();
  recent.set(key, quantity);
  return quantity;
}

/** Whether a text (or a plain number) is a quantity. */
export function isQuantity(text: unknown): boolean {
  if (typeof text !== 'string' && typeof text !== 'number') return false;
  try {
    parseQuantity(text);
    return true;
  } catch (error) {
    if (error instanceof QuantityError) return false;
    throw error;
  }
}

/** A quantity of a number of units, such as bytes or cores. */
export function quantityOf(units: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  return new Quantity(BigInt(units) * NANOS_PER_UNIT, format);
}

/** A quantity of thousandths, such as millicores. */
export function quantityOfMillis(millis: number | bigint): Quantity {
  return new Quantity(BigInt(millis) * 1_000_000n, 'DecimalSI');
}

const PATTERN = /^([+-]?)([0-9]*)(\.?)([0-9]*)([eEinumkKMGTP]*[-+]?[0-9]*)$/;

function parse(text: string): Quantity {
  const match = PATTERN.exec(text);
  if (match === null) throw new QuantityError(FORMAT_MESSAGE);
  const [, sign = '', whole = '', point = '', fraction = '', suffix = ''] = match;
  if (whole === '' && point === '') throw new QuantityError(FORMAT_MESSAGE);
  const { base, exponent, format } = interpretSuffix(suffix);
  const digits = BigInt(`0${whole}${fraction}`);
  const magnitude =
    base === 2
      ? scaleByTen(digits << BigInt(exponent), NANO_DIGITS - fraction.length)
      : scaleByTen(digits, NANO_DIGITS - fraction.length + exponent);
  const capped = format === 'BinarySI' && magnitude > BINARY_MAX_NANOS ? BINARY_MAX_NANOS : magnitude;
  // A binary suffix cannot write less than one.
  const isFraction = capped > 0n && capped < NANOS_PER_UNIT;
  const kept = keepsText({ format, exponent, whole, fraction }) ? text : undefined;
  return new Quantity(
    sign === '-' ? -capped : capped,
    format === 'BinarySI' && isFraction ? 'DecimalSI' : format,
    kept,
  );
}

function interpretSuffix(suffix: string): { base: 2 | 10; exponent: number; format: QuantityFormat } {
  const decimal = DECIMAL_SUFFIXES.get(suffix);
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: 'DecimalSI' };
  const binary = BINARY_SUFFIXES.findIndex((candidate) => candidate === suffix);
  if (binary > 0) return { base: 2, exponent: binary * 10, format: 'BinarySI' };
  if (!/^[eE][-+]?[0-9]+$/.test(suffix)) throw new QuantityError(SUFFIX_MESSAGE);
  const exponent = Number(suffix.slice(1));
  if (Math.abs(exponent) > EXPONENT_MAX) throw new QuantityError(NUMERIC_MESSAGE);
  return { base: 10, exponent, format: 'DecimalExponent' };
}

/** What upstream computes with 64-bit integers, and only then keeps the text of. */
const DECIMAL_TEXT_DIGITS = 18;
const BINARY_TEXT_DIGITS = 15;

interface ParsedParts {
  format: QuantityFormat;
  exponent: number;
  whole: string;
  fraction: string;
}

/** Upstream keeps the text of what looks canonical at a glance (so `1.500` stays, `1.5` does not). */
function keepsText({ format, exponent, whole, fraction }: ParsedParts): boolean {
  const significant = whole.replace(/^0+/, '');
  const digits = `${significant === '' ? '0' : significant}${fraction}`;
  if (format === 'BinarySI') {
    const isShort = digits.length + Math.floor((exponent * 3) / 10) < BINARY_TEXT_DIGITS;
    return isShort && fraction === '' && (Number(digits) & 7) !== 0;
  }
  const scale = exponent - fraction.length;
  const isShort = digits.length <= DECIMAL_TEXT_DIGITS && scale >= -NANO_DIGITS;
  return isShort && scale % 3 === 0 && !digits.endsWith('000') && !digits.startsWith('0');
}

function scaleByTen(value: bigint, exponent: number): bigint {
  return exponent >= 0 ? value * 10n ** BigInt(exponent) : divideUp(value, 10n ** BigInt(-exponent));
}

/** Division that rounds away from zero. */
function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (quotient * divisor === value) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

function canonicalText(nanos: bigint, format: QuantityFormat): string {
  if (nanos === 0n) return '0';
  if (format === 'BinarySI') {
    const units = nanos / NANOS_PER_UNIT;
    const isWhole = units * NANOS_PER_UNIT === nanos;
    if (isWhole && (units <= -1024n || units >= 1024n)) return binaryText(units);
  }
  return decimalText(nanos, format);
}

function binaryText(units: bigint): string {
  let value = units;
  let step = 0;
  while (step < BINARY_SUFFIXES.length - 1 && (value & 1023n) === 0n) {
    value >>= 10n;
    step += 1;
  }
  return `${value}${BINARY_SUFFIXES[step]}`;
}

function decimalText(nanos: bigint, format: QuantityFormat): string {
  const digits = nanos.toString();
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 48) end -= 1;
  let exponent = digits.length - end - NANO_DIGITS;
  exponent -= ((exponent % 3) + 3) % 3;
  if (format === 'DecimalExponent') {
    const mantissa = digits.slice(0, digits.length - exponent - NANO_DIGITS);
    return exponent === 0 ? mantissa : `${mantissa}e${exponent}`;
  }
  exponent = Math.min(exponent, DECIMAL_EXPONENT_MAX);
  return `${digits.slice(0, digits.length - exponent - NANO_DIGITS)}${DECIMAL_SUFFIX_BY_EXPONENT.get(exponent)}`;
}
