import { fail } from '../errors.ts';
import { codePointCount } from '../syntax/source.ts';
import { DYN, INT, listType, STRING } from '../types/type.ts';
import type { CelLibrary } from '../environment.ts';
import { declare, type FunctionDeclaration, type Implementation, member, overload } from './declaration.ts';
import { type FormatStyle, formatText } from './format-text.ts';

/** Results beyond this many UTF-16 units end the evaluation. */
const TEXT_LENGTH_MAX = 16 * 1024 * 1024;

/**
 * The string extensions. Version 0 has the basic functions, 1 adds `format` and `strings.quote`, 2 `join`, 3 `reverse`; 4 formats numbers as C does.
 * Positions count code points.
 */
export function stringsLibrary(version: number): CelLibrary {
  return {
    functions: [
      declare('charAt', member('string_char_at_int', [STRING, INT], STRING, charAt)),
      ...searches(),
      ...transformations(),
      ...(version >= 1 ? formatting(version >= 4 ? 'plain' : 'localized') : []),
      ...(version >= 2 ? joining() : []),
      ...(version >= 3 ? [declare('reverse', member('string_reverse', [STRING], STRING, reverse))] : []),
    ],
  };
}

function searches(): FunctionDeclaration[] {
  const search = (name: string, id: string, call: Implementation): FunctionDeclaration =>
    declare(
      name,
      member(`string_${id}_of_string`, [STRING, STRING], INT, call),
      member(`string_${id}_of_string_int`, [STRING, STRING, INT], INT, call),
    );
  return [search('indexOf', 'index', indexOf), search('lastIndexOf', 'last_index', lastIndexOf)];
}

function transformations(): FunctionDeclaration[] {
  const texts = listType(STRING);
  const transform = (name: string, id: string, call: (text: string) => string): FunctionDeclaration =>
    declare(name, member(id, [STRING], STRING, call));
  return [
    transform('lowerAscii', 'string_lower_ascii', (text) => text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase())),
    transform('upperAscii', 'string_upper_ascii', (text) => text.replaceAll(/[a-z]+/g, (part) => part.toUpperCase())),
    transform('trim', 'string_trim', trim),
    declare(
      'replace',
      member('string_replace_string_string', [STRING, STRING, STRING], STRING, replace),
      member('string_replace_string_string_int', [STRING, STRING, STRING, INT], STRING, replace),
    ),
    declare(
      'split',
      member('string_split_string', [STRING, STRING], texts, split),
      member('string_split_string_int', [STRING, STRING, INT], texts, split),
    ),
    declare(
      'substring',
      member('string_substring_int', [STRING, INT], STRING, substring),
      member('string_substring_int_int', [STRING, INT, INT], STRING, substring),
    ),
  ];
}

function formatting(style: FormatStyle): FunctionDeclaration[] {
  const format = (pattern: string, args: readonly unknown[]): string => formatText(pattern, args, style);
  return [
    declare('format', member('string_format', [STRING, listType(DYN)], STRING, format)),
    declare('strings.quote', overload('strings_quote', [STRING], STRING, quote)),
  ];
}

function joining(): FunctionDeclaration[] {
  const texts = listType(STRING);
  return [
    declare(
      'join',
      member('list_join', [texts], STRING, join),
      member('list_join_string', [texts, STRING], STRING, join),
    ),
  ];
}

function charAt(text: string, index: number | bigint): string {
  const characters = Array.from(text);
  const at = Number(index);
  if (at < 0 || at > characters.length) fail(`index out of range: ${index}`);
  return characters[at] ?? '';
}

function indexOf(text: string, part: string, offset: number | bigint = 0): number {
  const from = Number(offset);
  if (from < 0) fail(`index out of range: ${offset}`);
  const characters = Array.from(text);
  if (part === '') return Math.min(from, characters.length);
  if (from >= characters.length) return -1;
  const start = characters.slice(0, from).join('').length;
  const found = text.indexOf(part, start);
  return found === -1 ? -1 : from + codePointCount(text.slice(start, found));
}

function lastIndexOf(text: string, part: string, offset?: number | bigint): number {
  const characters = Array.from(text);
  if (offset === undefined) {
    if (part === '') return characters.length;
    const found = text.lastIndexOf(part);
    return found === -1 ? -1 : codePointCount(text.slice(0, found));
  }
  const from = Number(offset);
  if (from < 0) fail(`index out of range: ${offset}`);
  if (part === '') return Math.min(from, characters.length);
  if (from >= characters.length) return -1;
  const found = text.lastIndexOf(part, characters.slice(0, from).join('').length);
  return found === -1 ? -1 : codePointCount(text.slice(0, found));
}

/** Unicode's white space, to which JavaScript adds the byte order mark. */
const SPACE = '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const LEADING_SPACE = new RegExp(`^${SPACE}+`);
const TRAILING_SPACE = new RegExp(`${SPACE}$`);

function trim(text: string): string {
  const start = LEADING_SPACE.exec(text)?.[0].length ?? 0;
  let end = text.length;
  while (end > start && TRAILING_SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

function replace(text: string, from: string, to: string, limit: number | bigint = -1): string {
  const count = Number(limit);
  if (count === 0 || from === to) return text;
  const pieces = from === '' ? ['', ...Array.from(text), ''] : text.split(from);
  const isAll = count < 0 || count >= pieces.length - 1;
  const replaced = isAll ? pieces.length - 1 : count;
  if (text.length + replaced * to.length > TEXT_LENGTH_MAX) fail('string too long');
  if (isAll) return pieces.join(to);
  const head = pieces.slice(0, count + 1).join(to);
  return head + from + pieces.slice(count + 1).join(from);
}

function split(text: string, separator: string, limit: number | bigint = -1): string[] {
  const count = Number(limit);
  if (count === 0) return [];
  const pieces = separator === '' ? Array.from(text) : text.split(separator);
  if (count < 0 || pieces.length <= count) return pieces;
  return [...pieces.slice(0, count - 1), pieces.slice(count - 1).join(separator)];
}

function substring(text: string, start: number | bigint, end?: number | bigint): string {
  const characters = Array.from(text);
  const from = Number(start);
  const to = end === undefined ? characters.length : Number(end);
  if (end !== undefined && from > to) fail(`invalid substring range. start: ${start}, end: ${end}`);
  if (from < 0 || from > characters.length) fail(`index out of range: ${start}`);
  if (to < 0 || to > characters.length) fail(`index out of range: ${end}`);
  return characters.slice(from, to).join('');
}

function join(texts: readonly unknown[], separator = ''): string {
  let length = 0;
  for (const text of texts) {
    if (typeof text !== 'string') fail(`join: invalid input: ${String(text)}`);
    length += text.length + separator.length;
  }
  return length > TEXT_LENGTH_MAX ? fail('string too long') : texts.join(separator);
}

function reverse(text: string): string {
  return Array.from(text).reverse().join('');
}

const QUOTED: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** The text in double quotes with its control characters escaped. */
function quote(text: string): string {
  const escaped = Array.from(text.toWellFormed(), (character) => QUOTED[character] ?? character);
  return `"${escaped.join('')}"`;
}
