import { CelError, celError, fail, isCostLimitError } from '../errors.ts';
import { type CallExpression, type Expression, OPERATORS } from '../syntax/ast.ts';
import type { CelType } from '../types/type.ts';
import { arithmetic, type ArithmeticOperator } from '../values/arithmetic.ts';
import { compareValues, isEqual } from '../values/equality.ts';
import { typeOf } from '../values/type-of.ts';
import { type CompileContext, NO_ROOT_COST } from './context.ts';
import { charge, type Frame, type Step } from './frame.ts';

/** Lists that grow beyond this end the evaluation: adding lists costs next to nothing, but takes memory. */
const LIST_LENGTH_MAX = 1_000_000;

/** Operators that are more than a call; undefined for all others. */
export function compileOperator(compiler: CompileContext, expression: CallExpression): Step | undefined {
  if (expression.target !== undefined) return undefined;
  const [left, right] = expression.args;
  if (left === undefined) return undefined;
  if (right === undefined) return expression.name === OPERATORS.not ? compileNot(compiler.compile(left)) : undefined;
  switch (expression.name) {
    case OPERATORS.and:
      return compileLogical(compiler.compile(left), compiler.compile(right), false);
    case OPERATORS.or:
      return compileLogical(compiler.compile(left), compiler.compile(right), true);
    case OPERATORS.conditional:
      return compileConditional(compiler, expression);
    case OPERATORS.equals:
    case OPERATORS.notEquals:
      return compileEquality(compiler, expression, left, right);
    case '_<_':
      return compileComparison(compiler, expression, { holds: (order) => order < 0 });
    case '_<=_':
      return compileComparison(compiler, expression, { holds: (order) => order <= 0 });
    case '_>_':
      return compileComparison(compiler, expression, { holds: (order) => order > 0 });
    case '_>=_':
      return compileComparison(compiler, expression, { holds: (order) => order >= 0 });
    case '_+_':
    case '_-_':
    case '_*_':
    case '_/_':
    case '_%_':
      return compileArithmetic(compiler, expression, expression.name);
    case OPERATORS.in:
      return compileConstantMembership(compiler, expression, left, right);
    default:
      return undefined;
  }
}

function compileNot(operand: Step): Step {
  return (frame) => {
    const value = operand(frame);
    charge(frame, 1);
    return typeof value === 'boolean' ? !value : fail('no such overload');
  };
}

/** `&&` decides by false and `||` by true; an error on one side is forgotten when the other side decides. */
function compileLogical(left: Step, right: Step, deciding: boolean): Step {
  return (frame) => {
    let first: unknown;
    try {
      first = left(frame);
    } catch (error) {
      first = absorbable(error);
    }
    if (first === deciding) return deciding;
    if (first !== !deciding) return right(frame) === deciding ? deciding : raise(first);
    const second = right(frame);
    return typeof second === 'boolean' ? second : raise(second);
  };
}

/** An error that a logical operator may forget; others go on. */
export function absorbable(error: unknown): CelError {
  if (error instanceof CelError && !isCostLimitError(error)) return error;
  throw error;
}

function raise(value: unknown): never {
  throw value instanceof CelError ? value : celError('no such overload');
}

function compileConditional(compiler: CompileContext, expression: CallExpression): Step {
  const [condition, ifTrue, ifFalse] = expression.args;
  if (condition === undefined || ifTrue === undefined || ifFalse === undefined) return () => fail('no such overload');
  const test = compiler.compile(condition);
  const branch = (node: Expression): Step =>
    compiler.isAttribute(node) ? compiler.compile(node, NO_ROOT_COST) : compiler.compile(node);
  const whenTrue = branch(ifTrue);
  const whenFalse = branch(ifFalse);
  return (frame) => {
    const value = test(frame);
    if (value === true) return whenTrue(frame);
    return value === false ? whenFalse(frame) : fail('no such overload');
  };
}

/** Kinds whose equality costs one whatever the other side is. */
const FIXED_SIZE_KINDS: ReadonlySet<CelType['kind']> = new Set([
  'bool',
  'int',
  'uint',
  'double',
  'null',
  'timestamp',
  'duration',
  'type',
]);

function compileEquality(
  compiler: CompileContext,
  expression: CallExpression,
  left: Expression,
  right: Expression,
): Step {
  const first = compiler.compile(left);
  const second = compiler.compile(right);
  const leftType = compiler.checked.typeOf(left);
  const rightType = compiler.checked.typeOf(right);
  const same = leftType.isEqual ?? rightType.isEqual ?? isEqual;
  const wanted = expression.name === OPERATORS.equals;
  if (FIXED_SIZE_KINDS.has(leftType.kind) || FIXED_SIZE_KINDS.has(rightType.kind)) {
    return (frame) => {
      const a = first(frame);
      const b = second(frame);
      charge(frame, 1);
      return same(a, b) === wanted;
    };
  }
  const cost = compiler.options.costs(expression.name, wanted ? 'equals' : 'not_equals');
  return (frame) => {
    const a = first(frame);
    const b = second(frame);
    // Names and other short strings cost one; this spares counting code points.
    const isShort = typeof a === 'string' && typeof b === 'string' && isShortText(a) && isShortText(b);
    charge(frame, isShort ? 1 : cost([a, b], undefined));
    return same(a, b) === wanted;
  };
}

