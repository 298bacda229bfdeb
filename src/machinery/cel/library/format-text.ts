import { celError, fail } from '../errors.ts';
import { toText } from '../values/convert.ts';
import { isMapLike, type MapLike, mapGet, mapKeys } from '../values/maps.ts';
import { compareStrings } from '../values/equality.ts';
import { doubleValue, isDouble, isInt } from '../values/numbers.ts';
import { formatDuration, formatTimestamp } from '../values/time.ts';
import { typeOf } from '../values/type-of.ts';
import { CelDuration, CelTimestamp, CelTypeValue, CelUint } from '../values/value.ts';

const DEFAULT_PRECISION = 6;
/** JavaScript prints no more decimals than this. */
const PRECISION_MAX = 100;

/** `'%s is %d'.format([name, count])`: the clauses d, s, f, e, b, o, x and X, with a precision for f and e. */
export function formatText(pattern: string, args: readonly unknown[]): string {
  let out = '';
  let used = 0;
  for (let index = 0; index < pattern.length; ) {
    if (pattern[index] !== '%') {
      const next = pattern.indexOf('%', index);
      const end = next === -1 ? pattern.length : next;
      out += pattern.slice(index, end);
      index = end;
      continue;
    }
    if (pattern[index + 1] === '%') {
      out += '%';
      index += 2;
      continue;
    }
    if (index + 1 >= pattern.length) fail('unexpected end of string');
    if (used >= args.length) fail(`index ${used} out of range`);
    const clause = clauseAt(pattern, index + 1);
    out += formatClause(clause, args[used++]);
    index = clause.end;
  }
  if (used < args.length) fail(`too many arguments supplied to string.format (expected ${used}, got ${args.length})`);
  return out;
}

interface Clause {
  readonly verb: string;
  readonly precision: number;
  readonly end: number;
}

function clauseAt(pattern: string, start: number): Clause {
  let index = start;
  let precision = DEFAULT_PRECISION;
  if (pattern[index] === '.') {
    const digits = /^[0-9]*/.exec(pattern.slice(index + 1))?.[0] ?? '';
    if (digits === '')
      fail('could not parse formatting clause: error while parsing precision: precision must be a number');
    precision = Number(digits);
    index += 1 + digits.length;
  }
  const verb = pattern[index];
  if (verb === undefined) return fail('could not parse formatting clause: unexpected end of string');
  return { verb, precision: Math.min(precision, PRECISION_MAX), end: index + 1 };
}

function formatClause({ verb, precision }: Clause, arg: unknown): string {
  switch (verb) {
    case 's':
      return displayText(arg);
    case 'd':
      return decimal(arg);
    case 'f':
      return fixed(arg, precision);
    case 'e':
      return exponential(arg, precision);
    case 'b':
      return binary(arg);
    case 'x':
      return hexadecimal(arg);
    case 'X':
      return hexadecimal(arg).toUpperCase();
    case 'o':
      return octal(arg);
    default:
      return fail(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

function formatError(message: string, arg: unknown): never {
  throw celError(`error during formatting: ${message}, was given ${typeOf(arg).name}`);
}

function displayText(arg: unknown): string {
  if (arg === null) return 'null';
  if (Array.isArray(arg)) return `[${arg.map((element) => nestedText(element)).join(', ')}]`;
  if (arg instanceof CelTypeValue) return arg.value.name;
  if (isDouble(arg)) return doubleText(doubleValue(arg));
  if (isMapLike(arg) && typeOf(arg).kind === 'map') return mapText(arg);
  switch (typeOf(arg).kind) {
    case 'int':
    case 'uint':
    case 'bool':
    case 'string':
    case 'bytes':
    case 'timestamp':
    case 'duration':
      return toText(arg);
    default:
      return formatError(
        'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
        arg,
      );
  }
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value)
    ? toText(value === Math.trunc(value) ? value : value)
    : value > 0
      ? 'Infinity'
      : '-Infinity';
}

function mapText(map: MapLike): string {
  const pairs = mapKeys(map).map((key) => [nestedText(key), nestedText(mapGet(map, key))] as const);
  const sorted = pairs.toSorted(([left], [right]) => compareStrings(left, right));
  return `{${sorted.map(([key, value]) => `${key}: ${value}`).join(', ')}}`;
}

function nestedText(value: unknown): string {
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof CelDuration) return formatDuration(value);
  return displayText(value);
}

function decimal(arg: unknown): string {
  if (isInt(arg)) return String(arg);
  if (arg instanceof CelUint) return String(arg.value);
  if (isDouble(arg) && !Number.isFinite(doubleValue(arg))) return doubleText(doubleValue(arg));
  return formatError('decimal clause can only be used on integers', arg);
}

/** Doubles, and the names of those that are no numbers. */
function asDouble(arg: unknown, clause: string): number {
  if (isDouble(arg)) return doubleValue(arg);
  if (isInt(arg)) return Number(arg);
  if (arg instanceof CelUint) return Number(arg.value);
  if (arg === 'NaN') return Number.NaN;
  if (arg === 'Infinity') return Infinity;
  return arg === '-Infinity' ? -Infinity : formatError(`${clause} clause can only be used on doubles`, arg);
}

function fixed(arg: unknown, precision: number): string {
  const value = asDouble(arg, 'fixed-point');
  return Number.isFinite(value) ? roundedFixed(value, precision) : doubleText(value);
}

/** Rounds halves to even as C and Go do on the exact value; `toFixed` rounds the exact value's halves up. */
function roundedFixed(value: number, precision: number): string {
  if (Math.abs(value) >= 1e21) return BigInt(value).toString() + (precision === 0 ? '' : `.${'0'.repeat(precision)}`);
  const text = value.toFixed(precision);
  const isHalf = precision < 20 && Math.abs(value * 10 ** precision) % 1 === 0.5;
  if (!isHalf) return text;
  const scaled = value * 10 ** precision;
  const even = 2 * Math.round(scaled / 2);
  return (even / 10 ** precision).toFixed(precision);
}

function exponential(arg: unknown, precision: number): string {
  const value = asDouble(arg, 'scientific');
  if (!Number.isFinite(value)) return doubleText(value);
  const [mantissa = '', exponent = '+0'] = value.toExponential(precision).split('e');
  return `${mantissa}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, '0')}`;
}

function binary(arg: unknown): string {
  if (typeof arg === 'boolean') return arg ? '1' : '0';
  return integerText(arg, 2) ?? formatError('only integers and bools can be formatted as binary', arg);
}

function octal(arg: unknown): string {
  return integerText(arg, 8) ?? formatError('octal clause can only be used on integers', arg);
}

function hexadecimal(arg: unknown): string {
  if (typeof arg === 'string') return bytesHex(new TextEncoder().encode(arg));
  if (arg instanceof Uint8Array) return bytesHex(arg);
  return integerText(arg, 16) ?? formatError('only integers, byte buffers, and strings can be formatted as hex', arg);
}

function bytesHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function integerText(arg: unknown, base: number): string | undefined {
  if (isInt(arg)) return arg.toString(base);
  return arg instanceof CelUint ? arg.value.toString(base) : undefined;
}
