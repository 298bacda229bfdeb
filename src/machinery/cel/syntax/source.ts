export interface Position {
  /** From 1. */
  readonly line: number;
  /** In code points, from 0. */
  readonly column: number;
}

/** Where a UTF-16 offset lies in the source. */
export function positionAt(source: string, offset: number): Position {
  let line = 1;
  let lineStart = 0;
  for (;;) {
    const newline = source.indexOf('\n', lineStart);
    if (newline === -1 || newline >= offset) break;
    line++;
    lineStart = newline + 1;
  }
  return { line, column: codePointCount(source.slice(lineStart, offset)) };
}

/** The text of a line (from 1) without its end; undefined where there is no such line. */
export function snippet(source: string, line: number): string | undefined {
  return line < 1 ? undefined : source.split('\n', line)[line - 1];
}

/** How many code points a string has: CEL's size of a string. */
export function codePointCount(text: string): number {
  const length = text.length;
  let count = length;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0xd800 || unit > 0xdbff || index + 1 >= length) continue;
    const next = text.charCodeAt(index + 1);
    if (next < 0xdc00 || next > 0xdfff) continue;
    count--;
    index++;
  }
  return count;
}
