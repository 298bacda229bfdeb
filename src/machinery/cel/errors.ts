import { snippet } from './syntax/source.ts';

/** A problem found while parsing, checking or planning an expression. */
export interface CelIssue {
  /** `syntax` and `check` have a place in the source; `program` and `output` concern the whole expression. */
  readonly type: 'syntax' | 'check' | 'program' | 'output';
  readonly message: string;
  /** Line, from 1; 0 where there is no place. */
  readonly line: number;
  /** Column in code points, from 0. */
  readonly column: number;
}

/** A snippet of more code points than this is left out of an error's text. */
const SNIPPET_LENGTH_MAX = 16_384;
const ISSUES_SHOWN_MAX = 100;

/**
 * The issues as cel-go displays them: place, message, the source line and a caret beneath. Kubernetes puts
 * `compilation failed: ` in front where the issues come from the parser or the checker.
 */
export function issueText(issues: readonly CelIssue[], source: string): string {
  const sorted = issues.toSorted((left, right) => left.line - right.line || left.column - right.column);
  const shown = sorted.slice(0, ISSUES_SHOWN_MAX).map((issue) => displayText(issue, source));
  const hidden = issues.length - shown.length;
  if (hidden > 0) shown.push(`${hidden} more errors were truncated`);
  return shown.join('\n');
}

/** `compilation failed: …` for syntax and type errors, the bare message for the others; as the API server says it. */
export function compilationErrorText(issues: readonly CelIssue[], source: string): string {
  const [first] = issues;
  if (first === undefined) return '';
  if (first.type === 'output') return first.message;
  if (first.type === 'program') return `program instantiation failed: ${first.message}`;
  return `compilation failed: ${issueText(issues, source)}`;
}

function displayText(issue: CelIssue, source: string): string {
  if (issue.type === 'program' || issue.type === 'output') return issue.message;
  const title = `ERROR: <input>:${issue.line}:${issue.column + 1}: ${issue.message}`;
  const line = snippet(source, issue.line);
  if (line === undefined) return title;
  const characters = Array.from(line.replaceAll('\t', ' '));
  if (characters.length > SNIPPET_LENGTH_MAX) return title;
  const before = characters.slice(0, issue.column).map((character) => (isWide(character) ? '\uff0e' : '.'));
  const marked = characters[issue.column];
  const caret = marked !== undefined && isWide(marked) ? '\uff3e' : '^';
  return `${title}\n | ${characters.join('')}\n | ${before.join('')}${caret}`;
}

function isWide(character: string): boolean {
  return character.charCodeAt(0) > 0x7f;
}

/**
 * Why an expression has no value. Made by `celError` without a stack trace: an expression may raise and absorb
 * many (`||`), and where in this interpreter it was raised tells nobody anything.
 */
export class CelError extends Error {
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.name = 'CelError';
    this.code = 'CEL';
  }
}

/** Raised when the actual cost passes the limit; unlike other errors it is never absorbed. */
export const COST_LIMIT_MESSAGE = 'operation cancelled: actual cost limit exceeded';

/** An error without the price of a stack trace. */
export function celError(message: string): CelError {
  // Object.create gives an object of the class whose constructor, and so the stack capture, never ran.
  const error = Object.create(CelError.prototype) as CelError;
  Object.assign(error, { message, name: 'CelError', code: 'CEL' });
  return error;
}

export function fail(message: string): never {
  throw celError(message);
}

export function isCostLimitError(error: unknown): boolean {
  return error instanceof CelError && error.message === COST_LIMIT_MESSAGE;
}
