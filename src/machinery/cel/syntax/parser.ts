import { type CelIssue } from '../errors.ts';
import { CelUint } from '../values/value.ts';
import type { Expression, MapEntry, StructField } from './ast.ts';
import { OPERATORS, qualifiedName } from './ast.ts';
import { RESERVED, KEYWORDS, RELATIONS, SUMS, PRODUCTS, EXPRESSION_START } from './grammar.ts';
import type { Token } from './lexer.ts';
import { type MacroTable, NodeFactory } from './node-factory.ts';
import { codePointCount } from './source.ts';
import { ParseStop, TokenReader } from './token-reader.ts';
import { unescapeBytes, unescapeString } from './unescape.ts';

export interface ParserOptions {
  readonly macros: MacroTable;
  /** `a.?b`, `a[?b]`, `[?a]` and `{?a: b}`. */
  readonly optionalSyntax: boolean;
}

export type ParseResult =
  | { readonly ok: true; readonly expression: Expression; readonly nodeCount: number }
  | { readonly ok: false; readonly issues: readonly CelIssue[] };

/** The largest source in code points, and how deep one rule of the grammar may nest; both as cel-go's defaults. */
export const SOURCE_LENGTH_MAX = 100_000;
export const DEPTH_MAX = 250;

type Rule = 'expression' | 'relation' | 'calculation' | 'member';

/** Parses an expression and expands its macros. Never throws for a bad source. */
export function parseExpression(source: string, options: ParserOptions): ParseResult {
  const size = codePointCount(source);
  if (size > SOURCE_LENGTH_MAX) {
    const message = `expression code point size exceeds limit: size: ${size}, limit ${SOURCE_LENGTH_MAX}`;
    return { ok: false, issues: [{ type: 'syntax', message, line: -1, column: -1 }] };
  }
  return new Parser(source, options).parse();
}

class Parser {
  readonly #options: ParserOptions;
  readonly #reader: TokenReader;
  readonly #nodes = new NodeFactory();
  readonly #depths: Record<Rule, number> = { expression: 0, relation: 0, calculation: 0, member: 0 };

  constructor(source: string, options: ParserOptions) {
    this.#options = options;
    this.#reader = new TokenReader(source);
  }

  parse(): ParseResult {
    let expression: Expression | undefined;
    try {
      expression = this.#expression();
      this.#reader.expectEnd();
    } catch (error) {
      if (!(error instanceof ParseStop)) throw error;
    }
    if (expression === undefined || this.#reader.issues.length > 0) return { ok: false, issues: this.#reader.issues };
    return { ok: true, expression, nodeCount: this.#nodes.count };
  }

  #enter(rule: Rule): void {
    this.#depths[rule]++;
    if (this.#depths[rule] <= DEPTH_MAX) return;
    const message = `expression recursion limit exceeded: ${DEPTH_MAX}`;
    this.#reader.stopWithoutPlace(message);
  }

  #expression(): Expression {
    this.#enter('expression');
    const condition = this.#logical('||', OPERATORS.or, () => this.#and());
    const question = this.#reader.take('?');
    let result = condition;
    if (question !== undefined) {
      const ifTrue = this.#logical('||', OPERATORS.or, () => this.#and());
      this.#reader.expect(':');
      const ifFalse = this.#expression();
      result = this.#nodes.call(question.offset, OPERATORS.conditional, [condition, ifTrue, ifFalse]);
    }
    this.#depths.expression--;
    return result;
  }

  #and(): Expression {
    return this.#logical('&&', OPERATORS.and, () => this.#relation());
  }

