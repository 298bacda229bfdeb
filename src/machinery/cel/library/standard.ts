import { OPERATORS } from '../syntax/ast.ts';
import { codePointCount } from '../syntax/source.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listType,
  mapType,
  STRING,
  TIMESTAMP,
  typeParameter,
  typeType,
  UINT,
} from '../types/type.ts';
import { add, arithmetic, type ArithmeticOperator, negate, subtract } from '../values/arithmetic.ts';
import {
  toBool,
  toBytes,
  toDouble,
  toDuration,
  toInt,
  toText,
  toTimestamp,
  toType,
  toUint,
} from '../values/convert.ts';
import { compareValues, isEqual } from '../values/equality.ts';
import { type MapLike, mapHas, mapSize } from '../values/maps.ts';
import { calendar } from '../values/time.ts';
import type { CelDuration, CelTimestamp } from '../values/value.ts';
import { declare, type FunctionDeclaration, member, overload, type Overload } from './declaration.ts';
import { matchesPattern } from './regex-cache.ts';

const A = typeParameter('A');
const B = typeParameter('B');
const LIST_A = listType(A);
const MAP_AB = mapType(A, B);

/** Types and the words for them in the ids of overloads. */
const ORDERED: readonly (readonly [string, CelType])[] = [
  ['bool', BOOL],
  ['int64', INT],
  ['uint64', UINT],
  ['double', DOUBLE],
  ['string', STRING],
  ['bytes', BYTES],
  ['timestamp', TIMESTAMP],
  ['duration', DURATION],
];
const NUMERIC = ORDERED.filter(([, type]) => type === INT || type === UINT || type === DOUBLE);

/** The functions and operators of the language itself. */
export function standardFunctions(): readonly FunctionDeclaration[] {
  return [...operators(), ...conversions(), ...sizes(), ...texts(), ...timeAccessors()];
}

function operators(): FunctionDeclaration[] {
  const never = (): never => {
    throw new Error('logical operators are compiled, not called');
  };
  return [
    declare(OPERATORS.conditional, overload('conditional', [BOOL, A, A], A, never)),
    declare(OPERATORS.and, overload('logical_and', [BOOL, BOOL], BOOL, never)),
    declare(OPERATORS.or, overload('logical_or', [BOOL, BOOL], BOOL, never)),
    declare(
      OPERATORS.not,
      overload('logical_not', [BOOL], BOOL, (value: boolean) => !value),
    ),
    declare(
      OPERATORS.notStrictlyFalse,
      overload('not_strictly_false', [BOOL], BOOL, (value: unknown) => value !== false),
    ),
    declare(OPERATORS.equals, overload('equals', [A, A], BOOL, isEqual)),
    declare(
      OPERATORS.notEquals,
      overload('not_equals', [A, A], BOOL, (left: unknown, right: unknown) => !isEqual(left, right)),
    ),
    sums('_+_', 'add'),
    differences(),
    sameType('_*_', 'multiply', NUMERIC),
    sameType('_/_', 'divide', NUMERIC),
    sameType(
      '_%_',
      'modulo',
      NUMERIC.filter(([, type]) => type !== DOUBLE),
    ),
    declare(
      OPERATORS.negate,
      overload('negate_int64', [INT], INT, negate),
      overload('negate_double', [DOUBLE], DOUBLE, negate),
    ),
    comparison('_<_', 'less', (order) => order < 0),
    comparison('_<=_', 'less_equals', (order) => order <= 0),
    comparison('_>_', 'greater', (order) => order > 0),
    comparison('_>=_', 'greater_equals', (order) => order >= 0),
    declare(
      OPERATORS.index,
      overload('index_list', [LIST_A, INT], A, never),
      overload('index_map', [MAP_AB, A], B, never),
    ),
    declare(
      OPERATORS.in,
      overload('in_list', [A, LIST_A], BOOL, (value: unknown, list: unknown[]) =>
        list.some((item) => isEqual(item, value)),
      ),
      overload('in_map', [A, MAP_AB], BOOL, (key: unknown, map: MapLike) => mapHas(map, key)),
    ),
  ];
}

