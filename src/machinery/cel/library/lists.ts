import { fail } from '../errors.ts';
import type { CelLibrary } from '../environment.ts';
import { UNUSED_VARIABLE } from '../syntax/ast.ts';
import type { Macro } from '../syntax/node-factory.ts';
import { STANDARD_MACROS } from '../syntax/macros.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listType,
  STRING,
  TIMESTAMP,
  typeParameter,
  UINT,
} from '../types/type.ts';
import { compareValues } from '../values/equality.ts';
import { typeOf } from '../values/type-of.ts';
import { declare, member, overload } from './declaration.ts';
import { includes } from './collections.ts';

type List = readonly unknown[];

const T = typeParameter('T');
const LIST_T = listType(T);
const COMPARABLE: readonly CelType[] = [INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES];
/** Lists longer than this are refused: one short call must not fill the memory. */
const RANGE_LENGTH_MAX = 1_000_000;
const SORT_INPUT = '@__sortBy_input__';

/** `slice`, `flatten`, `sort`, `sortBy`, `reverse`, `distinct` and `lists.range` (version 3 of cel-go's list extension). */
export const LISTS: CelLibrary = {
  macros: new Map<string, Macro>([['sortBy:2:receiver', expandSortBy]]),
  functions: [
    declare('slice', member('list_slice', [LIST_T, INT, INT], LIST_T, slice)),
    declare(
      'flatten',
      member('list_flatten', [listType(LIST_T)], LIST_T, (list: List) => flatten(list, 1)),
      member('list_flatten_int', [listType(DYN), INT], listType(DYN), (list: List, depth: number | bigint) =>
        flatten(list, Number(depth)),
      ),
    ),
    declare(
      'sort',
      ...COMPARABLE.map((type) => member(`list_${type.name}_sort`, [listType(type)], listType(type), sort)),
    ),
    declare(
      '@sortByAssociatedKeys',
      ...COMPARABLE.map((type) =>
        member(`list_${type.name}_sortByAssociatedKeys`, [LIST_T, listType(type)], LIST_T, sortByKeys),
      ),
    ),
    declare('lists.range', overload('lists_range', [INT], listType(INT), range)),
    declare(
      'reverse',
      member('list_reverse', [LIST_T], LIST_T, (list: List) => list.toReversed()),
    ),
    declare('distinct', member('list_distinct', [LIST_T], LIST_T, distinct)),
  ],
};

function slice(list: List, start: number | bigint, end: number | bigint): List {
  if (start < 0 || end < 0) fail(`cannot slice(${start}, ${end}), negative indexes not supported`);
  if (start > end) fail(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`);
  if (list.length < end) fail(`cannot slice(${start}, ${end}), list is length ${list.length}`);
  return list.slice(Number(start), Number(end));
}

function flatten(list: List, depth: number): unknown[] {
  if (depth < 0) fail('level must be non-negative');
  return list.flatMap((item) => (Array.isArray(item) && depth > 0 ? flatten(item, depth - 1) : [item]));
}

function sort(list: List): List {
  return sortByKeys(list, list);
}

function sortByKeys(list: List, keys: List): List {
  if (list.length !== keys.length) {
    const sizes = `${list.length} and ${keys.length}`;
    fail(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${sizes} elements respectively`,
    );
  }
  const [first] = keys;
  if (keys.length === 0) return list;
  if (compareValues(first, first) === undefined) fail('list elements must be comparable');
  const { name } = typeOf(first);
  if (keys.some((key) => typeOf(key).name !== name)) fail('list elements must have the same type');
  const indexes = keys.map((_, index) => index);
  return indexes.sort((left, right) => compareValues(keys[left], keys[right]) ?? 0).map((index) => list[index]);
}

function range(size: number | bigint): number[] {
  if (size > RANGE_LENGTH_MAX) fail(`lists.range(${size}): list too long`);
  return Array.from({ length: Math.max(0, Number(size)) }, (_, index) => index);
}

function distinct(list: List): List {
  const seen = new Set<unknown>();
  const found: unknown[] = [];
  for (const item of list) {
    if (seen.has(item) || (typeof item === 'object' && includes(found, item))) continue;
    seen.add(item);
    found.push(item);
  }
  return found;
}

/** `list.sortBy(x, key)` binds the list, maps it to its keys and sorts by these. */
function expandSortBy(call: Parameters<Macro>[0]): ReturnType<Macro> {
  const { nodes, offset, target, args } = call;
  if (target === undefined || target.type === 'literal' || target.type === 'map' || target.type === 'struct') {
    const error = 'sortBy can only be applied to a list, identifier, comprehension, call or select expression';
    return { error, offset: target?.offset ?? offset };
  }
  const input = nodes.ident(offset, SORT_INPUT);
  const keys = STANDARD_MACROS.get('map:2:receiver')?.({ nodes, offset, target: input, args });
  if (keys === undefined || 'error' in keys) return keys;
  return nodes.comprehension({
    offset,
    range: nodes.list(offset, []),
    variable: UNUSED_VARIABLE,
    variable2: undefined,
    accumulator: SORT_INPUT,
    initial: target,
    condition: nodes.literal(offset, false),
    step: nodes.ident(offset, SORT_INPUT),
    result: nodes.call(offset, '@sortByAssociatedKeys', [keys], nodes.ident(offset, SORT_INPUT)),
  });
}