  /** Terms of a chain become a balanced tree, so that long chains stay shallow. */
  #logical(operator: string, name: string, term: () => Expression): Expression {
    const terms = [term()];
    const offsets: number[] = [];
    for (let token = this.#reader.take(operator); token !== undefined; token = this.#reader.take(operator)) {
      offsets.push(token.offset);
      terms.push(term());
    }
    return offsets.length === 0
      ? (terms[0] as Expression)
      : this.#balance(name, { terms, offsets }, 0, offsets.length - 1);
  }

  #balance(name: string, chain: { terms: Expression[]; offsets: number[] }, low: number, high: number): Expression {
    const middle = Math.floor((low + high + 1) / 2);
    // Indexes stay within the chain: there is one term more than there are operators.
    const left = middle === low ? chain.terms[middle] : this.#balance(name, chain, low, middle - 1);
    const right = middle === high ? chain.terms[middle + 1] : this.#balance(name, chain, middle + 1, high);
    return this.#nodes.call(chain.offsets[middle] as number, name, [left as Expression, right as Expression]);
  }

  #relation(): Expression {
    return this.#chain('relation', RELATIONS, () => this.#sum());
  }

  #sum(): Expression {
    return this.#chain('calculation', SUMS, () => this.#chain('calculation', PRODUCTS, () => this.#unary()));
  }

  #chain(rule: Rule, operators: Readonly<Record<string, string>>, operand: () => Expression): Expression {
    const depth = this.#depths[rule];
    if (operators !== PRODUCTS) this.#enter(rule);
    let left = operand();
    for (;;) {
      const token = this.#reader.token;
      const isOperator = token.type === 'operator' || token.text === 'in';
      const name = isOperator && Object.hasOwn(operators, token.text) ? operators[token.text] : undefined;
      if (name === undefined || token.type === 'string') break;
      this.#reader.advance();
      this.#enter(rule);
      left = this.#nodes.call(token.offset, name, [left, operand()]);
    }
    this.#depths[rule] = depth;
    return left;
  }

  #unary(): Expression {
    const first = this.#reader.token;
    const isSign = first.text === '-' || first.text === '!';
    if (first.type !== 'operator' || !isSign || this.#isSignedLiteral()) return this.#member();
    let count = 0;
    while (this.#reader.take(first.text) !== undefined) count++;
    const operand = this.#member();
    if (count % 2 === 0) return operand;
    return this.#nodes.call(first.offset, first.text === '-' ? OPERATORS.negate : OPERATORS.not, [operand]);
  }

  #isSignedLiteral(): boolean {
    const next = this.#reader.peek(1).type;
    return this.#reader.isAt('-') && (next === 'int' || next === 'double');
  }

  #member(): Expression {
    const depth = this.#depths.member;
    this.#enter('member');
    let operand = this.#primary();
    for (;;) {
      const name = qualifiedName(operand);
      if (name !== undefined && this.#reader.isAt('{')) operand = this.#struct(name);
      else if (this.#reader.isAt('.')) operand = this.#selection(operand);
      else if (this.#reader.isAt('[')) operand = this.#indexing(operand);
      else break;
      this.#enter('member');
    }
    this.#depths.member = depth;
    return operand;
  }

  #selection(operand: Expression): Expression {
    const dot = this.#reader.expect('.');
    const isOptional = this.#reader.take('?') !== undefined;
    const name = this.#reader.token;
    if (!isIdentifier(name) && name.type !== 'escapedIdentifier') {
      if (KEYWORDS.has(name.text))
        this.#reader.stop(name.offset, `mismatched input '${name.text}' expecting IDENTIFIER`);
      this.#reader.stop(name.offset, `no viable alternative at input '${dot.text}${name.text}'`);
    }
    this.#reader.advance();
    const field = name.type === 'escapedIdentifier' ? name.text.slice(1, -1) : name.text;
    if (isOptional) {
      if (!this.#options.optionalSyntax) this.#reader.report(dot.offset, "unsupported syntax '.?'");
      const literal = this.#nodes.literal(name.offset, field);
      return this.#nodes.call(dot.offset, OPERATORS.optionalSelect, [operand, literal]);
    }
    if (name.type === 'identifier' && this.#reader.isAt('(')) {
      const offset = this.#reader.token.offset;
      return this.#callOrMacro(offset, { name: field, target: operand, args: this.#arguments() });
    }
    return this.#nodes.select(dot.offset, operand, field);
  }

  #indexing(operand: Expression): Expression {
    const { offset } = this.#reader.expect('[');
    const isOptional = this.#reader.take('?') !== undefined;
    if (isOptional && !this.#options.optionalSyntax) this.#reader.report(offset, "unsupported syntax '[?'");
    const index = this.#expression();
    this.#reader.expect(']');
    return this.#nodes.call(offset, isOptional ? OPERATORS.optionalIndex : OPERATORS.index, [operand, index]);
  }

  #arguments(): Expression[] {
    this.#reader.expect('(');
    const args: Expression[] = [];
    if (this.#reader.take(')') !== undefined) return args;
    do args.push(this.#expression());
    while (this.#reader.take(',') !== undefined);
    this.#reader.expect(')', "{')', ','}");
    return args;
  }

  #callOrMacro(offset: number, call: { name: string; target?: Expression; args: Expression[] }): Expression {
    const receiver = call.target === undefined ? 'global' : 'receiver';
    const macro = this.#options.macros.get(`${call.name}:${call.args.length}:${receiver}`);
    const macroAny = macro ?? this.#options.macros.get(`${call.name}:*:${receiver}`);
    if (macroAny !== undefined) {
      const expanded = macroAny({ nodes: this.#nodes, offset, target: call.target, args: call.args });
      if (expanded !== undefined && 'error' in expanded) {
        this.#reader.report(expanded.offset, expanded.error);
        return this.#nodes.literal(offset, null);
      }
      if (expanded !== undefined) return expanded;
    }
    return this.#nodes.call(offset, call.name, call.args, call.target);
  }

  #primary(): Expression {
    const token = this.#reader.token;
    if (token.type === 'operator') return this.#operatorPrimary(token);
    this.#reader.advance();
    switch (token.type) {
      case 'identifier':
        return this.#identifier(token, '');
      case 'int':
      case 'double':
        return this.#number(token, '');
      case 'uint':
        return this.#uint(token);
      case 'string':
        return this.#text(token, unescapeString(token.text));
      case 'bytes':
        return this.#text(token, unescapeBytes(token.text.slice(1)));
      case 'escapedIdentifier':
      case 'end':
        this.#reader.back();
        return this.#unexpected(token);
    }
  }

  #operatorPrimary(token: Token): Expression {
    this.#reader.advance();
    switch (token.text) {
      case '(': {
        const inner = this.#expression();
        this.#reader.expect(')');
        return inner;
      }
      case '[':
        return this.#list(token.offset);
      case '{':
        return this.#map(token.offset);
      case '-':
        if (this.#reader.token.type !== 'int' && this.#reader.token.type !== 'double') {
          this.#reader.back();
          return this.#unexpected(token);
        }
        this.#reader.advance();
        return this.#number(this.#reader.peek(-1), '-', token.offset);
      case '.': {
        const name = this.#reader.token;
        if (!isIdentifier(name))
          return this.#reader.stop(name.offset, `no viable alternative at input '.${name.text}'`);
        this.#reader.advance();
        return this.#identifier(name, '.');
      }
      default:
        this.#reader.back();
        return this.#unexpected(token);
    }
  }

  /** A token where an expression should begin; one such token before a good one is passed over. */
  #unexpected(token: Token): Expression {
    const next = this.#reader.peek(1);
    const nextStarts = next.type !== 'end' && (next.type !== 'operator' || '([{.-!'.includes(next.text));
    if (token.type === 'end' || !nextStarts) {
      return this.#reader.stop(token.offset, `mismatched input '${token.text}' expecting ${EXPRESSION_START}`);
    }
    this.#reader.report(token.offset, `Syntax error: extraneous input '${token.text}' expecting ${EXPRESSION_START}`);
    this.#reader.advance();
    return this.#member();
  }

  #identifier(token: Token, dot: string): Expression {
    const { text, offset } = token;
    if (dot === '' && text === 'true') return this.#nodes.literal(offset, true);
    if (dot === '' && text === 'false') return this.#nodes.literal(offset, false);
    if (dot === '' && text === 'null') return this.#nodes.literal(offset, null);
    if (text === 'in') {
      this.#reader.back();
      return this.#unexpected(token);
    }
    if (RESERVED.has(text) && !this.#isStructNameAhead()) this.#reader.report(offset, `reserved identifier: ${text}`);
    if (!this.#reader.isAt('(')) return this.#nodes.ident(offset, dot + text);
    const open = this.#reader.token.offset;
    return this.#callOrMacro(open, { name: dot + text, args: this.#arguments() });
  }

  /** Reserved words may be part of a message's name. */
  #isStructNameAhead(): boolean {
    let ahead = 0;
    while (this.#reader.peek(ahead).text === '.' && isIdentifier(this.#reader.peek(ahead + 1))) ahead += 2;
    const token = this.#reader.peek(ahead);
    return token.type === 'operator' && token.text === '{';
  }

  #number(token: Token, sign: string, offset = token.offset): Expression {
    if (token.type === 'double') {
      const value = Number(sign + token.text);
      if (!Number.isFinite(value)) this.#reader.report(offset, 'invalid double literal');
      return this.#nodes.double(offset, value);
    }
    const magnitude = BigInt(token.text);
    const value = sign === '-' ? -magnitude : magnitude;
    if (BigInt.asIntN(64, value) !== value) this.#reader.report(offset, 'invalid int literal');
    return this.#nodes.int(offset, value);
  }

  #uint(token: Token): Expression {
    const value = BigInt(token.text.slice(0, -1));
    if (BigInt.asUintN(64, value) !== value) this.#reader.report(token.offset, 'invalid uint literal');
    return this.#nodes.literal(token.offset, new CelUint(BigInt.asUintN(64, value)));
  }

  #text(token: Token, value: string | Uint8Array | undefined): Expression {
    if (value === undefined) this.#reader.report(token.offset, 'invalid unicode code point');
    return this.#nodes.literal(token.offset, value ?? '');
  }

  #list(offset: number): Expression {
    const elements: Expression[] = [];
    const optionals = new Set<number>();
    while (
      !this.#reader.isAt(']') &&
      !(this.#reader.isAt(',') && elements.length === 0 && this.#reader.peek(1).text === ']')
    ) {
      if (this.#optionalMark()) optionals.add(elements.length);
      elements.push(this.#expression());
      if (!this.#reader.isAt(',')) break;
      this.#reader.advance();
    }
    if (elements.length === 0) this.#reader.take(',');
    this.#reader.expect(']', "{',', ']'}");
    return this.#nodes.list(offset, elements, optionals);
  }

  #optionalMark(): boolean {
    const mark = this.#reader.take('?');
    if (mark !== undefined && !this.#options.optionalSyntax) this.#reader.report(mark.offset, "unsupported syntax '?'");
    return mark !== undefined;
  }

  #map(offset: number): Expression {
    const entries: MapEntry[] = [];
    if (this.#reader.isAt(',') && this.#reader.peek(1).text === '}') this.#reader.advance();
    while (!this.#reader.isAt('}')) {
      const isOptional = this.#optionalMark();
      const key = this.#expression();
      const colon = this.#reader.expect(':');
      entries.push({ id: this.#nodes.nextId(), offset: colon.offset, key, value: this.#expression(), isOptional });
      if (this.#reader.take(',') === undefined) break;
    }
    this.#reader.expect('}', "{',', '}'}");
    return this.#nodes.map(offset, entries);
  }

  #struct(name: string): Expression {
    const { offset } = this.#reader.expect('{');
    const fields: StructField[] = [];
    if (this.#reader.isAt(',') && this.#reader.peek(1).text === '}') this.#reader.advance();
    while (!this.#reader.isAt('}')) {
      const isOptional = this.#optionalMark();
      const token = this.#reader.token;
      if (!isIdentifier(token) && token.type !== 'escapedIdentifier') {
        this.#reader.stop(
          token.offset,
          `mismatched input '${token.text}' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}`,
        );
      }
      this.#reader.advance();
      const field = token.type === 'escapedIdentifier' ? token.text.slice(1, -1) : token.text;
      const colon = this.#reader.expect(':');
      fields.push({
        id: this.#nodes.nextId(),
        offset: colon.offset,
        name: field,
        value: this.#expression(),
        isOptional,
      });
      if (this.#reader.take(',') === undefined) break;
    }
    this.#reader.expect('}', "{',', '}'}");
    return this.#nodes.struct(offset, name, fields);
  }
}

function isIdentifier(token: Token): boolean {
  return token.type === 'identifier' && !KEYWORDS.has(token.text);
}
