import { toText } from '../values/convert.ts';
import { compareStrings } from '../values/equality.ts';
import { isMapLike, mapGet, mapKeys } from '../values/maps.ts';
import { doubleValue, isDouble } from '../values/numbers.ts';
import { typeOf } from '../values/type-of.ts';
import { CelTypeValue } from '../values/value.ts';

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';
const NESTED_PRECISION = 6;

/** `1234.500000`. */
export function plainFixed(value: number, precision: number): string {
  return Number.isFinite(value) ? roundedFixed(value, precision) : nameOf(value, 'Infinity');
}

/** `1,234.500000`. */
export function localizedFixed(value: number, precision: number): string {
  if (!Number.isFinite(value)) return nameOf(value, '∞');
  const [whole = '', fraction] = roundedFixed(value, precision).split('.');
  const grouped = whole.replaceAll(/\B(?=(?:[0-9]{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** `1.234500e+03`. */
export function plainExponential(value: number, precision: number): string {
  if (!Number.isFinite(value)) return nameOf(value, 'Infinity');
  const { mantissa, sign, digits } = exponential(value, precision);
  return `${mantissa}e${sign}${digits}`;
}

/** `1.234500×10⁰³`. */
export function localizedExponential(value: number, precision: number): string {
  if (!Number.isFinite(value)) return nameOf(value, '∞');
  const { mantissa, sign, digits } = exponential(value, precision);
  const raised = Array.from(digits, (digit) => SUPERSCRIPTS.charAt(Number(digit))).join('');
  return `${mantissa}×10${sign === '-' ? '⁻' : ''}${raised}`;
}

function exponential(value: number, precision: number): { mantissa: string; sign: string; digits: string } {
  const [mantissa = '', exponent = '+0'] = value.toExponential(precision).split('e');
  return { mantissa, sign: exponent.charAt(0), digits: exponent.slice(1).padStart(2, '0') };
}

function nameOf(value: number, infinity: string): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? infinity : `-${infinity}`;
}

/** Exact halves go to the even digit, as in Go; `toFixed` takes them up. */
function roundedFixed(value: number, precision: number): string {
  if (Math.abs(value) >= 1e21) return BigInt(value).toString() + (precision === 0 ? '' : `.${'0'.repeat(precision)}`);
  const scaled = value * 10 ** precision;
  const isHalf = precision < 16 && Math.abs(scaled) < 2 ** 52 && Math.abs(scaled) % 1 === 0.5;
  return isHalf ? ((2 * Math.round(scaled / 2)) / 10 ** precision).toFixed(precision) : value.toFixed(precision);
}

/** A list or map with what is in it; `bad` is called for a value that cannot be shown. */
export function nestedTexts(value: unknown, style: 'localized' | 'plain', bad: (value: unknown) => never): string {
  const nested = (inner: unknown): string => {
    if (Array.isArray(inner)) return `[${inner.map(nested).join(', ')}]`;
    if (typeOf(inner).kind === 'map') return mapText(inner, nested, style === 'plain' ? ': ' : ':');
    return style === 'plain' ? plainElement(inner, bad) : quotedElement(inner, bad);
  };
  return nested(value);
}

function mapText(map: unknown, nested: (value: unknown) => string, separator: string): string {
  if (!isMapLike(map)) return '{}';
  const pairs = mapKeys(map).map((key) => [nested(key), nested(mapGet(map, key))] as const);
  const sorted = pairs.toSorted(([left], [right]) => compareStrings(left, right));
  return `{${sorted.map(([key, value]) => `${key}${separator}${value}`).join(', ')}}`;
}

function plainElement(value: unknown, bad: (value: unknown) => never): string {
  if (value === null) return 'null';
  if (value instanceof CelTypeValue) return value.value.name;
  if (isDouble(value) && !Number.isFinite(doubleValue(value))) return nameOf(doubleValue(value), 'Infinity');
  return isText(value) ? toText(value) : bad(value);
}

/** Strings in quotes, bytes and times as one would write them. */
function quotedElement(value: unknown, bad: (value: unknown) => never): string {
  switch (typeOf(value).kind) {
    case 'null':
      return 'null';
    case 'string':
      return JSON.stringify(value);
    case 'bytes':
      return `b${JSON.stringify(toText(value))}`;
    case 'timestamp':
      return `timestamp(${JSON.stringify(toText(value))})`;
    case 'duration':
      return `duration(${JSON.stringify(toText(value))})`;
    case 'double':
      return isDouble(value) ? quotedDouble(doubleValue(value)) : bad(value);
    case 'type':
      return value instanceof CelTypeValue ? value.value.name : bad(value);
    default:
      return isText(value) ? toText(value) : bad(value);
  }
}

function quotedDouble(value: number): string {
  if (Number.isFinite(value)) return plainFixed(value, NESTED_PRECISION);
  return JSON.stringify(Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf');
}

function isText(value: unknown): boolean {
  const { kind } = typeOf(value);
  return ['int', 'uint', 'bool', 'string', 'bytes', 'double', 'timestamp', 'duration'].includes(kind);
}