function sums(name: string, id: string): FunctionDeclaration {
  return declare(
    name,
    overload(`${id}_bytes`, [BYTES, BYTES], BYTES, add),
    overload(`${id}_double`, [DOUBLE, DOUBLE], DOUBLE, add),
    overload(`${id}_duration_duration`, [DURATION, DURATION], DURATION, add),
    overload(`${id}_duration_timestamp`, [DURATION, TIMESTAMP], TIMESTAMP, add),
    overload(`${id}_timestamp_duration`, [TIMESTAMP, DURATION], TIMESTAMP, add),
    overload(`${id}_int64`, [INT, INT], INT, add),
    overload(`${id}_list`, [LIST_A, LIST_A], LIST_A, add),
    overload(`${id}_string`, [STRING, STRING], STRING, add),
    overload(`${id}_uint64`, [UINT, UINT], UINT, add),
  );
}

function differences(): FunctionDeclaration {
  return declare(
    '_-_',
    overload('subtract_double', [DOUBLE, DOUBLE], DOUBLE, subtract),
    overload('subtract_duration_duration', [DURATION, DURATION], DURATION, subtract),
    overload('subtract_int64', [INT, INT], INT, subtract),
    overload('subtract_timestamp_duration', [TIMESTAMP, DURATION], TIMESTAMP, subtract),
    overload('subtract_timestamp_timestamp', [TIMESTAMP, TIMESTAMP], DURATION, subtract),
    overload('subtract_uint64', [UINT, UINT], UINT, subtract),
  );
}

function sameType(
  name: ArithmeticOperator,
  id: string,
  types: readonly (readonly [string, CelType])[],
): FunctionDeclaration {
  const call = (left: unknown, right: unknown): unknown => arithmetic(name, left, right);
  return declare(name, ...types.map(([word, type]) => overload(`${id}_${word}`, [type, type], type, call)));
}

function comparison(name: string, id: string, holds: (order: number) => boolean): FunctionDeclaration {
  const call = (left: unknown, right: unknown): boolean => holds(compareValues(left, right) ?? Number.NaN);
  const overloads: Overload[] = [];
  for (const [word, type] of ORDERED) {
    overloads.push(overload(`${id}_${word}`, [type, type], BOOL, call));
    if (!NUMERIC.some(([numeric]) => numeric === word)) continue;
    for (const [other, otherType] of NUMERIC) {
      if (other !== word) overloads.push(overload(`${id}_${word}_${other}`, [type, otherType], BOOL, call));
    }
  }
  return declare(name, ...overloads);
}

function conversions(): FunctionDeclaration[] {
  return [
    declare('type', overload('type', [A], typeType(A), toType)),
    declare(
      'dyn',
      overload('to_dyn', [A], DYN, (value: unknown) => value),
    ),
    conversion('bool', BOOL, toBool, { bool_to_bool: BOOL, string_to_bool: STRING }),
    conversion('bytes', BYTES, toBytes, { bytes_to_bytes: BYTES, string_to_bytes: STRING }),
    conversion('double', DOUBLE, toDouble, {
      double_to_double: DOUBLE,
      int64_to_double: INT,
      string_to_double: STRING,
      uint64_to_double: UINT,
    }),
    conversion('duration', DURATION, toDuration, { duration_to_duration: DURATION, string_to_duration: STRING }),
    conversion('int', INT, toInt, {
      int64_to_int64: INT,
      double_to_int64: DOUBLE,
      duration_to_int64: DURATION,
      string_to_int64: STRING,
      timestamp_to_int64: TIMESTAMP,
      uint64_to_int64: UINT,
    }),
    conversion('string', STRING, toText, {
      string_to_string: STRING,
      bool_to_string: BOOL,
      bytes_to_string: BYTES,
      double_to_string: DOUBLE,
      duration_to_string: DURATION,
      int64_to_string: INT,
      timestamp_to_string: TIMESTAMP,
      uint64_to_string: UINT,
    }),
    conversion('timestamp', TIMESTAMP, toTimestamp, {
      timestamp_to_timestamp: TIMESTAMP,
      int64_to_timestamp: INT,
      string_to_timestamp: STRING,
    }),
    conversion('uint', UINT, toUint, {
      uint64_to_uint64: UINT,
      double_to_uint64: DOUBLE,
      int64_to_uint64: INT,
      string_to_uint64: STRING,
    }),
  ];
}

