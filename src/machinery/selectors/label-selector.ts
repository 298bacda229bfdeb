import { fieldErrorText, invalidValue } from '../field/field-error.ts';
import { FieldPath } from '../field/field-path.ts';
import type { LabelSelector } from '../meta/types.ts';
import { isQualifiedName, isValidLabelValue } from '../validation/names.ts';
import { type Token, tokenize } from './label-tokens.ts';

export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  /** Sorted; empty for `exists` and `!`. */
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** A compiled label selector: the conjunction of its requirements. Immutable. */
export interface LabelMatcher {
  matches(labels: Labels | undefined): boolean;
  /** The text form, which parses back to the same selector. */
  toString(): string;
  readonly isEverything: boolean;
  /** Matches no object at all: what an absent selector of an object means. */
  readonly isNothing: boolean;
  /** Sorted by key. */
  readonly requirements: readonly LabelRequirement[];
  /** The one value that the selector demands of a label, if it demands one. */
  exactValue(key: string): string | undefined;
}

/** A selector's text is wrong. The message is fit for a 400 answer. */
export class SelectorError extends Error {
  readonly code = 'SELECTOR';

  constructor(message: string) {
    super(message);
    this.name = 'SelectorError';
  }
}

/** Parses the text form (`app=web,tier in (a,b),!legacy`); throws `SelectorError`. */
export function parseLabelSelector(text: string): LabelMatcher {
  return matcherOf(new LabelSelectorParser(tokenize(text)).parse());
}

/** Compiles an object's selector. Absent selects nothing, empty everything. Throws `SelectorError`. */
export function compileLabelSelector(selector: LabelSelector | undefined): LabelMatcher {
  if (selector === undefined) return NOTHING;
  const requirements = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => requirement(key, '=', [value]));
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const known = EXPRESSION_OPERATORS.get(operator);
    if (known === undefined) throw new SelectorError(`"${operator}" is not a valid label selector operator`);
    requirements.push(requirement(key, known, values));
  }
  return matcherOf(requirements);
}

/** The selector of a Service or ReplicationController: each label must be equal. Nothing is checked. */
export function labelSelectorFromSet(labels: Labels | undefined): LabelMatcher {
  return matcherOf(
    Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: '=' as const, values: [value] })),
  );
}

const EXPRESSION_OPERATORS: ReadonlyMap<string, LabelOperator> = new Map([
  ['In', 'in'],
  ['NotIn', 'notin'],
  ['Exists', 'exists'],
  ['DoesNotExist', '!'],
]);

const BINARY_OPERATORS = 'in, notin, =, ==, !=, gt, lt';

function matcherOf(unsorted: readonly LabelRequirement[]): LabelMatcher {
  const requirements = unsorted.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const tests = requirements.map(compileRequirement);
  return {
    matches: (labels = {}) => {
      for (const test of tests) if (!test(labels)) return false;
      return true;
    },
    toString: () => requirements.map(requirementText).join(','),
    isEverything: requirements.length === 0,
    isNothing: false,
    requirements,
    exactValue: (key) => {
      const found = requirements.find((candidate) => candidate.key === key);
      const isExact = found?.operator === '=' || found?.operator === '==' || found?.operator === 'in';
      return isExact && found.values.length === 1 ? found.values[0] : undefined;
    },
  };
}

const NOTHING: LabelMatcher = {
  matches: () => false,
  toString: () => '',
  isEverything: false,
  isNothing: true,
  requirements: [],
  exactValue: () => undefined,
};

