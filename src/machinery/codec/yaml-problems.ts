import type { LineCounter, YAMLParseError, YAMLWarning } from 'yaml';

/** How Go's YAML parser words what ours calls by a code; `scanner` failures count lines from 1, others from 0. */
const WORDS: Readonly<Record<string, { readonly text: string; readonly isScanner: boolean }>> = {
  BLOCK_AS_IMPLICIT_KEY: { text: 'mapping values are not allowed in this context', isScanner: true },
  TAB_AS_INDENT: { text: 'found character that cannot start any token', isScanner: true },
  BAD_SCALAR_START: { text: 'found character that cannot start any token', isScanner: true },
  UNEXPECTED_TOKEN: { text: 'did not find expected key', isScanner: false },
  BAD_INDENT: { text: "did not find expected ',' or ']'", isScanner: false },
};

/** `yaml: line 3: mapping values are not allowed in this context`; the first line goes without its number. */
export function yamlFailure(error: YAMLParseError | YAMLWarning, lineCounter: LineCounter): string {
  const { text, isScanner } = wordsOf(error);
  const line = Math.max(1, lineCounter.linePos(error.pos[0]).line) - 1;
  return `yaml: ${line === 0 ? '' : `line ${isScanner ? line + 1 : line}: `}${text}`;
}

function wordsOf({ code, message }: YAMLParseError | YAMLWarning): { text: string; isScanner: boolean } {
  if (code === 'MISSING_CHAR' && message.startsWith('Missing closing')) {
    return { text: 'found unexpected end of stream', isScanner: true };
  }
  if (code === 'MISSING_CHAR' && message.startsWith('Flow map')) {
    return { text: "did not find expected ',' or '}'", isScanner: false };
  }
  if (message.startsWith('Maximum call stack')) return { text: 'exceeded max depth', isScanner: true };
  // Our parser's own words.
  const [first = ''] = message.slice(0, MESSAGE_CHARACTERS_MAX).split('\n');
  return WORDS[code] ?? { text: first, isScanner: true };
}

/** Messages quote what stands in the document. */
const MESSAGE_CHARACTERS_MAX = 200;
