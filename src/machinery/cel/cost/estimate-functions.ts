import { REGEX_FACTOR } from '../runtime/frame.ts';
import { exactly, type Interval, ONE, product, scaled, sum, traversed, union } from './interval.ts';
import type { CallEstimate, EstimatedCall } from './node.ts';

/** cel-go's estimates of the language's own functions; the arguments' costs are part of the result. */
export function standardEstimate(call: EstimatedCall, argCosts: readonly Interval[]): CallEstimate {
  const special = lazyEstimate(call, argCosts) ?? sizedEstimate(call, argCosts);
  return special ?? { cost: sum(ONE, ...argCosts) };
}

/** Operators that may leave an operand unevaluated. */
function lazyEstimate(call: EstimatedCall, argCosts: readonly Interval[]): CallEstimate | undefined {
  const [first, second, third] = argCosts;
  if (first === undefined || second === undefined) return undefined;
  if (call.overloadId === 'logical_and' || call.overloadId === 'logical_or') {
    return { cost: { min: first.min, max: first.max + second.max } };
  }
  if (call.overloadId !== 'conditional' || third === undefined) return undefined;
  const [, ifTrue, ifFalse] = call.args;
  const cost = sum(first, union(second, third));
  if (ifTrue === undefined || ifFalse === undefined) return { cost };
  return { cost, resultSize: union(call.sizeOf(ifTrue), call.sizeOf(ifFalse)) };
}

function sizedEstimate(call: EstimatedCall, argCosts: readonly Interval[]): CallEstimate | undefined {
  const { overloadId, target, args } = call;
  const [first, second] = args;
  const withArguments = (cost: Interval, resultSize?: Interval): CallEstimate =>
    resultSize === undefined ? { cost: sum(cost, ...argCosts) } : { cost: sum(cost, ...argCosts), resultSize };
  if (overloadId === 'string_format' && target !== undefined) return withArguments(traversed(call.sizeOf(target)));
  if (first === undefined) return undefined;
  const size = call.sizeOf(first);
  switch (overloadId) {
    case 'string_to_bytes':
      return withArguments(traversed(size), { min: size.min, max: size.max * 4 });
    case 'bytes_to_string':
      return withArguments(traversed(size), { min: Math.floor(size.min / 4), max: size.max });
    case 'strings_quote':
      return withArguments(traversed(size), { min: size.min + 2, max: size.max * 2 + 2 });
    case 'starts_with_string':
    case 'ends_with_string':
      return withArguments(traversed(size));
    case 'matches_string':
      if (target === undefined) return undefined;
      return withArguments(product(traversed(sum(call.sizeOf(target), ONE)), scaled(size, REGEX_FACTOR)));
    case 'contains_string':
      if (target === undefined) return undefined;
      return withArguments(product(traversed(call.sizeOf(target)), traversed(size)));
    default:
      return second === undefined ? undefined : binaryEstimate(overloadId, [size, call.sizeOf(second)], withArguments);
  }
}

function binaryEstimate(
  overloadId: string,
  [left, right]: readonly [Interval, Interval],
  withArguments: (cost: Interval, resultSize?: Interval) => CallEstimate,
): CallEstimate | undefined {
  if (overloadId === 'in_list') return withArguments(right);
  const joined = sum(left, right);
  if (overloadId === 'add_list') return withArguments(exactly(1), joined);
  if (overloadId === 'add_string' || overloadId === 'add_bytes') return withArguments(traversed(joined), joined);
  const isOrder = /^(?:less|greater)_(?:equals_)?(?:string|bytes)$/.test(overloadId);
  if (!isOrder && overloadId !== 'equals' && overloadId !== 'not_equals') return undefined;
  const max = Math.min(left.max, right.max);
  return withArguments(traversed({ min: max > 0 ? 1 : 0, max }));
}
