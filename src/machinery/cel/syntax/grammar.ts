import { OPERATORS } from './ast.ts';

/** Words that no variable or function may be called. */
export const RESERVED: ReadonlySet<string> = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(
    ' ',
  ),
);

/** Words that are tokens of their own and therefore no identifiers, not even as field names. */
export const KEYWORDS: ReadonlySet<string> = new Set(['in', 'true', 'false', 'null']);

export const RELATIONS: Readonly<Record<string, string>> = {
  '<': '_<_',
  '<=': '_<=_',
  '>=': '_>=_',
  '>': '_>_',
  '==': OPERATORS.equals,
  '!=': OPERATORS.notEquals,
  in: OPERATORS.in,
};
export const SUMS: Readonly<Record<string, string>> = { '+': OPERATORS.add, '-': '_-_' };
export const PRODUCTS: Readonly<Record<string, string>> = { '*': '_*_', '/': '_/_', '%': '_%_' };

export const EXPRESSION_START =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
