import { exactly, type Interval, ONE, product, scaled, sum, traversed, UNKNOWN } from '../cost/interval.ts';
import type { CallEstimate, EstimatedCall, FunctionCostEstimator, SizedNode } from '../cost/node.ts';
import { LIST_COST, REGEX_FACTOR, STRUCT_COST } from '../runtime/frame.ts';
import { CIDR, FORMAT, IP, URL_TYPE } from './types.ts';

const CHECK_COST = 350_000;
/** The longest pattern behind a named format, and the longest name of one. */
const FORMAT_PATTERN_MAX = 128;
const FORMAT_NAME_MAX = 64;
/** Addresses have 4 or 16 bytes. */
const ADDRESS: Interval = { min: 4, max: 16 };

type Estimate = (call: EstimatedCall) => CallEstimate | undefined;

const UNIT_FUNCTIONS: readonly string[] = [
  'serviceAccount path group resource subresource namespace name allowed reason error errored',
  'masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast',
  'sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch',
  'getScheme getHostname getHost getPort getEscapedPath getQuery format.named',
].flatMap((names) => names.split(' '));

const BY_NAME: ReadonlyMap<string, Estimate> = new Map<string, Estimate>([
  ...named(UNIT_FUNCTIONS, () => ({ cost: ONE })),
  ['check', () => ({ cost: exactly(CHECK_COST) })],
  ...named(
    ['fieldSelector', 'labelSelector'],
    ({ args: [selector], sizeOf }) => selector && selectorEstimate(sizeOf(selector)),
  ),
  ...named(['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'], traversalEstimate),
  ...named(['url', 'jsonpatch.escapeKey'], ({ args: [text], sizeOf }) => text && sameSize(sizeOf(text))),
  ...named(
    ['lowerAscii', 'upperAscii', 'substring', 'trim'],
    ({ target, sizeOf }) => target && sameSize(sizeOf(target)),
  ),
  ['replace', replaceEstimate],
  ['split', splitEstimate],
  ['join', joinEstimate],
  ...named(['find', 'findAll'], findEstimate),
  ...named(['cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver'], parseEstimate),
  ['ip', (call) => (call.overloadId === 'cidr_ip' ? { cost: ONE } : parseEstimate(call))],
  ['ip.isCanonical', ({ args: [text], sizeOf }) => text && { cost: traversed(sizeOf(text), 2) }],
  ['containsIP', (call) => containsEstimate(call, traversed(sum(ADDRESS, ADDRESS)))],
  ['containsCIDR', (call) => containsEstimate(call, sum(traversed(sum(ADDRESS, ADDRESS)), traversed(ADDRESS), ONE))],
  ['validate', validateEstimate],
  ['_==_', equalityEstimate],
  ...setsEstimates(),
  ...listEstimates(),
]);

/** The API server's estimates. They decide which rules a CRD may have, so they are part of the API. */
export const kubernetesEstimator: FunctionCostEstimator = (call) => BY_NAME.get(call.name)?.(call);

function named(names: readonly string[], estimate: Estimate): [string, Estimate][] {
  return names.map((name) => [name, estimate]);
}

function sameSize(size: Interval): CallEstimate {
  return { cost: traversed(size), resultSize: size };
}

function selectorEstimate(length: Interval): CallEstimate {
  const requirements = scaled(scaled(length, 0.5), LIST_COST + STRUCT_COST);
  return { cost: sum(exactly(LIST_COST), traversed(length), requirements) };
}

function parseEstimate({ args: [text], sizeOf }: EstimatedCall): CallEstimate | undefined {
  return text && { cost: traversed(sizeOf(text)) };
}

/** The elements of a list, which no node stands for. */
function elementNode({ type, path }: SizedNode): SizedNode | undefined {
  const element = type.parameters[0];
  if (element === undefined) return undefined;
  return { type: element, path: path.length === 0 ? [] : [...path, '@items'], expression: undefined, size: undefined };
}

function traversalEstimate({ target, sizeOf }: EstimatedCall): CallEstimate | undefined {
  if (target === undefined) return undefined;
  const element = elementNode(target);
  if (element === undefined) return { cost: traversed(sizeOf(target)) };
  const isText = element.type.kind === 'string' || element.type.kind === 'bytes';
  const each = isText ? sum(ONE, traversed(sizeOf(element))) : ONE;
  return { cost: product(sizeOf(target), each) };
}

function replaceEstimate({ target, args, sizeOf }: EstimatedCall): CallEstimate | undefined {
  const [from, to] = args;
  if (target === undefined || from === undefined || to === undefined) return undefined;
  const size = sizeOf(target);
  const old = sizeOf(from);
  const replacement = sizeOf(to);
  const most = replacedSize({ size: size.max, old: old.min, isUnchanged: replacement.max <= old.min });
  const least = replacedSize({ size: size.min, old: old.max, isUnchanged: old.max <= replacement.min });
  const count = { min: least.count, max: most.count };
  const resultSize = sum(product(count, replacement), { min: least.kept, max: most.kept });
  return { cost: traversed(size, 2), resultSize };
}

