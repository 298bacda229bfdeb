import { type CallCost, type CallCosts, regexCost, standardCosts, traversal } from '../cost/actual.ts';
import { LIST_COST, STRING_FACTOR, STRUCT_COST } from '../runtime/frame.ts';
import { isMapLike, mapGet, mapKeys } from '../values/maps.ts';
import { sizeOf } from '../values/type-of.ts';
import { CelFormat } from './formats.ts';

/** Room for two authorization checks in one expression. */
const CHECK_COST = 350_000;

/** A selector as a list of requirements, of which each has at least two characters. */
const REQUIREMENT_COST = LIST_COST + STRUCT_COST;
const REQUIREMENTS_PER_CHARACTER = 0.5;

const UNIT: CallCost = () => 1;
const FIRST: CallCost = ([text]) => traversal(sizeOf(text));
const FIRST_TWICE: CallCost = ([text]) => traversal(sizeOf(text), 2);
const WHOLE_LIST: CallCost = ([list]) => deepSize(list);

/** By the function's name, as the API server's cost estimator tells them apart. */
const BY_NAME: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ['check', () => CHECK_COST],
  ['fieldSelector', ([, selector]) => selectorCost(sizeOf(selector))],
  ['labelSelector', ([, selector]) => selectorCost(sizeOf(selector))],
  ...named(['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'], WHOLE_LIST),
  ...named(['url', 'lowerAscii', 'upperAscii', 'substring', 'trim', 'jsonpatch.escapeKey'], FIRST),
  ...named(['cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver'], FIRST),
  ...named(['replace', 'split', 'ip.isCanonical'], FIRST_TWICE),
  ['join', (_args, result) => traversal(sizeOf(result), 2)],
  ...named(['find', 'findAll'], ([text, pattern]) => regexCost(sizeOf(text), sizeOf(pattern))),
  [
    'validate',
    ([format, text]) => (format instanceof CelFormat ? regexCost(sizeOf(text), format.rule.patternSize) : 1),
  ],
]);

const BY_OVERLOAD: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ['string_to_ip', FIRST],
  ['cidr_contains_ip_ip', ([cidr]) => traversal(2 * sizeOf(cidr))],
  ['cidr_contains_ip_string', ([cidr, text]) => traversal(2 * sizeOf(cidr)) + traversal(sizeOf(text))],
  ['cidr_contains_cidr', ([cidr]) => containsCost(sizeOf(cidr))],
  ['cidr_contains_cidr_string', ([cidr, text]) => containsCost(sizeOf(cidr)) + traversal(sizeOf(text))],
  ['list_sets_contains_list', setsCost(1)],
  ['list_sets_intersects_list', setsCost(1)],
  ['list_sets_equivalent_list', setsCost(2)],
  ['list_slice', outputCost],
  ['lists_range', outputCost],
  ['list_reverse', outputCost],
  ['list_flatten', ([list]) => listCost(sizeOf(list))],
  ['list_flatten_int', ([list, depth]) => listCost(sizeOf(list) * Number(depth))],
  ['list_distinct', ([list]) => selfCompareCost(list)],
]);

/** The costs of the Kubernetes environment: cel-go's, and those that the API server adds. */
export const kubernetesCosts: CallCosts = (name, overloadId) => {
  const special = BY_OVERLOAD.get(overloadId) ?? sortCost(overloadId) ?? BY_NAME.get(name);
  if (special !== undefined) return special;
  // A dispatch left open still costs what its string form does.
  if (name === 'ip') return overloadId === 'cidr_ip' ? UNIT : FIRST;
  return standardCosts(name, overloadId);
};

function named(names: readonly string[], cost: CallCost): [string, CallCost][] {
  return names.map((name) => [name, cost]);
}

function sortCost(overloadId: string): CallCost | undefined {
  if (/^list_.*_sortByAssociatedKeys$/.test(overloadId)) return ([, keys]) => selfCompareCost(keys);
  return /^list_.*_sort$/.test(overloadId) ? ([list]) => selfCompareCost(list) : undefined;
}

function selectorCost(length: number): number {
  const requirements = Math.ceil(length * REQUIREMENTS_PER_CHARACTER);
  return LIST_COST + traversal(length) + Math.ceil(requirements * REQUIREMENT_COST);
}

function containsCost(cidrSize: number): number {
  return traversal(2 * cidrSize) + traversal(cidrSize) + 1;
}

function setsCost(factor: number): CallCost {
  return ([left, right]) => 1 + Math.floor(sizeOf(left) * sizeOf(right) * factor);
}

function listCost(size: number): number {
  return Math.floor(size) + 1 + LIST_COST;
}

function outputCost(_args: readonly unknown[], result: unknown): number {
  return listCost(sizeOf(result));
}

function selfCompareCost(list: unknown): number {
  const size = sizeOf(list);
  const first = Array.isArray(list) ? (list[0] as unknown) : undefined;
  const isText = typeof first === 'string' || first instanceof Uint8Array;
  return listCost(size * size * (isText ? 2 + STRING_FACTOR : 2));
}

/** What it costs to go through a value with all that is in it. Strings count their UTF-8 bytes. */
function deepSize(value: unknown): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * STRING_FACTOR);
  if (value instanceof Uint8Array) return Math.floor(value.length * STRING_FACTOR);
  if (Array.isArray(value)) return value.reduce<number>((total, item) => total + deepSize(item), 0);
  if (!isMapLike(value)) return 1;
  return mapKeys(value).reduce<number>((total, key) => total + deepSize(key) + deepSize(mapGet(value, key)), 0);
}
