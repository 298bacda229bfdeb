import type { CelLibrary } from '../environment.ts';
import { fail } from '../errors.ts';
import { declare, type FunctionDeclaration, type Implementation, member } from '../library/declaration.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  INT,
  listType,
  STRING,
  TIMESTAMP,
  typeParameter,
  UINT,
} from '../types/type.ts';
import { add } from '../values/arithmetic.ts';
import { compareValues, isEqual } from '../values/equality.ts';
import { makeDouble } from '../values/numbers.ts';
import { CelDuration, CelUint } from '../values/value.ts';

type List = readonly unknown[];

const SUMMABLE: readonly (readonly [name: string, type: CelType, zero: unknown])[] = [
  ['int', INT, 0],
  ['uint', UINT, new CelUint(0n)],
  ['double', DOUBLE, makeDouble(0)],
  ['duration', DURATION, new CelDuration(0n)],
];

const COMPARABLE: readonly (readonly [name: string, type: CelType])[] = [
  ['int', INT],
  ['uint', UINT],
  ['double', DOUBLE],
  ['bool', BOOL],
  ['duration', DURATION],
  ['timestamp', TIMESTAMP],
  ['string', STRING],
  ['bytes', BYTES],
];

const A = typeParameter('A');

/** `isSorted`, `sum`, `min`, `max`, `indexOf` and `lastIndexOf` of lists. */
export const KUBERNETES_LISTS: CelLibrary = {
  functions: [
    ofComparable('isSorted', (name) => `list_${name}_is_sorted_bool`, BOOL, isSorted),
    declare(
      'sum',
      ...SUMMABLE.map(([name, type, zero]) =>
        member(`list_${name}_sum_${name}`, [listType(type)], type, (list: List) => sumOf(list, zero)),
      ),
    ),
    ofComparable(
      'max',
      (name) => `list_${name}_max_${name}`,
      undefined,
      (list: List) => extreme(list, 'max'),
    ),
    ofComparable(
      'min',
      (name) => `list_${name}_min_${name}`,
      undefined,
      (list: List) => extreme(list, 'min'),
    ),
    declare('indexOf', member('list_a_index_of_int', [listType(A), A], INT, indexOf)),
    declare('lastIndexOf', member('list_a_last_index_of_int', [listType(A), A], INT, lastIndexOf)),
  ],
};

function ofComparable(
  name: string,
  id: (typeName: string) => string,
  result: CelType | undefined,
  call: Implementation,
): FunctionDeclaration {
  return declare(name, ...COMPARABLE.map(([word, type]) => member(id(word), [listType(type)], result ?? type, call)));
}

function isSorted(list: List): boolean {
  for (let index = 1; index < list.length; index++) {
    if (order(list[index - 1], list[index]) > 0) return false;
  }
  return true;
}

function order(left: unknown, right: unknown): number {
  return compareValues(left, right) ?? fail('no such overload');
}

function sumOf(list: List, zero: unknown): unknown {
  let total = zero;
  for (const item of list) {
    total = add(total, item) ?? fail('no such overload');
  }
  return total;
}

function extreme(list: List, which: 'min' | 'max'): unknown {
  const [first, ...others] = list;
  if (list.length === 0) fail(`${which} called on empty list`);
  let found = first;
  for (const item of others) {
    const isBetter = which === 'min' ? order(found, item) > 0 : order(found, item) < 0;
    if (isBetter) found = item;
  }
  return found;
}

function indexOf(list: List, item: unknown): number {
  return list.findIndex((element) => isEqual(element, item));
}

function lastIndexOf(list: List, item: unknown): number {
  return list.findLastIndex((element) => isEqual(element, item));
}
