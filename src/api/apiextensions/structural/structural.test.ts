import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldErrorText } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { applySchemaDefaults, pruneNulls } from './defaults.ts';
import { hasFormat } from './formats.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateListTypes } from './list-types.ts';
import { prune } from './prune.ts';
import { validateValue } from './validate.ts';

const ROOT = new FieldPath();

function spec(schema: JsonSchema): JsonSchema {
  return { type: 'object', properties: { spec: schema } };
}

function errorsOf(schema: JsonSchema, value: unknown, old?: { value: unknown }): string[] {
  return validateValue(value, schema, { path: ROOT, old }).map(fieldErrorText);
}

describe('Pruning', () => {
  test.each<[string, JsonSchema, object, object, string[]]>([
    ['drops unknown fields', spec({ type: 'object' }), { spec: { a: 1 }, b: 2 }, { spec: {} }, ['b', 'spec.a']],
    [
      'keeps apiVersion, kind and metadata of the root',
      { type: 'object' },
      { kind: 'A', metadata: { x: 1 } },
      { kind: 'A', metadata: { x: 1 } },
      [],
    ],
    [
      'keeps what is to be preserved, and prunes what is described in it',
      spec({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { p: { type: 'object' } } }),
      { spec: { free: { x: 1 }, p: { y: 1 } } },
      { spec: { free: { x: 1 }, p: {} } },
      ['spec.p.y'],
    ],
    [
      'goes into lists and maps',
      spec({
        type: 'object',
        properties: { l: { type: 'array', items: { type: 'object' } } },
      }),
      { spec: { l: [{ a: 1 }, {}] } },
      { spec: { l: [{}, {}] } },
      ['spec.l[0].a'],
    ],
    [
      'keeps metadata of embedded resources',
      spec({ type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } }),
      { spec: { kind: 'Pod', metadata: { name: 'a' }, spec: { x: 1 }, y: 1 } },
      { spec: { kind: 'Pod', metadata: { name: 'a' }, spec: {} } },
      ['spec.spec.x', 'spec.y'],
    ],
  ])('%s', (_, schema, value, pruned, unknown) => {
    expect(prune(value, schema, { isRoot: true })).toEqual(unknown);
    expect(value).toEqual(pruned);
  });

  test('of what was pruned changes nothing', () => {
    const schema = spec({ type: 'object', properties: { a: { type: 'array', items: { type: 'object' } } } });
    fc.assert(
      fc.property(fc.object({ key: fc.constantFrom('spec', 'a', 'b', 'metadata'), maxDepth: 4 }), (value) => {
        prune(value, schema, { isRoot: true });
        expect(prune(value, schema, { isRoot: true })).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('Defaults', () => {
  const schema = spec({
    type: 'object',
    default: {},
    properties: {
      a: { type: 'string', default: 'x' },
      n: { type: 'string', nullable: true, default: 'y' },
      l: { type: 'array', items: { type: 'object', properties: { p: { type: 'string', default: 'TCP' } } } },
    },
  });

  test.each([
    ['fill what is absent, from the outside in', {}, { spec: { a: 'x', n: 'y' } }],
    ['replace null unless it is allowed', { spec: { a: null, n: null } }, { spec: { a: 'x', n: null } }],
    ['go into lists', { spec: { l: [{}] } }, { spec: { a: 'x', n: 'y', l: [{ p: 'TCP' }] } }],
  ])('%s', (_, value, defaulted) => {
    pruneNulls(value, schema);
    applySchemaDefaults(value, schema);
    expect(value).toEqual(defaulted);
  });

  test('leave null without a default away', () => {
    const value = { spec: { l: null } };
    pruneNulls(value, schema);
    expect(value).toEqual({ spec: {} });
  });
});

describe('Validation', () => {
  test.each<[string, JsonSchema, unknown, string[]]>([
    [
      'a type',
      { type: 'integer' },
      'a',
      ['spec: Invalid value: "string": spec in body must be of type integer: "string"'],
    ],
    ['null', { type: 'string' }, null, ['spec: Invalid value: "null": spec in body must be of type string: "null"']],
    [
      'a fraction',
      { type: 'integer' },
      1.5,
      [
        'spec: Invalid value: "number": spec in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec',
      ],
    ],
    [
      'a maximum',
      { type: 'integer', maximum: 10 },
      11,
      ['spec: Invalid value: 11: spec in body should be less than or equal to 10'],
    ],
    [
      'an exclusive minimum',
      { type: 'number', minimum: 1, exclusiveMinimum: true },
      1,
      ['spec: Invalid value: 1: spec in body should be greater than 1'],
    ],
    [
      'a multiple',
      { type: 'integer', multipleOf: 3 },
      4,
      ['spec: Invalid value: 4: spec in body should be a multiple of 3'],
    ],
    ['a long text', { type: 'string', maxLength: 2 }, 'abc', ['spec: Too long: may not be more than 2 bytes']],
    [
      'a short text',
      { type: 'string', minLength: 2 },
      'é',
      ['spec: Invalid value: "é": spec in body should be at least 2 chars long'],
    ],
    [
      'a pattern',
      { type: 'string', pattern: '^a+$' },
      'b',
      ['spec: Invalid value: "b": spec in body should match \'^a+$\''],
    ],
    [
      'an enum',
      { type: 'string', enum: ['a', 'b'] },
      'c',
      ['spec: Unsupported value: "c": supported values: "a", "b"'],
    ],
    [
      'a format',
      { type: 'string', format: 'date-time' },
      'now',
      ['spec: Invalid value: "now": spec in body must be of type date-time: "now"'],
    ],
    [
      'too many items',
      { type: 'array', maxItems: 1, items: { type: 'string' } },
      ['a', 'b'],
      ['spec: Too many: 2: must have at most 1 items'],
    ],
    [
      'an item',
      { type: 'array', items: { type: 'string' } },
      [1],
      ['spec[0]: Invalid value: "integer": spec[0] in body must be of type string: "integer"'],
    ],
    ['a required field', { type: 'object', required: ['a'] }, {}, ['spec.a: Required value']],
    [
      'a value of a map',
      { type: 'object', additionalProperties: { type: 'string' } },
      { k: 1 },
      ['spec.k: Invalid value: "integer": spec.k in body must be of type string: "integer"'],
    ],
    [
      'an int or string',
      { 'x-kubernetes-int-or-string': true },
      true,
      ['spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean"'],
    ],
    [
      'one of',
      { type: 'string', oneOf: [{ pattern: 'a' }, { pattern: 'b' }] },
      'ab',
      ['<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ],
    [
      'not',
      { type: 'string', not: { enum: ['x'] } },
      'x',
      ['<nil>: Invalid value: "": "spec" must not validate the schema (not)'],
    ],
    [
      'any of',
      { type: 'string', anyOf: [{ pattern: 'a' }] },
      'x',
      [
        '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
        'spec: Invalid value: "x": spec in body should match \'a\'',
      ],
    ],
  ])('tells of %s', (_, schema, value, errors) => {
    expect(errorsOf(spec(schema), { spec: value })).toEqual(errors);
  });

  test.each<[string, JsonSchema, unknown]>([
    ['a whole number for a number', { type: 'number' }, 1],
    ['null where it is allowed', { type: 'string', nullable: true }, null],
    ['a format nobody knows', { type: 'string', format: 'mine' }, 'x'],
    ['both of int or string', { 'x-kubernetes-int-or-string': true }, '80%'],
    ['an integer beyond doubles', { type: 'integer', format: 'int64' }, 9007199254740993n],
  ])('admits %s', (_, schema, value) => {
    expect(errorsOf(spec(schema), { spec: value })).toEqual([]);
  });

  test('passes over what was wrong before, by key in lists of type map', () => {
    const schema = spec({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: { type: 'object', properties: { name: { type: 'string' }, n: { type: 'integer', maximum: 1 } } },
    });
    const old = { spec: [{ name: 'a', n: 5 }] };
    expect(
      errorsOf(
        schema,
        {
          spec: [
            { name: 'b', n: 1 },
            { name: 'a', n: 5 },
          ],
        },
        { value: old },
      ),
    ).toEqual([]);
    expect(errorsOf(schema, { spec: [{ name: 'a', n: 6 }] }, { value: old })).toHaveLength(1);
  });

  test('finds what stands twice in sets and maps', () => {
    const items: JsonSchema = { type: 'object', properties: { k: { type: 'string' } } };
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        s: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        m: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items },
      },
    };
    const value = { s: ['a', 'b', 'a'], m: [{ k: 'x' }, { k: 'x', y: 1 }] };
    expect(validateListTypes(value, schema, ROOT).map(fieldErrorText)).toEqual([
      's[2]: Duplicate value: "a"',
      'm[1]: Duplicate value: {"k":"x"}',
    ]);
  });
});

describe('Formats', () => {
  test.each([
    ['uuid', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'x'],
    ['email', 'a@example.com', 'a@'],
    ['hostname', 'www.example.com', 'a..b'],
    ['ipv4', '10.0.0.1', '10.0.0.256'],
    ['ipv6', 'fe80::1', '10.0.0.1'],
    ['cidr', '10.0.0.0/8', '10.0.0.0/33'],
    ['mac', '00:1b:44:11:3a:b7', '00:1b'],
    ['uri', 'https://example.com/a?b', 'not a uri'],
    ['byte', 'aGVsbG8=', '***'],
    ['date', '2024-02-29', '2023-02-29'],
    ['date-time', '2024-01-01T00:00:00Z', '2024-01-01'],
    ['duration', '1h30m', 'soon'],
    ['isbn13', '978-0321751041', '978-0321751042'],
    ['creditcard', '4111 1111 1111 1111', '4111 1111 1111 1112'],
    ['hexcolor', '#fff', '#ff'],
    ['rgbcolor', 'rgb(1,2,255)', 'rgb(1,2,256)'],
    ['k8s-short-name', 'abc', 'A.b'],
  ])('%s', (format, good, bad) => {
    expect([hasFormat(format, good), hasFormat(format, bad)]).toEqual([true, false]);
  });
});
