import { type FilterOperator, JsonPathError, type PathList, type PathNode } from './nodes.ts';

/** Braces and brackets within one another; more is a mistake or an attack. */
const DEPTH_MAX = 64;
const SLICE = /^(-?\d*)(?::(-?\d*))?(?::(-?\d*))?$/;
const DICT_KEY = /^'([^']*)'$/;
const COMPARISON = /^([^!<>=]+)([!<>=]+)(.+?)$/;
const OPERATORS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];
const FIELD_ENDS = ' \t\r\n.,[]$@{}';

/** Parses a template: text with JSONPath expressions in braces. Throws `JsonPathError` in client-go's words. */
export function parseTemplate(template: string): PathList {
  const nodes: PathNode[] = [];
  let position = 0;
  while (position < template.length) {
    const open = template.indexOf('{', position);
    const end = open < 0 ? template.length : open;
    if (end > position) nodes.push({ type: 'text', text: template.slice(position, end) });
    if (open < 0) break;
    const parser = new ActionParser(template, open + 1, 0);
    nodes.push({ type: 'list', nodes: parser.parse() });
    position = parser.position;
  }
  return nodes.map((node) => {
    const [only] = node.type === 'list' ? node.nodes : [];
    return node.type === 'list' && node.nodes.length === 1 && only?.type === 'end' ? only : node;
  });
}

/** Reads what stands between braces; parts in brackets are read by parsers of their own. */
class ActionParser {
  readonly #text: string;
  readonly #depth: number;
  position: number;

  constructor(text: string, position: number, depth: number) {
    this.#text = text;
    this.position = position;
    this.#depth = depth;
    if (depth > DEPTH_MAX) throw new JsonPathError('expression is nested too deeply');
  }

  parse(): PathNode[] {
    const nodes: PathNode[] = [];
    for (;;) {
      if (this.#takes('}')) return nodes;
      if (this.#takes('[?(')) nodes.push(this.#filter());
      else if (this.#takes('..')) {
        nodes.push({ type: 'recursive' });
        const next = this.#text.charAt(this.position);
        // `..name` reads as `..` and `.name`.
        if (/[\w*]/.test(next)) nodes.push(this.#field());
      } else nodes.push(...this.#next());
    }
  }

  #next(): PathNode[] {
    const character = this.#text.charAt(this.position);
    if (character === '' || character === '\n' || character === '\r') throw new JsonPathError('unclosed action');
    this.position += 1;
    switch (character) {
      case ' ':
      case '@':
      case '$':
        return [];
      case '[':
        return this.#brackets();
      case '"':
      case "'":
        return [{ type: 'text', text: this.#quoted(character) }];
      case '.':
        return [this.#field()];
      default:
        this.position -= 1;
        if (/[+\-\d]/.test(character)) return [this.#number()];
        if (/[\p{L}_]/u.test(character)) return [this.#identifier()];
        throw new JsonPathError(`unrecognized character in action: ${unicodeOf(character)}`);
    }
  }

  #takes(prefix: string): boolean {
    if (!this.#text.startsWith(prefix, this.position)) return false;
    this.position += prefix.length;
    return true;
  }

  #field(): PathNode {
    let name = '';
    for (;;) {
      const character = this.#text.charAt(this.position);
      if (character === '' || FIELD_ENDS.includes(character)) break;
      this.position += 1;
      if (character === '\\') name += this.#text.charAt(this.position++);
      else name += character;
    }
    return name === '*' ? { type: 'wildcard' } : { type: 'field', name };
  }

  #quoted(quote: string): string {
    let text = '';
    for (;;) {
      const character = this.#text.charAt(this.position++);
      if (character === '' || character === '\n') throw new JsonPathError('unterminated quoted string');
      if (character === quote) return text;
      text += character === '\\' ? unescaped(this.#text.charAt(this.position++)) : character;
    }
  }

  #number(): PathNode {
    const [digits = ''] = /^[+-]?[\d.]*/.exec(this.#text.slice(this.position)) ?? [];
    this.position += Math.max(1, digits.length);
    const value = Number(digits);
    if (digits === '' || Number.isNaN(value)) throw new JsonPathError(`cannot parse number ${digits}`);
    return { type: 'literal', value };
  }

  #identifier(): PathNode {
    const [word = ''] = /^[\p{L}\p{N}_]+/u.exec(this.#text.slice(this.position)) ?? [];
    this.position += word.length;
    if (word === 'true' || word === 'false') return { type: 'literal', value: word === 'true' };
    if (word === 'range' || word === 'end') return { type: word };
    throw new JsonPathError(`unrecognized identifier ${word}`);
  }

  /** `[n]`, `[a:b:c]`, `[*]`, `['key']`, `[a,b]`; the bracket is already read. */
  #brackets(): PathNode[] {
    const text = this.#until(']', 'unterminated array');
    const parts = splitOutsideQuotes(text);
    if (parts.length > 1) {
      const branches = parts.map((part) => this.#parseInner(`[${part.trim()}]`));
      return [{ type: 'union', branches }];
    }
    const key = DICT_KEY.exec(text);
    if (key !== null) return this.#parseInner(`.${key[1] ?? ''}`);
    return [sliceOf(text === '*' ? ':' : text)];
  }

  #filter(): PathNode {
    const text = this.#until(')', 'unterminated filter');
    if (!this.#takes(']')) throw new JsonPathError('unclosed array expect ]');
    const comparison = COMPARISON.exec(text);
    if (comparison === null) {
      return { type: 'filter', left: this.#parseInner(text), operator: 'exists', right: [] };
    }
    const [, left = '', operator = '', right = ''] = comparison;
    if (!OPERATORS.includes(operator)) throw new JsonPathError(`unrecognized filter operator ${operator}`);
    return {
      type: 'filter',
      left: this.#parseInner(left),
      // Safe: checked to be one of them.
      operator: operator as FilterOperator,
      right: this.#parseInner(right),
    };
  }

  #parseInner(text: string): PathNode[] {
    return new ActionParser(`${text}}`, 0, this.#depth + 1).parse();
  }

  /** The text up to the end that is in no quotes and in no bracket of its own kind; the end is read, too. */
  #until(end: ']' | ')', failure: string): string {
    const start = this.position;
    const open = end === ']' ? '[' : '(';
    let depth = 0;
    for (;;) {
      const character = this.#text.charAt(this.position);
      if (character === '' || character === '\n') throw new JsonPathError(failure);
      this.position += 1;
      if (character === '"' || character === "'") this.#quoted(character);
      else if (character === open) depth += 1;
      else if (character === end && depth-- === 0) return this.#text.slice(start, this.position - 1);
    }
  }
}

function sliceOf(text: string): PathNode {
  const match = SLICE.exec(text);
  if (match === null || text === '') throw new JsonPathError(`invalid array index ${text}`);
  const numberAt = (index: number): number | undefined => {
    const digits = match[index];
    return digits === undefined || digits === '' ? undefined : Number(digits);
  };
  const from = numberAt(1);
  const isIndex = match[2] === undefined;
  return {
    type: 'slice',
    bounds: { from, to: isIndex && from !== undefined ? from + 1 : numberAt(2), step: numberAt(3), isIndex },
  };
}

function splitOutsideQuotes(text: string): string[] {
  return text.match(/(?:'[^']*'|"[^"]*"|[^,])+/g) ?? [text];
}

function unescaped(character: string): string {
  return { n: '\n', t: '\t', r: '\r' }[character] ?? character;
}

function unicodeOf(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `U+${code} '${character}'`;
}