function conversion(
  name: string,
  result: CelType,
  call: (value: unknown) => unknown,
  sources: Readonly<Record<string, CelType>>,
): FunctionDeclaration {
  return declare(name, ...Object.entries(sources).map(([id, source]) => overload(id, [source], result, call)));
}

function sizes(): FunctionDeclaration[] {
  const ofList = (list: unknown[]): number => list.length;
  const ofBytes = (bytes: Uint8Array): number => bytes.length;
  return [
    declare(
      'size',
      overload('size_bytes', [BYTES], INT, ofBytes),
      member('bytes_size', [BYTES], INT, ofBytes),
      overload('size_list', [LIST_A], INT, ofList),
      member('list_size', [LIST_A], INT, ofList),
      overload('size_map', [MAP_AB], INT, mapSize),
      member('map_size', [MAP_AB], INT, mapSize),
      overload('size_string', [STRING], INT, codePointCount),
      member('string_size', [STRING], INT, codePointCount),
    ),
  ];
}

function texts(): FunctionDeclaration[] {
  const args = [STRING, STRING];
  return [
    declare(
      'contains',
      member('contains_string', args, BOOL, (text: string, part: string) => text.includes(part)),
    ),
    declare(
      'endsWith',
      member('ends_with_string', args, BOOL, (text: string, part: string) => text.endsWith(part)),
    ),
    declare(
      'startsWith',
      member('starts_with_string', args, BOOL, (text: string, part: string) => text.startsWith(part)),
    ),
    declare(
      'matches',
      overload('matches', args, BOOL, matchesPattern),
      member('matches_string', args, BOOL, matchesPattern),
    ),
  ];
}

type CalendarField = (timestamp: CelTimestamp, zone?: string) => number;

const CALENDAR: Readonly<Record<string, readonly [id: string, field: CalendarField]>> = {
  getFullYear: ['timestamp_to_year', (at, zone) => calendar(at, zone).year],
  getMonth: ['timestamp_to_month', (at, zone) => calendar(at, zone).month - 1],
  getDayOfYear: ['timestamp_to_day_of_year', (at, zone) => calendar(at, zone).dayOfYear],
  getDayOfMonth: ['timestamp_to_day_of_month', (at, zone) => calendar(at, zone).day - 1],
  getDate: ['timestamp_to_day_of_month_1_based', (at, zone) => calendar(at, zone).day],
  getDayOfWeek: ['timestamp_to_day_of_week', (at, zone) => calendar(at, zone).dayOfWeek],
  getHours: ['timestamp_to_hours', (at, zone) => calendar(at, zone).hour],
  getMinutes: ['timestamp_to_minutes', (at, zone) => calendar(at, zone).minute],
  getSeconds: ['timestamp_to_seconds', (at, zone) => calendar(at, zone).second],
  getMilliseconds: ['timestamp_to_milliseconds', (at, zone) => Math.floor(calendar(at, zone).nanosecond / 1e6)],
};

/** Durations are read in whole units of the total, not of the clock. */
const DURATION_UNITS: Readonly<Record<string, readonly [id: string, nanos: bigint]>> = {
  getHours: ['duration_to_hours', 3_600_000_000_000n],
  getMinutes: ['duration_to_minutes', 60_000_000_000n],
  getSeconds: ['duration_to_seconds', 1_000_000_000n],
  getMilliseconds: ['duration_to_milliseconds', 1_000_000n],
};

function timeAccessors(): FunctionDeclaration[] {
  return Object.entries(CALENDAR).map(([name, [id, field]]) => {
    const withZone = id === 'timestamp_to_seconds' ? `${id}_tz` : `${id}_with_tz`;
    const overloads = [member(id, [TIMESTAMP], INT, field), member(withZone, [TIMESTAMP, STRING], INT, field)];
    const unit = DURATION_UNITS[name];
    if (unit !== undefined) {
      const [durationId, nanos] = unit;
      overloads.push(member(durationId, [DURATION], INT, (duration: CelDuration) => Number(duration.nanos / nanos)));
    }
    return declare(name, ...overloads);
  });
}