function lookup(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function compileRequirement({ key, operator, values }: LabelRequirement): (labels: Labels) => boolean {
  const [first = ''] = values;
  const set = new Set(values);
  switch (operator) {
    case '=':
    case '==':
      return (labels) => lookup(labels, key) === first;
    case 'in':
      return (labels) => {
        const value = lookup(labels, key);
        return value !== undefined && set.has(value);
      };
    case '!=':
      return (labels) => lookup(labels, key) !== first;
    case 'notin':
      return (labels) => {
        const value = lookup(labels, key);
        return value === undefined || !set.has(value);
      };
    case 'exists':
      return (labels) => lookup(labels, key) !== undefined;
    case '!':
      return (labels) => lookup(labels, key) === undefined;
    case 'gt':
    case 'lt':
      return (labels) => compareIntegers(lookup(labels, key), first, operator);
    default:
      return operator satisfies never;
  }
}

function compareIntegers(label: string | undefined, bound: string, operator: 'gt' | 'lt'): boolean {
  const left = label === undefined ? undefined : parseInt64(label);
  const right = parseInt64(bound);
  if (left === undefined || right === undefined) return false;
  return operator === 'gt' ? left > right : left < right;
}

/** A 64-bit integer in decimal; `undefined` where the text is none. */
export function parseInt64(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

const OPERATOR_TEXT: Readonly<Record<LabelOperator, string>> = {
  '=': '=',
  '==': '==',
  '!=': '!=',
  in: ' in ',
  notin: ' notin ',
  gt: '>',
  lt: '<',
  exists: '',
  '!': '',
};

function requirementText({ key, operator, values }: LabelRequirement): string {
  if (operator === 'exists') return key;
  if (operator === '!') return `!${key}`;
  const list = values.join(',');
  const isSet = operator === 'in' || operator === 'notin';
  return `${key}${OPERATOR_TEXT[operator]}${isSet ? `(${list})` : list}`;
}

/** Builds a checked requirement; the messages of several problems are joined as upstream joins them. */
function requirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const texts: string[] = [];
  const fail = (path: FieldPath, value: unknown, detail: string): void => {
    texts.push(fieldErrorText(invalidValue(path, value, detail)));
  };
  const keyMessages = isQualifiedName(key);
  if (keyMessages.length > 0) fail(new FieldPath('key'), key, keyMessages.join('; '));
  const path = new FieldPath('values');
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    fail(path, values, "for 'in', 'notin' operators, values set can't be empty");
  }
  if ((operator === 'exists' || operator === '!') && values.length > 0) {
    fail(path, values, 'values set must be empty for exists and does not exist');
  }
  for (const [index, value] of values.entries()) {
    if ((operator === 'gt' || operator === 'lt') && parseInt64(value) === undefined) {
      fail(path.index(index), value, "for 'Gt', 'Lt' operators, the value must be an integer");
    }
  }
  for (const [index, value] of values.entries()) {
    const messages = isValidLabelValue(value);
    if (messages.length > 0) fail(path.index(index).key(key), value, messages.join('; '));
  }
  if (texts.length > 0) throw new SelectorError(texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`);
  return { key, operator, values: values.toSorted() };
}

/** Recursive descent over the tokens, with upstream's complaints. */
class LabelSelectorParser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.type === 'end') return requirements;
      if (!startsRequirement(token)) {
        throw new SelectorError(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const separator = this.#take();
      if (separator.type === 'end') return requirements;
      if (separator.type !== ',') {
        throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`);
      }
      const following = this.#peek();
      if (!startsRequirement(following)) {
        throw new SelectorError(`found '${following.text}', expected: identifier after ','`);
      }
    }
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? END;
  }

  #take(): Token {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #requirement(): LabelRequirement {
    try {
      return this.#parseRequirement();
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error;
      throw new SelectorError(`unable to parse requirement: ${error.message}`);
    }
  }

  #parseRequirement(): LabelRequirement {
    let token = this.#take();
    const isNegated = token.type === '!';
    if (isNegated) token = this.#take();
    if (!isIdentifier(token)) throw new SelectorError(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const keyMessages = isQualifiedName(key);
    if (keyMessages.length > 0) {
      throw new SelectorError(fieldErrorText(invalidValue(new FieldPath(), key, keyMessages.join('; '))));
    }
    if (isNegated) return requirement(key, '!', []);
    const following = this.#peek().type;
    if (following === 'end' || following === ',') return requirement(key, 'exists', []);
    const operator = this.#take();
    switch (operator.type) {
      case 'in':
      case 'notin':
        return requirement(key, operator.type, this.#values());
      case '=':
      case '==':
      case '!=':
        return requirement(key, operator.type, [this.#exactValue()]);
      case '>':
        return requirement(key, 'gt', [this.#exactValue()]);
      case '<':
        return requirement(key, 'lt', [this.#exactValue()]);
      default:
        throw new SelectorError(`found '${operator.text}', expected: ${BINARY_OPERATORS}`);
    }
  }

  #exactValue(): string {
    const next = this.#peek().type;
    if (next === 'end' || next === ',') return '';
    const token = this.#take();
    if (!isIdentifier(token)) throw new SelectorError(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #values(): string[] {
    const open = this.#take();
    if (open.type !== '(') throw new SelectorError(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (first.type === ')') {
      this.#take();
      return [''];
    }
    if (!isIdentifier(first) && first.type !== ',') {
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = this.#identifiers();
    const close = this.#take();
    if (close.type !== ')') throw new SelectorError(`found '${first.text}', expected: ')'`);
    return values;
  }

  /** A list whose items may be empty, up to the closing parenthesis. */
  #identifiers(): string[] {
    const values = new Set<string>();
    for (;;) {
      const token = this.#take();
      if (isIdentifier(token)) {
        values.add(token.text);
        const next = this.#peek();
        if (next.type === ')') return [...values];
        if (next.type !== ',') throw new SelectorError(`found '${next.text}', expected: ',' or ')'`);
      } else if (token.type === ',') {
        if (values.size === 0) values.add('');
        const next = this.#peek().type;
        if (next === ')' || next === ',') values.add('');
        if (next === ')') return [...values];
      } else {
        throw new SelectorError(`found '${token.text}', expected: ',', or identifier`);
      }
    }
  }
}

const END: Token = { type: 'end', text: '' };

function startsRequirement(token: Token): boolean {
  return token.type === '!' || isIdentifier(token);
}

// `in` and `notin` are keywords only where an operator is expected.
function isIdentifier(token: Token): boolean {
  return token.type === 'identifier' || token.type === 'in' || token.type === 'notin';
}
