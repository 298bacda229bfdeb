export type TokenType =
  | 'identifier'
  | 'escapedIdentifier'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'operator'
  | 'end';

export interface Token {
  readonly type: TokenType;
  readonly text: string;
  /** UTF-16 offset of the first character. */
  readonly offset: number;
}

export interface LexerError {
  readonly offset: number;
  readonly message: string;
}

const SPACE = /[\t \r\n\f]+/y;
const COMMENT = /\/\/[^\n]*/y;
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
const ESCAPED_IDENTIFIER = /`[A-Za-z0-9_.\-/ ]+`/y;
const DOUBLE = /[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?/y;
const INTEGER = /(?:0x[0-9a-fA-F]+|[0-9]+)([uU]?)/y;
const OPERATOR = /==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%]/y;

/** Where a string may begin: an optional `b`, an optional `r`, then one or three quotes. */
const STRING_START = /([bB]?)([rR]?)('''|"""|'|")/y;
const ESCAPE = /\\(?:[abfnrtv"'\\?`]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/y;

/** Splits the source into tokens; characters that begin none are reported and skipped, as ANTLR does. */
export function tokenize(source: string): { tokens: Token[]; errors: LexerError[] } {
  const tokens: Token[] = [];
  const errors: LexerError[] = [];
  let offset = 0;
  while (offset < source.length) {
    const skipped = match(SPACE, source, offset) ?? match(COMMENT, source, offset);
    if (skipped !== undefined) {
      offset += skipped.length;
      continue;
    }
    const token = tokenAt(source, offset);
    if (token !== undefined) {
      tokens.push(token);
      offset += token.text.length;
      continue;
    }
    const bad = unrecognized(source, offset);
    errors.push({ offset, message: `Syntax error: token recognition error at: '${bad}'` });
    offset += bad.length;
  }
  tokens.push({ type: 'end', text: '<EOF>', offset: source.length });
  return { tokens, errors };
}

function tokenAt(source: string, offset: number): Token | undefined {
  const string = stringAt(source, offset);
  if (string !== undefined) return string;
  const identifier = match(IDENTIFIER, source, offset);
  if (identifier !== undefined) return { type: 'identifier', text: identifier, offset };
  const double = match(DOUBLE, source, offset);
  if (double !== undefined) return { type: 'double', text: double, offset };
  const integer = match(INTEGER, source, offset);
  if (integer !== undefined) return { type: /[uU]$/.test(integer) ? 'uint' : 'int', text: integer, offset };
  const operator = match(OPERATOR, source, offset);
  if (operator !== undefined) return { type: 'operator', text: operator, offset };
  const escaped = match(ESCAPED_IDENTIFIER, source, offset);
  return escaped === undefined ? undefined : { type: 'escapedIdentifier', text: escaped, offset };
}

function stringAt(source: string, offset: number): Token | undefined {
  STRING_START.lastIndex = offset;
  const start = STRING_START.exec(source);
  if (start === null) return undefined;
  const [opening, bytes = '', raw = '', quote = ''] = start;
  const end = stringEnd(source, offset + opening.length, { quote, isRaw: raw !== '' });
  const type = bytes === '' ? 'string' : 'bytes';
  if (end !== undefined) return { type, text: source.slice(offset, end), offset };
  if (quote.length === 1) return undefined;
  // Three quotes without an end are the empty string and the start of another one.
  return { type, text: source.slice(offset, offset + opening.length - 1), offset };
}

/** The offset after the closing quote; undefined where the string does not end or has a bad escape. */
function stringEnd(source: string, from: number, form: { quote: string; isRaw: boolean }): number | undefined {
  const { quote, isRaw } = form;
  let offset = from;
  while (offset < source.length) {
    if (source.startsWith(quote, offset)) return offset + quote.length;
    const character = source[offset];
    if (quote.length === 1 && (character === '\n' || character === '\r')) return undefined;
    if (character === '\\' && !isRaw) {
      const escape = match(ESCAPE, source, offset);
      if (escape === undefined) return undefined;
      offset += escape.length;
    } else {
      offset++;
    }
  }
  return undefined;
}

/** How much ANTLR gives up at once: what it had read of a token that then did not come about. */
function unrecognized(source: string, offset: number): string {
  const character = source[offset] ?? '';
  if (character === '"' || character === "'") return unfinishedString(source, offset);
  if (character === '&' || character === '|' || character === '=') {
    return Array.from(source.slice(offset, offset + 3))
      .slice(0, 2)
      .join('');
  }
  return String.fromCodePoint(source.codePointAt(offset) ?? 0);
}

function unfinishedString(source: string, offset: number): string {
  let end = offset + 1;
  while (end < source.length && source[end] !== '\n' && source[end] !== '\r') {
    if (source[end] === '\\') {
      const escape = match(ESCAPE, source, end);
      if (escape === undefined) return source.slice(offset, Math.min(source.length, end + 2));
      end += escape.length;
    } else {
      end++;
    }
  }
  return source.slice(offset, Math.min(source.length, end + 1));
}

function match(pattern: RegExp, source: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(source)?.[0];
}