/** How often something is replaced, and how much stays. Replacing nothing puts the replacement around every character. */
function replacedSize(of: { size: number; old: number; isUnchanged: boolean }): { count: number; kept: number } {
  if (of.old === 0) return { count: of.size + 1, kept: of.size };
  if (of.isUnchanged) return { count: 0, kept: of.size };
  const count = of.old === Infinity ? (of.size === 0 ? 0 : 1) : Math.ceil(of.size / of.old);
  return { count, kept: 0 };
}

function splitEstimate({ target, args, sizeOf }: EstimatedCall): CallEstimate | undefined {
  if (target === undefined) return undefined;
  const size = sizeOf(target);
  const limit = args[1]?.expression;
  const isLimited = limit?.type === 'literal' && typeof limit.value === 'number' && limit.value >= 0;
  const max = isLimited ? Number(limit.value) : size.max;
  return { cost: traversed(size, 2), resultSize: { min: 0, max } };
}

function joinEstimate({ target, args, sizeOf }: EstimatedCall): CallEstimate | undefined {
  if (target === undefined) return undefined;
  const count = sizeOf(target);
  const element = elementNode(target);
  let size = element === undefined ? exactly(0) : product(count, sizeOf(element));
  const [separator] = args;
  if (separator !== undefined) {
    const separators = { min: Math.max(0, count.min - 1), max: Math.max(0, count.max - 1) };
    size = sum(size, product(sizeOf(separator), separators));
  }
  return sameSize(size);
}

function findEstimate({ target, args: [pattern], sizeOf }: EstimatedCall): CallEstimate | undefined {
  if (target === undefined || pattern === undefined) return undefined;
  const size = sizeOf(target);
  const cost = product(traversed(sum(size, ONE)), scaled(sizeOf(pattern), REGEX_FACTOR));
  return { cost, resultSize: { min: 0, max: size.max } };
}

function containsEstimate(
  { overloadId, args: [other], sizeOf }: EstimatedCall,
  cost: Interval,
): CallEstimate | undefined {
  if (other === undefined) return undefined;
  return { cost: overloadId.endsWith('_string') ? sum(cost, traversed(sizeOf(other))) : cost };
}

function validateEstimate({ args: [text], sizeOf }: EstimatedCall): CallEstimate | undefined {
  return text && { cost: scaled(traversed(sizeOf(text)), FORMAT_PATTERN_MAX * REGEX_FACTOR) };
}

function equalityEstimate({ args: [left, right] }: EstimatedCall): CallEstimate | undefined {
  if (left === undefined || right === undefined || left.type.display !== right.type.display) return undefined;
  const { name, kind } = left.type;
  if (kind !== 'opaque' || !(name.startsWith('kubernetes.') || name === IP.name || name === CIDR.name))
    return undefined;
  if (name === FORMAT.name) return { cost: traversed({ min: 1, max: FORMAT_NAME_MAX }) };
  if (name !== URL_TYPE.name) return { cost: ONE };
  return { cost: traversed({ min: 1, max: right.size === undefined ? 1 : right.size.max }) };
}

function setsEstimates(): [string, Estimate][] {
  const estimate =
    (factor: number): Estimate =>
    ({ args: [left, right], sizeOf }) =>
      left && right && { cost: sum(scaled(product(sizeOf(left), sizeOf(right)), factor), ONE) };
  return [
    ['sets.contains', estimate(1)],
    ['sets.intersects', estimate(1)],
    ['sets.equivalent', estimate(2)],
  ];
}

function listEstimates(): [string, Estimate][] {
  const literal = (node: SizedNode | undefined, other: number): number => {
    const value = node?.expression?.type === 'literal' ? node.expression.value : undefined;
    return typeof value === 'number' ? Math.max(0, value) : other;
  };
  const allocating = (factor: number, size: Interval): CallEstimate => ({
    cost: sum(scaled(size, factor), ONE, exactly(LIST_COST)),
    resultSize: size,
  });
  const squared = (node: SizedNode, size: Interval, isSorted: boolean): CallEstimate => {
    const kind = node.type.parameters[0]?.kind;
    const isText = isSorted && (kind === 'string' || kind === 'bytes');
    return allocating(isText ? 2.1 : 2, product(size, size));
  };
  return [
    [
      'slice',
      ({ target, args, sizeOf }) =>
        target && allocating(1, exactly(Math.max(0, literal(args[1], sizeOf(target).max) - literal(args[0], 0)))),
    ],
    ['lists.range', ({ args }) => allocating(1, exactly(literal(args[0], UNKNOWN.max)))],
    ['reverse', ({ target, sizeOf }) => (target?.type.kind === 'list' ? allocating(1, sizeOf(target)) : undefined)],
    [
      'flatten',
      ({ target, args, sizeOf }) =>
        target && allocating(args.length === 0 ? 1 : literal(args[0], Infinity), sizeOf(target)),
    ],
    ['distinct', ({ target, sizeOf }) => target && squared(target, sizeOf(target), false)],
    ['sort', ({ target, sizeOf }) => target && squared(target, sizeOf(target), true)],
    ['@sortByAssociatedKeys', ({ args: [keys], sizeOf }) => keys && squared(keys, sizeOf(keys), true)],
  ];
}
