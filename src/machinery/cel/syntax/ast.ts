/** Numbers of the nodes run from 1 without gaps; tables of types and references are indexed by them. */
export type Expression =
  | LiteralExpression
  | IdentExpression
  | SelectExpression
  | CallExpression
  | ListExpression
  | MapExpression
  | StructExpression
  | ComprehensionExpression;

interface Node {
  readonly id: number;
  /** UTF-16 offset in the source that an error about this node points at. */
  readonly offset: number;
}

export interface LiteralExpression extends Node {
  readonly type: 'literal';
  /** A CEL value: null, boolean, int, uint, double, string or bytes. */
  readonly value: unknown;
}

export interface IdentExpression extends Node {
  readonly type: 'ident';
  /** May begin with a dot, which means the root namespace. */
  readonly name: string;
}

export interface SelectExpression extends Node {
  readonly type: 'select';
  readonly operand: Expression;
  readonly field: string;
  /** Made by `has()`: the value is whether the field is there. */
  readonly isTest: boolean;
}

export interface CallExpression extends Node {
  readonly type: 'call';
  readonly name: string;
  readonly target: Expression | undefined;
  readonly args: readonly Expression[];
}

export interface ListExpression extends Node {
  readonly type: 'list';
  readonly elements: readonly Expression[];
  /** Indexes of the elements written `?e`. */
  readonly optionals: ReadonlySet<number>;
}

export interface MapEntry extends Node {
  readonly key: Expression;
  readonly value: Expression;
  readonly isOptional: boolean;
}

export interface MapExpression extends Node {
  readonly type: 'map';
  readonly entries: readonly MapEntry[];
}

export interface StructField extends Node {
  readonly name: string;
  readonly value: Expression;
  readonly isOptional: boolean;
}

export interface StructExpression extends Node {
  readonly type: 'struct';
  readonly name: string;
  readonly fields: readonly StructField[];
}

/** What a macro expands to: a loop over a list or a map that folds into an accumulator. */
export interface ComprehensionExpression extends Node {
  readonly type: 'comprehension';
  readonly range: Expression;
  readonly variable: string;
  /** Of the two-variable forms: then `variable` is the index or key and this is the value. */
  readonly variable2: string | undefined;
  readonly accumulator: string;
  readonly initial: Expression;
  readonly condition: Expression;
  readonly step: Expression;
  readonly result: Expression;
}

/** The accumulator of the macros; not writable in an expression, so it never hides a variable. */
export const ACCUMULATOR = '@result';

/** The iteration variable of `cel.bind`, which has none. */
export const UNUSED_VARIABLE = '#unused';

/** Names of the operators' functions, which appear in error messages. */
export const OPERATORS = {
  and: '_&&_',
  or: '_||_',
  not: '!_',
  negate: '-_',
  conditional: '_?_:_',
  equals: '_==_',
  notEquals: '_!=_',
  index: '_[_]',
  optionalIndex: '_[?_]',
  optionalSelect: '_?._',
  in: '@in',
  notStrictlyFalse: '@not_strictly_false',
  add: '_+_',
} as const;

/** A bind is a comprehension over nothing whose accumulator is the bound value. */
export function isBind(comprehension: ComprehensionExpression): boolean {
  const { range, condition, accumulator } = comprehension;
  return (
    range.type === 'list' &&
    range.elements.length === 0 &&
    condition.type === 'literal' &&
    condition.value === false &&
    accumulator !== ACCUMULATOR
  );
}

/** `a.b.c` where the expression is nothing but names. */
export function qualifiedName(expression: Expression): string | undefined {
  const fields: string[] = [];
  let node = expression;
  while (node.type === 'select' && !node.isTest) {
    fields.push(node.field);
    node = node.operand;
  }
  return node.type === 'ident' ? [node.name, ...fields.reverse()].join('.') : undefined;
}
