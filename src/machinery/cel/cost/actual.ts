import { REGEX_FACTOR, STRING_FACTOR } from '../runtime/frame.ts';
import { sizeOf } from '../values/type-of.ts';

/** What one call costs, known after it has been made. */
export type CallCost = (args: readonly unknown[], result: unknown) => number;

/**
 * The cost of calls of a function; `overloadId` is empty where the checker could not choose an overload, which then
 * costs what an unknown function costs.
 */
export type CallCosts = (name: string, overloadId: string) => CallCost;

const UNIT: CallCost = () => 1;

/** A fraction of a string's size, rounded up. */
export function traversal(size: number, times = 1): number {
  return Math.ceil(size * times * STRING_FACTOR);
}

/** Of applying a regular expression of that many code points to a text. */
export function regexCost(textSize: number, patternSize: number): number {
  return Math.ceil((1 + textSize) * STRING_FACTOR) * Math.ceil(patternSize * REGEX_FACTOR);
}

const FIRST_ARGUMENT: CallCost = ([text]) => traversal(sizeOf(text));
const SMALLER_ARGUMENT: CallCost = ([left, right]) => traversal(Math.min(sizeOf(left), sizeOf(right)));
const BOTH_ARGUMENTS: CallCost = ([left, right]) => traversal(sizeOf(left) + sizeOf(right));

const BY_OVERLOAD: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ['starts_with_string', FIRST_ARGUMENT],
  ['ends_with_string', FIRST_ARGUMENT],
  ['string_to_bytes', FIRST_ARGUMENT],
  ['bytes_to_string', FIRST_ARGUMENT],
  ['strings_quote', FIRST_ARGUMENT],
  ['string_format', FIRST_ARGUMENT],
  ['in_list', ([, list]) => sizeOf(list)],
  ['equals', SMALLER_ARGUMENT],
  ['not_equals', SMALLER_ARGUMENT],
  ['add_string', BOTH_ARGUMENTS],
  ['add_bytes', BOTH_ARGUMENTS],
  ['matches_string', ([text, pattern]) => regexCost(sizeOf(text), sizeOf(pattern))],
  ['contains_string', ([text, part]) => traversal(sizeOf(text)) * traversal(sizeOf(part))],
  ...['less', 'greater', 'less_equals', 'greater_equals'].flatMap((name): [string, CallCost][] => [
    [`${name}_string`, SMALLER_ARGUMENT],
    [`${name}_bytes`, SMALLER_ARGUMENT],
  ]),
]);

/** cel-go's costs of the language's own functions; one for all others. */
export const standardCosts: CallCosts = (_name, overloadId) => BY_OVERLOAD.get(overloadId) ?? UNIT;
