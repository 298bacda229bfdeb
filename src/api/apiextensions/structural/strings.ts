import { RE2JS } from 're2js';
import type { JsonSchema } from './json-schema.ts';
import type { ValidationResult } from './validation-result.ts';

/** Patterns that were compiled; the oldest goes when there are too many. */
const PATTERNS_MAX = 4096;
const patterns = new Map<string, RE2JS | string>();

/** Length and pattern of a text; upstream tells of the first that is wrong. */
export function checkString(text: string, schema: JsonSchema, path: string, result: ValidationResult): void {
  const { maxLength, minLength, pattern = '' } = schema;
  const length = maxLength === undefined && minLength === undefined ? 0 : characters(text);
  if (maxLength !== undefined && length > maxLength) {
    const sentence = `${path} in body should be at most ${maxLength} chars long`;
    result.add({ type: 'tooLong', name: path, value: text, limit: maxLength, text: sentence });
  } else if (minLength !== undefined && length < minLength) {
    const sentence = `${path} in body should be at least ${minLength} chars long`;
    result.add({ type: 'invalid', name: path, value: text, text: sentence });
  } else if (pattern !== '' && !matchesPattern(text, pattern)) {
    result.add({ type: 'invalid', name: path, value: text, text: `${path} in body should match '${pattern}'` });
  }
  result.matches += 1;
}

/** Why a pattern is none, in the words of Go's regexp; undefined where it is fine. */
export function patternProblem(pattern: string): string | undefined {
  const compiled = compile(pattern);
  return typeof compiled === 'string' ? compiled : undefined;
}

/** Linear in the text, whatever the pattern. */
function matchesPattern(text: string, pattern: string): boolean {
  const compiled = compile(pattern);
  return typeof compiled !== 'string' && compiled.matcher(text).find();
}

function compile(pattern: string): RE2JS | string {
  let compiled = patterns.get(pattern);
  if (compiled !== undefined) return compiled;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    compiled = error instanceof Error ? error.message : String(error);
  }
  if (patterns.size >= PATTERNS_MAX) {
    const [oldest] = patterns.keys();
    if (oldest !== undefined) patterns.delete(oldest);
  }
  patterns.set(pattern, compiled);
  return compiled;
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
