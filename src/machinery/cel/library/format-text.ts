import { celError, fail } from '../errors.ts';
import { toText } from '../values/convert.ts';
import { doubleValue, isDouble, isInt } from '../values/numbers.ts';
import { typeOf } from '../values/type-of.ts';
import { CelTypeValue, CelUint } from '../values/value.ts';
import { localizedExponential, localizedFixed, nestedTexts, plainExponential, plainFixed } from './format-styles.ts';

/**
 * How numbers and collections look. The string extension's versions before 4, which Kubernetes has, write numbers as
 * English readers do (`1,234.500000`, `3.14×10⁰⁰`) and quote what lists hold; later ones write them as C does.
 */
export type FormatStyle = 'localized' | 'plain';

export interface FormatClause {
  /** One of s, d, f, e, b, o, x and X. */
  readonly verb: string;
  readonly precision: number;
}

type Part = string | FormatClause;

const DEFAULT_PRECISION = 6;
/** JavaScript prints no more decimals than this. */
const PRECISION_MAX = 100;
const VERBS = 'sdfebxXo';

/** `'%s is %d'.format([name, count])`. */
export function formatText(pattern: string, args: readonly unknown[], style: FormatStyle): string {
  let out = '';
  let used = 0;
  for (const part of parseFormat(pattern)) {
    if (typeof part === 'string') {
      out += part;
      continue;
    }
    if (used >= args.length) fail(`index ${used} out of range`);
    out += formatClause(part, args[used++], style);
  }
  return out;
}

/** The pattern's literal parts and clauses in order. Fails for a bad pattern. */
export function parseFormat(pattern: string): Part[] {
  const parts: Part[] = [];
  for (let index = 0; index < pattern.length; ) {
    if (pattern[index] !== '%') {
      const next = pattern.indexOf('%', index);
      const end = next === -1 ? pattern.length : next;
      parts.push(pattern.slice(index, end));
      index = end;
    } else if (pattern[index + 1] === '%') {
      parts.push('%');
      index += 2;
    } else {
      const { clause, end } = clauseAt(pattern, index + 1);
      parts.push(clause);
      index = end;
    }
  }
  return parts;
}

function clauseAt(pattern: string, start: number): { clause: FormatClause; end: number } {
  if (start >= pattern.length) fail('unexpected end of string');
  let index = start;
  let precision = DEFAULT_PRECISION;
  if (pattern[index] === '.') {
    const digits = /^[0-9]*/.exec(pattern.slice(index + 1, index + 10))?.[0] ?? '';
    if (digits === '')
      fail('could not parse formatting clause: error while parsing precision: precision must be a number');
    precision = Number(digits);
    index += 1 + digits.length;
  }
  const verb = pattern.charAt(index);
  if (verb === '') fail('could not parse formatting clause: unexpected end of string');
  if (!VERBS.includes(verb)) fail(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  return { clause: { verb, precision: Math.min(precision, PRECISION_MAX) }, end: index + 1 };
}

function formatClause({ verb, precision }: FormatClause, arg: unknown, style: FormatStyle): string {
  switch (verb) {
    case 's':
      return displayText(arg, style);
    case 'd':
      return decimal(arg, style);
    case 'f':
      return (style === 'plain' ? plainFixed : localizedFixed)(asDouble(arg, 'f', style), precision);
    case 'e':
      return (style === 'plain' ? plainExponential : localizedExponential)(asDouble(arg, 'e', style), precision);
    case 'b':
      return typeof arg === 'boolean' ? String(Number(arg)) : (integerText(arg, 2) ?? mismatch('b', arg));
    case 'x':
      return hexadecimal(arg);
    case 'X':
      return hexadecimal(arg).toUpperCase();
    default:
      return integerText(arg, 8) ?? mismatch('o', arg);
  }
}

const MISMATCHES: Readonly<Record<string, string>> = {
  s: 'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
  d: 'decimal clause can only be used on integers',
  f: 'fixed-point clause can only be used on doubles',
  e: 'scientific clause can only be used on doubles',
  b: 'only integers and bools can be formatted as binary',
  x: 'only integers, byte buffers, and strings can be formatted as hex',
  X: 'only integers, byte buffers, and strings can be formatted as hex',
  o: 'octal clause can only be used on integers',
};

/** What is said of an argument that a clause cannot show. */
export function mismatchText(verb: string, typeName: string): string {
  return `error during formatting: ${MISMATCHES[verb] ?? ''}, was given ${typeName}`;
}

function mismatch(verb: string, arg: unknown): never {
  throw celError(mismatchText(verb, typeOf(arg).name));
}

function displayText(arg: unknown, style: FormatStyle): string {
  const { kind } = typeOf(arg);
  switch (kind) {
    case 'null':
      return 'null';
    case 'list':
    case 'map':
      return nestedTexts(arg, style, (value) => mismatch('s', value));
    case 'double':
      return style === 'plain' ? doubleName(arg) : toText(arg);
    case 'type':
      return arg instanceof CelTypeValue ? arg.value.name : mismatch('s', arg);
    case 'int':
    case 'uint':
    case 'bool':
    case 'string':
    case 'bytes':
    case 'timestamp':
    case 'duration':
      return toText(arg);
    default:
      return mismatch('s', arg);
  }
}

function doubleName(arg: unknown): string {
  const value = isDouble(arg) ? doubleValue(arg) : Number.NaN;
  if (Number.isFinite(value)) return toText(arg);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}

function decimal(arg: unknown, style: FormatStyle): string {
  const isName = style === 'plain' && isDouble(arg) && !Number.isFinite(doubleValue(arg));
  return integerText(arg, 10) ?? (isName ? doubleName(arg) : mismatch('d', arg));
}

/** Doubles, and the names of those that are no numbers; later versions admit integers too. */
function asDouble(arg: unknown, verb: string, style: FormatStyle): number {
  if (isDouble(arg)) return doubleValue(arg);
  if (arg === 'NaN') return Number.NaN;
  if (arg === 'Infinity') return Infinity;
  if (arg === '-Infinity') return -Infinity;
  if (style === 'plain' && isInt(arg)) return Number(arg);
  return style === 'plain' && arg instanceof CelUint ? Number(arg.value) : mismatch(verb, arg);
}

function hexadecimal(arg: unknown): string {
  const bytes = typeof arg === 'string' ? new TextEncoder().encode(arg) : arg;
  if (bytes instanceof Uint8Array) return Buffer.from(bytes).toString('hex');
  return integerText(arg, 16) ?? mismatch('x', arg);
}

function integerText(arg: unknown, base: number): string | undefined {
  if (isInt(arg)) return arg.toString(base);
  return arg instanceof CelUint ? arg.value.toString(base) : undefined;
}
