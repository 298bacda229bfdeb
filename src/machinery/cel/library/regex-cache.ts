import { RE2JS } from 're2js';
import { fail } from '../errors.ts';

/** Patterns kept compiled; expressions use few, and a hostile one must not fill the memory. */
const CACHED_MAX = 512;

const cache = new Map<string, RE2JS>();

/** A pattern in RE2's syntax, matched in time linear in the text. Fails with Go's words for a bad one. */
export function compilePattern(pattern: string): RE2JS {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    return fail(patternError(error));
  }
  if (cache.size >= CACHED_MAX) cache.clear();
  cache.set(pattern, compiled);
  return compiled;
}

/** Whether the pattern matches some part of the text. */
export function matchesPattern(text: string, pattern: string): boolean {
  return compilePattern(pattern).test(text);
}

function patternError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.startsWith('error parsing regexp') ? message : `error parsing regexp: ${message}`;
}
