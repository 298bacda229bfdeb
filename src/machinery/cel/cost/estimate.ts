import type { CheckedExpression } from '../checker/checked.ts';
import { LIST_COST, MAP_COST, SELECT_COST, STRUCT_COST } from '../runtime/frame.ts';
import {
  ACCUMULATOR,
  type CallExpression,
  type ComprehensionExpression,
  type Expression,
  isBind,
  type ListExpression,
  type MapExpression,
  type SelectExpression,
} from '../syntax/ast.ts';
import type { CelType } from '../types/type.ts';
import { sizeOf } from '../values/type-of.ts';
import { standardEstimate } from './estimate-functions.ts';
import { exactly, type Interval, NOTHING, ONE, product, sum, union, UNKNOWN } from './interval.ts';
import type { CostEstimate, EntrySizes, EstimatorOptions, SizedNode } from './node.ts';

export type { CostEstimate, EstimatorOptions, FunctionCostEstimator, SizedNode, SizeEstimator } from './node.ts';

interface LocalVariable {
  readonly path: readonly string[];
  readonly size: Interval | undefined;
  readonly entries: EntrySizes | undefined;
}

/** The least and the most that an expression can cost, as cel-go estimates it. */
export function estimateCost(checked: CheckedExpression, options: EstimatorOptions): CostEstimate {
  return new Estimator(checked, options).cost(checked.expression);
}

class Estimator {
  readonly #checked: CheckedExpression;
  readonly #options: EstimatorOptions;
  readonly #paths = new Map<number, readonly string[]>();
  readonly #sizes = new Map<number, Interval>();
  readonly #entries = new Map<number, EntrySizes>();
  readonly #locals = new Map<string, LocalVariable[]>();

  constructor(checked: CheckedExpression, options: EstimatorOptions) {
    this.#checked = checked;
    this.#options = options;
  }

  cost(expression: Expression): Interval {
    switch (expression.type) {
      case 'literal':
        return NOTHING;
      case 'ident':
        return this.#identCost(expression, expression.name);
      case 'select':
        return this.#selectCost(expression);
      case 'call':
        return this.#callCost(expression);
      case 'list':
        return this.#listCost(expression);
      case 'map':
        return this.#mapCost(expression);
      case 'struct':
        return sum(exactly(STRUCT_COST), ...expression.fields.map((field) => this.cost(field.value)));
      case 'comprehension':
        return isBind(expression) ? this.#bindCost(expression) : this.#comprehensionCost(expression);
    }
  }

