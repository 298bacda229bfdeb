import type { CelIssue } from '../errors.ts';
import { type Token, tokenize } from './lexer.ts';
import { positionAt } from './source.ts';

/** Issues beyond this many end the parse. */
const ISSUES_MAX = 100;

/** Ends the parse after an error has been reported. */
export class ParseStop extends Error {}

/** The tokens of a source, read one after the other, and what is wrong with them in ANTLR's words. */
export class TokenReader {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #issues: CelIssue[] = [];
  #index = 0;

  constructor(source: string) {
    this.#source = source;
    const { tokens, errors } = tokenize(source);
    this.#tokens = tokens;
    for (const error of errors.slice(0, ISSUES_MAX)) this.report(error.offset, error.message);
  }

  get issues(): readonly CelIssue[] {
    return this.#issues;
  }

  get token(): Token {
    return this.peek(0);
  }

  /** A token further on, or before where `ahead` is negative; the last one is `end`. */
  peek(ahead: number): Token {
    const last = this.#tokens.length - 1;
    // The list always ends with the `end` token.
    return this.#tokens[Math.min(this.#index + ahead, last)] as Token;
  }

  advance(): void {
    this.#index++;
  }

  back(): void {
    this.#index--;
  }

  /** Whether the token is this operator or word. */
  isAt(text: string): boolean {
    const { token } = this;
    return token.text === text && (token.type === 'operator' || token.type === 'identifier');
  }

  /** Passes over the token if it is this one. */
  take(text: string): Token | undefined {
    if (!this.isAt(text)) return undefined;
    const { token } = this;
    this.#index++;
    return token;
  }

  /** Passes over the token, which must be this one; a single token before it is reported and skipped. */
  expect(text: string, alternatives = `'${text}'`): Token {
    const taken = this.take(text);
    if (taken !== undefined) return taken;
    const { offset, text: found, type } = this.token;
    if (this.peek(1).text === text) {
      this.report(offset, `Syntax error: extraneous input '${found}' expecting ${alternatives}`);
      this.#index += 2;
      return this.peek(-1);
    }
    if (type === 'end' && alternatives === `'${text}'`) return this.stop(offset, `missing '${text}' at '<EOF>'`);
    return this.stop(offset, `mismatched input '${found}' expecting ${alternatives}`);
  }

  expectEnd(): void {
    const { offset, text, type } = this.token;
    if (type === 'end') return;
    const kind = this.peek(1).type === 'end' ? 'extraneous' : 'mismatched';
    this.report(offset, `Syntax error: ${kind} input '${text}' expecting <EOF>`);
  }

  report(offset: number, message: string): void {
    if (this.#issues.length >= ISSUES_MAX) throw new ParseStop();
    this.#issues.push({ type: 'syntax', message, ...positionAt(this.#source, offset) });
  }

  stop(offset: number, message: string): never {
    this.report(offset, `Syntax error: ${message}`);
    throw new ParseStop();
  }

  /** For an error about the whole source. */
  stopWithoutPlace(message: string): never {
    this.#issues.push({ type: 'syntax', message, line: -1, column: -1 });
    throw new ParseStop();
  }
}
