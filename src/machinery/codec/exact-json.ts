import { setOwn } from './deep.ts';
import { DEPTH_MAX, JsonError } from './json-errors.ts';

export interface ExactJson {
  readonly value: unknown;
  /** Paths of repeated keys (`spec.containers[0].image`), in document order; the last value wins. */
  readonly duplicates: string[];
}

/**
 * A slow parser that sees what `JSON.parse` hides: repeated keys, and integers that a double cannot hold, which it
 * gives as bigint where they fit 64 bits. Throws `JsonError` with Go's words.
 */
export function parseExactJson(text: string): ExactJson {
  return new ExactParser(text).parse();
}

/** Where each key of a well-formed document stands, and stands again: offsets by path. */
export function keyPositions(text: string): ReadonlyMap<string, readonly number[]> {
  const positions = new Map<string, number[]>();
  new ExactParser(text, positions).parse();
  return positions;
}

/** Clients are told of a hundred; paths may be long. */
const DUPLICATES_MAX = 5_000;

class ExactParser {
  readonly #text: string;
  #position = 0;
  readonly #path: string[] = [];
  readonly #duplicates: string[] = [];
  readonly #positions: Map<string, number[]> | undefined;

  constructor(text: string, positions?: Map<string, number[]>) {
    this.#text = text;
    this.#positions = positions;
  }

  parse(): ExactJson {
    const value = this.#value();
    this.#skipSpace();
    if (this.#position < this.#text.length) this.#fail('after top-level value');
    return { value, duplicates: this.#duplicates };
  }

  #value(): unknown {
    this.#skipSpace();
    const character = this.#text.charAt(this.#position);
    switch (character) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        if (character === '-' || (character >= '0' && character <= '9')) return this.#number();
        return this.#fail('looking for beginning of value');
    }
  }

  #object(): Record<string, unknown> {
    this.#enter();
    const result: Record<string, unknown> = {};
    this.#position += 1;
    this.#skipSpace();
    if (this.#take('}')) return result;
    for (;;) {
      this.#skipSpace();
      if (this.#text.charAt(this.#position) !== '"') this.#fail('looking for beginning of object key string');
      const key = this.#string();
      this.#skipSpace();
      if (!this.#take(':')) this.#fail('after object key');
      this.#path.push(this.#path.length === 0 ? key : `.${key}`);
      if (Object.hasOwn(result, key) && this.#duplicates.length < DUPLICATES_MAX) {
        this.#duplicates.push(this.#path.join(''));
      }
      if (this.#positions !== undefined) this.#note(this.#positions);
      const value = this.#value();
      this.#path.pop();
      if (key === '__proto__') setOwn(result, key, value);
      else result[key] = value;
      this.#skipSpace();
      if (this.#take('}')) return result;
      if (!this.#take(',')) this.#fail('after object key:value pair');
    }
  }

  #note(positions: Map<string, number[]>): void {
    const path = this.#path.join('');
    const known = positions.get(path);
    if (known === undefined) positions.set(path, [this.#position]);
    else known.push(this.#position);
  }

  #array(): unknown[] {
    this.#enter();
    const result: unknown[] = [];
    this.#position += 1;
    this.#skipSpace();
    if (this.#take(']')) return result;
    for (;;) {
      this.#path.push(`[${result.length}]`);
      result.push(this.#value());
      this.#path.pop();
      this.#skipSpace();
      if (this.#take(']')) return result;
      if (!this.#take(',')) this.#fail('after array element');
    }
  }

  #string(): string {
    const start = this.#position;
    for (let index = start + 1; index < this.#text.length; index += 1) {
      const code = this.#text.charCodeAt(index);
      if (code === 0x22) {
        this.#position = index + 1;
        const raw = this.#text.slice(start, index + 1);
        // Safe: JSON.parse of a string literal gives a string.
        return JSON.parse(raw) as string;
      }
      if (code < 0x20) {
        this.#position = index;
        this.#fail('in string literal');
      }
      if (code !== 0x5c) continue;
      index += 1;
      this.#position = index;
      const escape = this.#text.charAt(index);
      if (escape === 'u') this.#checkHex(index + 1);
      else if (!'"\\/bfnrt'.includes(escape) || escape === '') this.#fail('in string escape code');
    }
    throw new JsonError('unexpected end of JSON input');
  }

  #checkHex(start: number): void {
    for (let index = start; index < start + 4; index += 1) {
      this.#position = index;
      if (!/^[0-9a-fA-F]$/.test(this.#text.charAt(index))) this.#fail('in \\u hexadecimal character escape');
    }
  }

  #number(): number | bigint {
    const pattern = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text);
    if (match === null) {
      this.#position += 1;
      return this.#fail('in numeric literal');
    }
    this.#position += match[0].length;
    const following = this.#text.charAt(this.#position);
    if (following === '.' && match[1] === undefined) {
      this.#position += 1;
      return this.#fail('after decimal point in numeric literal');
    }
    const value = Number(match[0]);
    // 64 bits are 20 digits at most; to count in millions of them would take long.
    const isPlain = match[1] === undefined && match[2] === undefined && match[0].length <= 20;
    if (!isPlain || Number.isSafeInteger(value)) return value;
    const exact = BigInt(match[0]);
    return BigInt.asIntN(64, exact) === exact ? exact : value;
  }

  #literal<T>(word: string, value: T): T {
    for (let index = 1; index < word.length; index += 1) {
      this.#position += 1;
      if (this.#text.charAt(this.#position) !== word.charAt(index)) {
        this.#fail(`in literal ${word} (expecting '${word.charAt(index)}')`);
      }
    }
    this.#position += 1;
    return value;
  }

  #enter(): void {
    if (this.#path.length >= DEPTH_MAX) throw new JsonError('exceeded max depth');
  }

  #take(character: string): boolean {
    if (this.#text.charAt(this.#position) !== character) return false;
    this.#position += 1;
    return true;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#position);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#position += 1;
    }
  }

  #fail(where: string): never {
    const code = this.#text.codePointAt(this.#position);
    if (code === undefined) throw new JsonError('unexpected end of JSON input');
    const character = String.fromCodePoint(code);
    const quoted =
      character === "'" ? `'\\''` : character === '"' ? `'"'` : `'${JSON.stringify(character).slice(1, -1)}'`;
    throw new JsonError(`invalid character ${quoted} ${where}`);
  }
}
