import { fail } from '../errors.ts';
import type { CelLibrary } from '../environment.ts';
import { BINDING_MACROS, TWO_VARIABLE_MACROS } from '../syntax/macros.ts';
import { BOOL, BYTES, listType, mapType, STRING, typeParameter } from '../types/type.ts';
import { isEqual } from '../values/equality.ts';
import { declare, overload } from './declaration.ts';

const T = typeParameter('T');
const LIST_T = listType(T);
const K = typeParameter('K');
const V = typeParameter('V');

/** `sets.contains`, `sets.equivalent` and `sets.intersects` of lists. */
export const SETS: CelLibrary = {
  functions: [
    declare('sets.contains', overload('list_sets_contains_list', [LIST_T, LIST_T], BOOL, setsContain)),
    declare(
      'sets.equivalent',
      overload(
        'list_sets_equivalent_list',
        [LIST_T, LIST_T],
        BOOL,
        (left: readonly unknown[], right: readonly unknown[]) => setsContain(left, right) && setsContain(right, left),
      ),
    ),
    declare(
      'sets.intersects',
      overload(
        'list_sets_intersects_list',
        [LIST_T, LIST_T],
        BOOL,
        (left: readonly unknown[], right: readonly unknown[]) => left.some((item) => includes(right, item)),
      ),
    ),
  ],
};

/** `base64.encode` and `base64.decode`. */
export const ENCODERS: CelLibrary = {
  functions: [
    declare('base64.decode', overload('base64_decode_string', [STRING], BYTES, decodeBase64)),
    declare('base64.encode', overload('base64_encode_bytes', [BYTES], STRING, encodeBase64)),
  ],
};

/** The comprehensions with two variables; the declarations of what they insert by are compiled, not called. */
export const TWO_VARIABLE_COMPREHENSIONS: CelLibrary = {
  macros: TWO_VARIABLE_MACROS,
  functions: [
    declare(
      'cel.@mapInsert',
      overload('@mapInsert_map_key_value', [mapType(K, V), K, V], mapType(K, V), unreachable),
      overload('@mapInsert_map_map', [mapType(K, V), mapType(K, V)], mapType(K, V), unreachable),
    ),
  ],
};

/** `cel.bind(name, value, expression)`. */
export const BINDINGS: CelLibrary = { macros: BINDING_MACROS };

export function includes(list: readonly unknown[], value: unknown): boolean {
  return list.some((item) => isEqual(item, value));
}

function setsContain(list: readonly unknown[], sublist: readonly unknown[]): boolean {
  return sublist.every((item) => includes(list, item));
}

function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** With or without padding. */
function decodeBase64(text: string): Uint8Array {
  const body = text.replace(/={1,2}$/, '');
  const isWhole = /^[A-Za-z0-9+/]*$/.test(body) && body.length % 4 !== 1;
  if (!isWhole || (body.length !== text.length && text.length % 4 !== 0)) fail('illegal base64 data');
  return new Uint8Array(Buffer.from(body, 'base64'));
}

function unreachable(): never {
  throw new Error('insertions are compiled, not called');
}
