import { fail } from '../errors.ts';
import { type CelType } from '../types/type.ts';
import { doubleValue, INT_MAX, INT_MIN, isDouble, isInt, makeDouble, makeInt, makeUint, UINT_MAX } from './numbers.ts';
import {
  formatDuration,
  formatTimestamp,
  parseDuration,
  parseTimestamp,
  secondsOf,
  timestampFromSeconds,
} from './time.ts';
import { typeOf } from './type-of.ts';
import { CelDouble, CelDuration, CelTimestamp, CelTypeValue, CelUint } from './value.ts';

const TRUE_TEXTS: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE_TEXTS: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
const FLOAT = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const INFINITY = /^[+-]?inf(?:inity)?$/i;

export function toInt(value: unknown): number | bigint {
  if (isInt(value)) return value;
  if (value instanceof CelUint) return value.value > INT_MAX ? fail('integer overflow') : makeInt(value.value);
  if (isDouble(value)) {
    const number = doubleValue(value);
    // The bounds are exclusive: the doubles next to them are no exact ints.
    if (!(number > -9_223_372_036_854_775_808 && number < 9_223_372_036_854_775_808)) fail('integer overflow');
    return makeInt(BigInt(Math.trunc(number)));
  }
  if (value instanceof CelTimestamp) return makeInt(secondsOf(value));
  if (value instanceof CelDuration) return makeInt(value.nanos);
  if (typeof value === 'string' && /^[+-]?[0-9]+$/.test(value)) {
    const parsed = BigInt(value.replace('+', ''));
    if (parsed >= INT_MIN && parsed <= INT_MAX) return makeInt(parsed);
  }
  return conversionError(value, 'int');
}

export function toUint(value: unknown): CelUint {
  if (value instanceof CelUint) return value;
  if (isInt(value)) return makeUint(BigInt(value));
  if (isDouble(value)) {
    const number = doubleValue(value);
    if (!(number >= 0 && number < 18_446_744_073_709_551_616)) fail('unsigned integer overflow');
    return makeUint(BigInt(Math.trunc(number)));
  }
  if (typeof value === 'string' && /^[0-9]+$/.test(value)) {
    const parsed = BigInt(value);
    if (parsed <= UINT_MAX) return new CelUint(parsed);
  }
  return conversionError(value, 'uint');
}

export function toDouble(value: unknown): number | CelDouble {
  if (isDouble(value)) return value;
  if (isInt(value)) return makeDouble(Number(value));
  if (value instanceof CelUint) return makeDouble(Number(value.value));
  if (typeof value === 'string') {
    if (FLOAT.test(value)) {
      const parsed = Number(value);
      if (Number.isFinite(parsed)) return makeDouble(parsed);
    }
    if (INFINITY.test(value)) return value.startsWith('-') ? -Infinity : Infinity;
    if (/^nan$/i.test(value)) return Number.NaN;
  }
  return conversionError(value, 'double');
}

export function toBool(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') {
    if (TRUE_TEXTS.has(value)) return true;
    if (FALSE_TEXTS.has(value)) return false;
  }
  return conversionError(value, 'bool');
}

export function toText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'number':
      return Number.isInteger(value) ? String(value) : formatDouble(value);
    default:
      break;
  }
  if (value instanceof CelDouble) return formatDouble(value.value);
  if (value instanceof CelUint) return String(value.value);
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof CelDuration) return formatDuration(value);
  if (value instanceof Uint8Array) return decodeUtf8(value);
  return conversionError(value, 'string');
}

export function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' ? new TextEncoder().encode(value) : conversionError(value, 'bytes');
}

export function toTimestamp(value: unknown): CelTimestamp {
  if (value instanceof CelTimestamp) return value;
  if (isInt(value)) return timestampFromSeconds(BigInt(value));
  const parsed = typeof value === 'string' ? parseTimestamp(value) : undefined;
  return parsed ?? conversionError(value, 'google.protobuf.Timestamp');
}

export function toDuration(value: unknown): CelDuration {
  if (value instanceof CelDuration) return value;
  const parsed = typeof value === 'string' ? parseDuration(value) : undefined;
  return parsed ?? conversionError(value, 'google.protobuf.Duration');
}

export function toType(value: unknown): CelTypeValue {
  return new CelTypeValue(typeOf(value));
}

export function typeValue(type: CelType): CelTypeValue {
  return new CelTypeValue(type);
}

/** The shortest digits that give the double again, with an exponent from 1e+06 and below 1e-04 (Go's `%g`). */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  return exponent < -4 || exponent >= 6 ? scientific(mantissa, exponent) : String(value);
}

function scientific(mantissa: string, exponent: number): string {
  const sign = exponent < 0 ? '-' : '+';
  return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('invalid UTF-8 in bytes, cannot convert to string');
  }
}

function conversionError(value: unknown, target: string): never {
  return fail(`type conversion error from '${typeOf(value).name}' to '${target}'`);
}
