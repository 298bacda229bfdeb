import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';
import { describe, expect, it } from 'vitest';
import { CelEnvironment, type CelLibrary } from './environment.ts';
import { issueText } from './errors.ts';
import { BINDINGS, ENCODERS, SETS, TWO_VARIABLE_COMPREHENSIONS } from './library/collections.ts';
import { declare, type FunctionDeclaration, member, overload } from './library/declaration.ts';
import { LISTS } from './library/lists.ts';
import { MATH } from './library/math.ts';
import { OPTIONALS } from './library/optionals.ts';
import { stringsLibrary } from './library/strings.ts';
import type { Macro } from './syntax/node-factory.ts';
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
  NULL,
  nullableType,
  opaqueType,
  optionalType,
  STRING,
  TIMESTAMP,
  TYPE,
  typeParameter,
  typeType,
  UINT,
} from './types/type.ts';
import { toDuration, toTimestamp } from './values/convert.ts';
import { isEqual } from './values/equality.ts';
import { CelMap } from './values/maps.ts';
import { makeDouble, makeInt } from './values/numbers.ts';
import { typeOf } from './values/type-of.ts';
import { CelTypeValue, CelUint } from './values/value.ts';

/** JSON of the test data, which is read field by field. */
type Json = Readonly<Record<string, unknown>>;

interface SpecTest {
  readonly path: string;
  readonly spec: Json;
  readonly expression: string;
}

interface Exception {
  readonly reason: string;
  readonly count: number;
  readonly applies: (test: SpecTest) => boolean;
}

