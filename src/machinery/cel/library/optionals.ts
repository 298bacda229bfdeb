import type { CelLibrary } from '../environment.ts';
import { OPERATORS } from '../syntax/ast.ts';
import { OPTIONAL_MACROS } from '../syntax/macros.ts';
import { BOOL, DYN, INT, listType, mapType, opaqueType, optionalType, STRING, typeParameter } from '../types/type.ts';
import { someOptional } from '../values/equality.ts';
import { isMapLike, mapSize } from '../values/maps.ts';
import { CelDouble, CelDuration, CelOptional, CelTimestamp, CelUint } from '../values/value.ts';
import { declare, type FunctionDeclaration, member, overload } from './declaration.ts';

const K = typeParameter('K');
const V = typeParameter('V');
const OPTIONAL_V = optionalType(V);
const LIST_V = listType(V);
const MAP_KV = mapType(K, V);
const OPTIONAL_LIST = optionalType(LIST_V);
const OPTIONAL_MAP = optionalType(MAP_KV);

/** Optional values: `a.?b.orValue(c)`, `optional.of(x)`, `optMap`. Needs the environment's optional syntax. */
export const OPTIONALS: CelLibrary = {
  namedTypes: [opaqueType('optional_type', V)],
  macros: OPTIONAL_MACROS,
  functions: [...functions(), ...operators()],
};

function functions(): FunctionDeclaration[] {
  const unwrap = (list: readonly unknown[]): unknown[] =>
    list.flatMap((item) => (item instanceof CelOptional && item.isPresent ? [item.value] : []));
  const listOfOptionals = listType(OPTIONAL_V);
  return [
    declare('optional.of', overload('optional_of', [V], OPTIONAL_V, someOptional)),
    declare('optional.ofNonZeroValue', overload('optional_ofNonZeroValue', [V], OPTIONAL_V, ofNonZeroValue)),
    declare(
      'optional.none',
      overload('optional_none', [], OPTIONAL_V, () => CelOptional.NONE),
    ),
    declare(
      'value',
      member('optional_value', [OPTIONAL_V], V, (optional: CelOptional) => optional.value),
    ),
    declare(
      'hasValue',
      member('optional_hasValue', [OPTIONAL_V], BOOL, (optional: CelOptional) => optional.isPresent),
    ),
    declare('or', member('optional_or_optional', [OPTIONAL_V, OPTIONAL_V], OPTIONAL_V, or)),
    declare('orValue', member('optional_orValue_value', [OPTIONAL_V, V], V, orValue)),
    declare(
      'first',
      member('list_first', [LIST_V], OPTIONAL_V, (list: readonly unknown[]) => elementOf(list, 0)),
    ),
    declare(
      'last',
      member('list_last', [LIST_V], OPTIONAL_V, (list: readonly unknown[]) => elementOf(list, list.length - 1)),
    ),
    declare('optional.unwrap', overload('optional_unwrap', [listOfOptionals], LIST_V, unwrap)),
    declare('unwrapOpt', member('optional_unwrapOpt', [listOfOptionals], LIST_V, unwrap)),
  ];
}

/** Selections are compiled, not called; these declarations give their types. */
function operators(): FunctionDeclaration[] {
  const never = (): never => {
    throw new Error('optional selections are compiled, not called');
  };
  return [
    declare(OPERATORS.optionalSelect, overload('select_optional_field', [DYN, STRING], OPTIONAL_V, never)),
    declare(
      OPERATORS.optionalIndex,
      overload('list_optindex_optional_int', [LIST_V, INT], OPTIONAL_V, never),
      overload('optional_list_optindex_optional_int', [OPTIONAL_LIST, INT], OPTIONAL_V, never),
      overload('map_optindex_optional_value', [MAP_KV, K], OPTIONAL_V, never),
      overload('optional_map_optindex_optional_value', [OPTIONAL_MAP, K], OPTIONAL_V, never),
    ),
    declare(
      OPERATORS.index,
      overload('optional_list_index_int', [OPTIONAL_LIST, INT], OPTIONAL_V, never),
      overload('optional_map_index_value', [OPTIONAL_MAP, K], OPTIONAL_V, never),
    ),
  ];
}

function or(optional: CelOptional, other: CelOptional): CelOptional {
  return optional.isPresent ? optional : other;
}

function orValue(optional: CelOptional, other: unknown): unknown {
  return optional.isPresent ? optional.value : other;
}

function elementOf(list: readonly unknown[], index: number): CelOptional {
  return list.length === 0 ? CelOptional.NONE : someOptional(list[index]);
}

function ofNonZeroValue(value: unknown): CelOptional {
  return isZero(value) ? CelOptional.NONE : someOptional(value);
}

function isZero(value: unknown): boolean {
  if (value === null || value === false || value === 0 || value === '') return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof CelDouble) return value.value === 0;
  if (value instanceof CelUint) return value.value === 0n;
  if (value instanceof CelDuration) return value.nanos === 0n;
  if (value instanceof CelTimestamp) return false;
  if (value instanceof CelOptional) return !value.isPresent;
  return isMapLike(value) && mapSize(value) === 0;
}