  #identCost(expression: Expression, name: string): Interval {
    this.#paths.set(expression.id, this.#local(name)?.path ?? [name]);
    return exactly(SELECT_COST);
  }

  #selectCost(expression: SelectExpression): Interval {
    const reference = this.#checked.reference(expression);
    if (reference?.type === 'variable') return this.#identCost(expression, reference.name.replace(/^\./, ''));
    if (reference?.type === 'constant') return this.#identCost(expression, expression.field);
    const operand = this.cost(expression.operand);
    if (expression.isTest) return operand;
    const { kind } = this.#checked.typeOf(expression.operand);
    this.#paths.set(expression.id, [...this.#path(expression.operand), expression.field]);
    return kind === 'map' || kind === 'struct' ? sum(operand, exactly(SELECT_COST)) : operand;
  }

  #callCost(expression: CallExpression): Interval {
    const reference = this.#checked.reference(expression);
    const { args } = expression;
    if (expression.name === 'dyn' && args[0] !== undefined) return this.#dynCost(expression, args[0]);
    const argCosts = args.map((arg) => this.cost(arg));
    const argNodes = args.map((arg) => this.#node(arg));
    if (reference?.type !== 'function') return NOTHING;
    const receiver = reference.isNamespaced ? undefined : expression.target;
    const targetCost = receiver === undefined ? NOTHING : this.cost(receiver);
    const target = receiver === undefined ? undefined : this.#node(receiver);
    let cost: Interval | undefined;
    let resultSize: Interval | undefined;
    for (const { id } of reference.overloads) {
      const call = { name: reference.declaration.name, overloadId: id, target, args: argNodes };
      const estimate = this.#options.functions({ ...call, sizeOf: (node) => this.#sizeOrUnknown(node) });
      const known = estimate ?? this.#standard(expression, call, argCosts);
      const total = estimate === undefined ? known.cost : sum(known.cost, ...argCosts);
      cost = cost === undefined ? total : union(cost, total);
      if (known.resultSize !== undefined) {
        resultSize = resultSize === undefined ? known.resultSize : union(resultSize, known.resultSize);
      }
      resultSize = this.#indexed(expression, id) ?? resultSize ?? this.#computeSize(expression);
    }
    if (resultSize !== undefined) this.#sizes.set(expression.id, resultSize);
    return sum(targetCost, cost ?? NOTHING);
  }

  #standard(
    expression: CallExpression,
    call: { name: string; overloadId: string; target: SizedNode | undefined; args: readonly SizedNode[] },
    argCosts: readonly Interval[],
  ): { cost: Interval; resultSize?: Interval } {
    const [first, second, third] = expression.args;
    if (call.overloadId === 'conditional' && second !== undefined && third !== undefined) {
      this.#setEntries(expression, unionEntries(this.#entrySizes(second), this.#entrySizes(third)));
    }
    if (call.overloadId.startsWith('add_') && first !== undefined && second !== undefined) {
      this.#setEntries(expression, unionEntries(this.#entrySizes(first), this.#entrySizes(second)));
    }
    return standardEstimate({ ...call, sizeOf: (node) => node.size ?? UNKNOWN }, argCosts);
  }

  /** Notes where the element of a list or map comes from. */
  #indexed(expression: CallExpression, overloadId: string): Interval | undefined {
    const [container] = expression.args;
    if (container === undefined || (overloadId !== 'index_list' && overloadId !== 'index_map')) return undefined;
    const step = overloadId === 'index_list' ? '@items' : '@values';
    this.#paths.set(expression.id, [...this.#path(container), step]);
    return this.#entrySizes(container)?.value;
  }

  #dynCost(expression: CallExpression, arg: Expression): Interval {
    const cost = this.cost(arg);
    this.#copySizes(expression, arg);
    return sum(ONE, cost);
  }

  #listCost(expression: ListExpression): Interval {
    let total = exactly(LIST_COST);
    let size: Interval = { min: expression.elements.length === 0 ? 0 : Infinity, max: 0 };
    for (const element of expression.elements) {
      total = sum(total, this.cost(element));
      size = union(size, this.#computeSize(element) ?? UNKNOWN);
    }
    this.#entries.set(expression.id, { container: 'list', key: ONE, value: size });
    return total;
  }

  #mapCost(expression: MapExpression): Interval {
    let total = exactly(MAP_COST);
    const none: Interval = { min: expression.entries.length === 0 ? 0 : Infinity, max: 0 };
    let key = none;
    let value = none;
    for (const entry of expression.entries) {
      total = sum(total, this.cost(entry.key), this.cost(entry.value));
      key = union(key, this.#computeSize(entry.key) ?? UNKNOWN);
      value = union(value, this.#computeSize(entry.value) ?? UNKNOWN);
    }
    this.#entries.set(expression.id, { container: 'map', key, value });
    return total;
  }

  #bindCost(expression: ComprehensionExpression): Interval {
    const cost = sum(this.cost(expression.range), this.cost(expression.initial));
    this.#push(expression.accumulator, this.#boundVariable(expression.initial));
    const result = this.cost(expression.result);
    this.#pop(expression.accumulator);
    this.#copySizes(expression, expression.result);
    return sum(cost, result);
  }

  #comprehensionCost(expression: ComprehensionExpression): Interval {
    const { range, initial, variable, variable2, accumulator } = expression;
    const before = sum(this.cost(range), this.cost(initial));
    this.#push(accumulator, this.#boundVariable(initial));
    if (variable2 === undefined) {
      this.#push(variable, this.#iterationVariable(range, this.#containerKind(range) === 'list' ? 'value' : 'key'));
    } else {
      this.#push(variable, this.#iterationVariable(range, 'key'));
      this.#push(variable2, this.#iterationVariable(range, 'value'));
    }
    const perElement = sum(this.cost(expression.condition), this.cost(expression.step));
    this.#pop(variable);
    if (variable2 !== undefined) this.#pop(variable2);
    const result = this.cost(expression.result);
    this.#pop(accumulator);
    const count = this.#computeSize(range) ?? UNKNOWN;
    if (initial.type === 'literal') {
      this.#setSize(expression, this.#computeSize(initial));
    } else if (initial.type === 'list' || initial.type === 'map') {
      this.#setSize(expression, count);
      this.#setEntries(expression, this.#entrySizes(expression.step));
    }
    return sum(before, result, product(count, perElement));
  }

  #containerKind(range: Expression): CelType['kind'] {
    return this.#entrySizes(range)?.container ?? this.#checked.typeOf(range).kind;
  }

  #iterationVariable(range: Expression, part: 'key' | 'value'): LocalVariable {
    const isList = this.#containerKind(range) === 'list';
    const steps = isList ? { key: '@indices', value: '@items' } : { key: '@keys', value: '@values' };
    return { path: [...this.#path(range), steps[part]], size: this.#entrySizes(range)?.[part], entries: undefined };
  }

  #boundVariable(value: Expression): LocalVariable {
    return { path: this.#path(value), size: this.#computeSize(value), entries: this.#entrySizes(value) };
  }

  #push(name: string, variable: LocalVariable): void {
    this.#locals.set(name, [...(this.#locals.get(name) ?? []), variable]);
  }

  #pop(name: string): void {
    this.#locals.set(name, (this.#locals.get(name) ?? []).slice(0, -1));
  }

  #local(name: string): LocalVariable | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #path(expression: Expression): readonly string[] {
    const local = expression.type === 'ident' ? this.#local(expression.name) : undefined;
    return local?.path ?? this.#paths.get(expression.id) ?? [];
  }

  /** What estimators are told; paths that begin at an accumulator lead nowhere. */
  #node(expression: Expression): SizedNode {
    const path = this.#path(expression);
    return {
      path: path[0] === ACCUMULATOR ? [] : path,
      type: this.#checked.typeOf(expression),
      expression,
      size: this.#computeSize(expression),
    };
  }

  #sizeOrUnknown(node: SizedNode): Interval {
    return node.size ?? this.#options.sizes(node) ?? UNKNOWN;
  }

  #setSize(expression: Expression, size: Interval | undefined): void {
    if (size !== undefined) this.#sizes.set(expression.id, size);
  }

  #setEntries(expression: Expression, entries: EntrySizes | undefined): void {
    if (entries !== undefined) this.#entries.set(expression.id, entries);
  }

  #copySizes(to: Expression, from: Expression): void {
    this.#setSize(to, this.#computeSize(from));
    this.#setEntries(to, this.#entrySizes(from));
  }

  #computeSize(expression: Expression): Interval | undefined {
    const known = this.#sizes.get(expression.id) ?? literalSize(expression);
    if (known !== undefined) return known;
    const type = this.#checked.typeOf(expression);
    const estimated = this.#options.sizes({ path: this.#path(expression), type, expression, size: undefined });
    if (estimated !== undefined) {
      this.#sizes.set(expression.id, estimated);
      return estimated;
    }
    if (isScalar(type)) return ONE;
    return expression.type === 'ident' ? this.#local(expression.name)?.size : undefined;
  }

  #entrySizes(expression: Expression): EntrySizes | undefined {
    const known = this.#entries.get(expression.id);
    if (known !== undefined) return known;
    return expression.type === 'ident' ? this.#local(expression.name)?.entries : undefined;
  }
}

function unionEntries(left: EntrySizes | undefined, right: EntrySizes | undefined): EntrySizes | undefined {
  if (left === undefined || right === undefined) return undefined;
  return { container: left.container, key: union(left.key, right.key), value: union(left.value, right.value) };
}

function literalSize(expression: Expression): Interval | undefined {
  switch (expression.type) {
    case 'literal':
      return exactly(sizeOf(expression.value));
    case 'list':
      return exactly(expression.elements.length);
    case 'map':
      return exactly(expression.entries.length);
    default:
      return undefined;
  }
}

function isScalar(type: CelType): boolean {
  switch (type.kind) {
    case 'bool':
    case 'double':
    case 'duration':
    case 'int':
    case 'timestamp':
    case 'uint':
      return true;
    case 'opaque':
      return type.name === 'optional_type' && type.parameters[0] !== undefined && isScalar(type.parameters[0]);
    default:
      return false;
  }
}