function isShortText(text: string): boolean {
  return text.length > 0 && text.length <= 10;
}

function compileComparison(
  compiler: CompileContext,
  expression: CallExpression,
  { holds }: { holds: (order: number) => boolean },
): Step {
  const { first, second, cost } = binary(compiler, expression);
  return (frame) => {
    const a = first(frame);
    const b = second(frame);
    cost(frame, a, b);
    if (typeof a === 'number' && typeof b === 'number') {
      if (a === b) return holds(0);
      if (a < b) return holds(-1);
      if (a > b) return holds(1);
    }
    return holds(compareValues(a, b) ?? operatorError(expression.name, a));
  };
}

function compileArithmetic(compiler: CompileContext, expression: CallExpression, operator: ArithmeticOperator): Step {
  const { first, second, cost } = binary(compiler, expression);
  const [left, right] = expression.args;
  const concat = operator === '_+_' ? listConcat(compiler, left, right) : undefined;
  return (frame) => {
    const a = first(frame);
    const b = second(frame);
    cost(frame, a, b);
    if (Array.isArray(a) && Array.isArray(b) && operator === '_+_') {
      if (a.length + b.length > LIST_LENGTH_MAX) fail('list too long');
      if (concat !== undefined) return concat(a, b);
    }
    return arithmetic(operator, a, b) ?? operatorError(operator, a);
  };
}

const NUMBER_KINDS: readonly CelType['kind'][] = ['int', 'uint', 'double'];
const COMPARABLE_KINDS: readonly CelType['kind'][] = [
  ...NUMBER_KINDS,
  'bool',
  'string',
  'bytes',
  'timestamp',
  'duration',
];

/** The kinds that an operator works on with some other side; comparisons are not listed. */
const OPERAND_KINDS: Readonly<Record<string, readonly CelType['kind'][]>> = {
  '_+_': [...NUMBER_KINDS, 'string', 'bytes', 'list', 'timestamp', 'duration'],
  '_-_': [...NUMBER_KINDS, 'timestamp', 'duration'],
  '_*_': NUMBER_KINDS,
  '_/_': NUMBER_KINDS,
  '_%_': ['int', 'uint'],
};

/** cel-go names the operator only where its left side could never be one of its operands. */
function operatorError(operator: string, left: unknown): never {
  const kinds = OPERAND_KINDS[operator] ?? COMPARABLE_KINDS;
  return fail(kinds.includes(typeOf(left).kind) ? 'no such overload' : `no such overload: ${operator}`);
}

function listConcat(
  compiler: CompileContext,
  left: Expression | undefined,
  right: Expression | undefined,
): CelType['concat'] {
  const ofLeft = left === undefined ? undefined : compiler.checked.typeOf(left).concat;
  return ofLeft ?? (right === undefined ? undefined : compiler.checked.typeOf(right).concat);
}

interface BinaryCall {
  readonly first: Step;
  readonly second: Step;
  readonly cost: (frame: Frame, left: unknown, right: unknown) => void;
}

function binary(compiler: CompileContext, expression: CallExpression): BinaryCall {
  const [left, right] = expression.args;
  if (left === undefined || right === undefined) throw new Error('a binary operator has two operands');
  const reference = compiler.checked.reference(expression);
  const overloads = reference?.type === 'function' ? reference.overloads : [];
  const id = overloads.length === 1 ? (overloads[0]?.id ?? '') : '';
  const cost = compiler.options.costs(expression.name, id);
  const isFixed = overloads.every((candidate) => candidate.args.every((type) => FIXED_SIZE_KINDS.has(type.kind)));
  return {
    first: compiler.compile(left),
    second: compiler.compile(right),
    cost: isFixed || id === '' ? (frame) => charge(frame, 1) : (frame, a, b) => charge(frame, cost([a, b], undefined)),
  };
}

/** `x in ['a', 'b']` of constants looks into a set, which costs nothing (cel-go's optimizer does the same). */
function compileConstantMembership(
  compiler: CompileContext,
  expression: CallExpression,
  value: Expression,
  list: Expression,
): Step | undefined {
  const reference = compiler.checked.reference(expression);
  const overloads = reference?.type === 'function' ? reference.overloads : [];
  const elements = compiler.options.foldConstants ? compiler.constantOf(list)?.value : undefined;
  if (overloads.length !== 1 || overloads[0]?.id !== 'in_list' || !Array.isArray(elements)) return undefined;
  if (elements.length === 0) return () => false;
  const isPrimitive = (element: unknown): boolean => element === null || typeof element !== 'object';
  if (!elements.every(isPrimitive)) return undefined;
  const members = new Set<unknown>(elements);
  const step = compiler.compile(value);
  return (frame) => {
    const found = step(frame);
    return members.has(found) || (typeof found === 'object' && elements.some((element) => isEqual(element, found)));
  };
}
