const NEWLINES = /\r\n|\r/g;
const SIMPLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
  '`': 96,
  '?': 63,
};

interface Content {
  readonly text: string;
  readonly isRaw: boolean;
}

/** The value of a string token; undefined where an escape names no code point. */
export function unescapeString(token: string): string | undefined {
  const { text, isRaw } = contentOf(token);
  if (isRaw || !text.includes('\\')) return text;
  let out = '';
  for (let index = 0; index < text.length; ) {
    if (text[index] !== '\\') {
      out += text[index];
      index++;
      continue;
    }
    const escape = escapeAt(text, index);
    if (escape.value > 0x10_ffff || (escape.value >= 0xd800 && escape.value <= 0xdfff)) return undefined;
    out += String.fromCodePoint(escape.value);
    index += escape.length;
  }
  return out;
}

/** The value of a bytes token without its `b`: characters as UTF-8, hex and octal escapes as single bytes. */
export function unescapeBytes(token: string): Uint8Array | undefined {
  const { text, isRaw } = contentOf(token);
  const encoder = new TextEncoder();
  if (isRaw || !text.includes('\\')) return encoder.encode(text);
  const out: number[] = [];
  for (let index = 0; index < text.length; ) {
    if (text[index] !== '\\') {
      const character = String.fromCodePoint(text.codePointAt(index) ?? 0);
      for (const byte of encoder.encode(character)) out.push(byte);
      index += character.length;
      continue;
    }
    if (text[index + 1] === 'u' || text[index + 1] === 'U') return undefined;
    const escape = escapeAt(text, index);
    out.push(escape.value);
    index += escape.length;
  }
  return Uint8Array.from(out);
}

function contentOf(token: string): Content {
  const normal = token.replaceAll(NEWLINES, '\n');
  const isRaw = normal.startsWith('r') || normal.startsWith('R');
  const quoted = isRaw ? normal.slice(1) : normal;
  const quotes = quoted.length >= 6 && (quoted.startsWith("'''") || quoted.startsWith('"""')) ? 3 : 1;
  return { text: quoted.slice(quotes, -quotes), isRaw };
}

/** The escape at a backslash; the lexer has checked its form. */
function escapeAt(text: string, index: number): { value: number; length: number } {
  const letter = text[index + 1] ?? '';
  const simple = SIMPLE[letter];
  if (simple !== undefined) return { value: simple, length: 2 };
  const digits = { x: 2, X: 2, u: 4, U: 8 }[letter];
  if (digits !== undefined) {
    return { value: Number.parseInt(text.slice(index + 2, index + 2 + digits), 16), length: 2 + digits };
  }
  return { value: Number.parseInt(text.slice(index + 1, index + 4), 8), length: 4 };
}