const MESSAGES =
  /TestAllTypes|TestRequired|GlobalEnum|NestedEnum|messageType|proto\.(?:has|get)Ext|google\.protobuf\.(?!Timestamp"|Timestamp\b(?!\{)|Duration"|Duration\b(?!\{))/;

/** What of the official data is not run, and why. The counts are asserted, so the list can only shrink knowingly. */
const EXCEPTIONS: readonly Exception[] = [
  {
    reason: 'protobuf messages and enums: values here are JSON, and there are no message types to make or select from',
    count: 694,
    applies: ({ spec, expression }) =>
      spec['container'] === 'google.protobuf' ||
      MESSAGES.test(
        JSON.stringify([expression, spec['typeEnv'], spec['bindings'], spec['value'], spec['typedResult']]),
      ),
  },
  {
    reason: 'does not pass the type check, which the test disables: Kubernetes checks every expression',
    count: 28,
    applies: (test) =>
      test.spec['disableCheck'] === true &&
      test.spec['evalError'] === undefined &&
      !environmentOf(test).compile(test.expression).ok,
  },
  {
    reason: 'an optional selection from what has no fields is none, as the API server has cel-go, not an error',
    count: 2,
    applies: ({ path }) => /optionals\/(?:map_null_entry_no_such_key|map_present_key_invalid_field)$/.test(path),
  },
  {
    reason: 'an offset beyond the end finds nothing, as in cel-go, which leaves these tests out too',
    count: 2,
    applies: ({ path }) => /value_errors\/(?:last)?indexof_out_of_range$/.test(path),
  },
  {
    reason: 'null beside an optional in a list widens the element type as in cel-go, which leaves this test out too',
    count: 1,
    applies: ({ path }) => path.endsWith('null_assignable_to_abstract_parameter_candidate'),
  },
];

const PRIMITIVES: Readonly<Record<string, CelType>> = {
  BOOL,
  INT64: INT,
  UINT64: UINT,
  DOUBLE,
  STRING,
  BYTES,
  ANY: DYN,
  TIMESTAMP,
  DURATION,
};

const NAMED_TYPES: readonly CelType[] = [
  INT,
  UINT,
  BOOL,
  DOUBLE,
  STRING,
  BYTES,
  NULL,
  TYPE,
  TIMESTAMP,
  DURATION,
  listType(DYN),
  mapType(DYN, DYN),
  optionalType(DYN),
];

/** `cel.block`, `cel.index` and the named variables, which exist for these tests only. */
const BLOCKS: CelLibrary = {
  macros: new Map<string, Macro>([
    ['block:2:receiver', ({ nodes, offset, args }) => bindAll({ nodes, offset, target: undefined, args })],
    ['index:1:receiver', ({ nodes, offset, args }) => nodes.ident(offset, `@index${literalText(args[0])}`)],
    ['iterVar:2:receiver', ({ nodes, offset, args }) => nodes.ident(offset, `@it${args.map(literalText).join(':')}`)],
    ['accuVar:2:receiver', ({ nodes, offset, args }) => nodes.ident(offset, `@ac${args.map(literalText).join(':')}`)],
  ]),
};

function literalText(arg: Parameters<Macro>[0]['args'][number] | undefined): string {
  return arg?.type === 'literal' ? String(arg.value) : '';
}

function bindAll({ nodes, offset, args }: Parameters<Macro>[0]): ReturnType<Macro> {
  const [list, body] = args;
  if (list?.type !== 'list' || body === undefined) return undefined;
  return list.elements.reduceRight<typeof body>(
    (result, initial, index) =>
      nodes.comprehension({
        offset,
        range: nodes.list(offset, []),
        variable: '#unused',
        variable2: undefined,
        accumulator: `@index${index}`,
        initial,
        condition: nodes.literal(offset, false),
        step: nodes.ident(offset, `@index${index}`),
        result,
      }),
    body,
  );
}

const BASE = CelEnvironment.standard({ optionalSyntax: true }).extend({
  libraries: [OPTIONALS, SETS, ENCODERS, TWO_VARIABLE_COMPREHENSIONS, BINDINGS, MATH, LISTS, BLOCKS, stringsLibrary(4)],
});

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function typeFrom(json: unknown): CelType {
  const type = object(json);
  const [[kind, content] = ['dyn', undefined]] = Object.entries(type);
  const parts = object(content);
  switch (kind) {
    case 'primitive':
    case 'wellKnown':
      return PRIMITIVES[String(content)] ?? DYN;
    case 'wrapper':
      return nullableType(PRIMITIVES[String(content)] ?? DYN);
    case 'null':
      return NULL;
    case 'listType':
      return listType(typeFrom(parts['elemType']));
    case 'mapType':
      return mapType(typeFrom(parts['keyType']), typeFrom(parts['valueType']));
    case 'typeParam':
      return typeParameter(String(content));
    case 'abstractType':
      return opaqueType(String(parts['name']), ...array(parts['parameterTypes']).map(typeFrom));
    case 'type':
      return typeType(typeFrom(content));
    default:
      return DYN;
  }
}

function valueFrom(json: unknown): unknown {
  const [[kind, content] = ['', undefined]] = Object.entries(object(json));
  switch (kind) {
    case 'int64Value':
      return makeInt(BigInt(String(content)));
    case 'uint64Value':
      return new CelUint(BigInt(String(content)));
    case 'doubleValue':
      return makeDouble(Number(content));
    case 'bytesValue':
      return new Uint8Array(Buffer.from(String(content), 'base64'));
    case 'listValue':
      return array(object(content)['values']).map(valueFrom);
    case 'mapValue': {
      const map = new CelMap();
      for (const entry of array(object(content)['entries']).map(object)) {
        map.insert(valueFrom(entry['key']), valueFrom(entry['value']), String);
      }
      return map;
    }
    case 'typeValue':
      return new CelTypeValue(NAMED_TYPES.find(({ name }) => name === content) ?? opaqueType(String(content)));
    case 'objectValue': {
      const { '@type': name, value } = object(content);
      return String(name).endsWith('Timestamp') ? toTimestamp(value) : toDuration(value);
    }
    default:
      return kind === 'nullValue' ? null : content;
  }
}

function environmentOf({ spec }: SpecTest): CelEnvironment {
  const variables: Record<string, CelType> = {};
  const functions: FunctionDeclaration[] = [];
  for (const declaration of array(spec['typeEnv']).map(object)) {
    const name = String(declaration['name']);
    if (declaration['ident'] !== undefined) variables[name] = typeFrom(object(declaration['ident'])['type']);
    const overloads = array(object(declaration['function'])['overloads']).map((json) => {
      const { overloadId, params, resultType, isInstanceFunction } = object(json);
      const make = isInstanceFunction === true ? member : overload;
      return make(String(overloadId), array(params).map(typeFrom), typeFrom(resultType), () => undefined);
    });
    if (overloads.length > 0) functions.push(declare(name, ...overloads));
  }
  const { container } = spec;
  return BASE.with({ container: typeof container === 'string' ? container : '' }).extend({ variables, functions });
}

/** What is wrong with the outcome; undefined where it is as the data says. */
function problemOf(test: SpecTest): string | undefined {
  const { spec, expression } = test;
  const compiled = environmentOf(test).compile(expression);
  const wantsError = spec['evalError'] !== undefined;
  if (!compiled.ok) return wantsError ? undefined : issueText(compiled.issues, expression);
  const typed = object(spec['typedResult']);
  if (spec['typedResult'] !== undefined) {
    const wanted = typeFrom(typed['deducedType']).display;
    if (compiled.outputType.display !== wanted) return `type ${compiled.outputType.display}, wanted ${wanted}`;
    if (spec['checkOnly'] === true) return undefined;
  }
  const entries = Object.entries(object(spec['bindings']));
  const bindings = Object.fromEntries(entries.map(([name, binding]) => [name, valueFrom(object(binding)['value'])]));
  const result = compiled.program.evaluateSafely(bindings);
  if ('error' in result) return wantsError ? undefined : result.error.message;
  if (wantsError) return 'no error';
  const wanted = valueFrom(typed['result'] ?? spec['value'] ?? { boolValue: true });
  const isSame = isEqual(result.value, wanted) || (Number.isNaN(result.value) && Number.isNaN(wanted));
  const isSameType = typeOf(result.value).name === typeOf(wanted).name;
  return isSame && isSameType ? undefined : `${String(result.value)}, wanted ${JSON.stringify(spec['value'])}`;
}

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: Json }[];
}

function testsOf(suite: Suite, path: string): SpecTest[] {
  const own = (suite.tests ?? []).map(({ original }) => ({
    path: `${path}/${String(original['name'])}`,
    spec: original,
    expression: String(original['expr']),
  }));
  return [...own, ...(suite.suites ?? []).flatMap((inner) => testsOf(inner, `${path}/${inner.name}`))];
}

const ALL = testsOf(tests, '');

function exceptionOf(test: SpecTest): Exception | undefined {
  return EXCEPTIONS.find(({ applies }) => applies(test));
}

describe('the official test data of CEL', () => {
  it.each(tests.suites ?? [])('$name', (suite) => {
    const failures = testsOf(suite, suite.name)
      .filter((test) => exceptionOf(test) === undefined)
      .map((test) => ({ test, problem: problemOf(test) }))
      .filter(({ problem }) => problem !== undefined)
      .map(({ test, problem }) => `${test.path}: ${test.expression}: ${problem}`);
    expect(failures).toEqual([]);
  });

  it.each(EXCEPTIONS)('leaves out $count: $reason', (exception) => {
    expect(ALL.filter((test) => exceptionOf(test) === exception)).toHaveLength(exception.count);
  });

  it('runs all that is not left out', () => {
    const counts = { all: ALL.length, run: ALL.filter((test) => exceptionOf(test) === undefined).length };
    expect(counts).toEqual({ all: 2344, run: 1617 });
  });
});
