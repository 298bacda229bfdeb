import { describe, expect, it } from 'vitest';
import type { CompileResult } from '../environment.ts';
import { compilationErrorText } from '../errors.ts';
import { DOUBLE, optionalType } from '../types/type.ts';
import { someOptional } from '../values/equality.ts';
import { kubernetesEnvironment } from './environment.ts';
import { escapeFieldName, unescapeFieldName } from './escaping.ts';
import { schemaSizes, SchemaTypes } from './schema-types.ts';
import type { StructuralSchema } from './structural-schema.ts';

const TEXT: StructuralSchema = { type: 'string' };
const INTEGER: StructuralSchema = { type: 'integer' };

function compile(schema: StructuralSchema, rule: string, isResource = false): CompileResult & { types: SchemaTypes } {
  const types = new SchemaTypes(schema, { isResource });
  if (types.root === undefined) throw new Error('the schema has no type');
  const { type } = types.root;
  const environment = kubernetesEnvironment().extend({ provider: types, variables: { self: type, oldSelf: type } });
  return { ...environment.compile(rule), types };
}

function evaluate(schema: StructuralSchema, rule: string, values: { self: unknown; oldSelf?: unknown }): unknown {
  const compiled = compile(schema, rule);
  if (!compiled.ok) throw new Error(compilationErrorText(compiled.issues, rule));
  return compiled.program.evaluate({ ...values });
}

function estimate(schema: StructuralSchema, rule: string): number {
  const compiled = compile(schema, rule);
  if (!compiled.ok) throw new Error(compilationErrorText(compiled.issues, rule));
  const { root } = compiled.types;
  return compiled.cost(schemaSizes({ self: root, oldSelf: root })).max;
}

function object(properties: Readonly<Record<string, StructuralSchema>>): StructuralSchema {
  return { type: 'object', properties };
}

describe('names of fields', () => {
  it.each([
    ['plain', 'plain'],
    ['a.b-c/d', 'a__dot__b__dash__c__slash__d'],
    ['under__score', 'under__underscores__score'],
    ['namespace', '__namespace__'],
    ['x_y', 'x_y'],
  ])('%s is written %s', (name, escaped) => {
    expect(escapeFieldName(name)).toBe(escaped);
    expect(unescapeFieldName(escaped)).toBe(name);
  });

  it.each(['', '1a', 'a b', 'a$'])('%j cannot be written', (name) => {
    expect(escapeFieldName(name)).toBeUndefined();
  });
});

describe('types of a schema', () => {
  const schema = object({
    replicas: INTEGER,
    ratio: { type: 'number' },
    port: { 'x-kubernetes-int-or-string': true },
    at: { type: 'string', format: 'date-time' },
    wait: { type: 'string', format: 'duration' },
    data: { type: 'string', format: 'byte' },
    tags: { type: 'array', items: TEXT, 'x-kubernetes-list-type': 'set' },
    labels: { type: 'object', additionalProperties: TEXT },
    free: { 'x-kubernetes-preserve-unknown-fields': true },
    'app.kubernetes.io/name': TEXT,
  });

  it.each([
    ['self.replicas', 'int'],
    ['self.ratio', 'double'],
    ['self.port', 'dyn'],
    ['self.at', 'timestamp'],
    ['self.wait', 'duration'],
    ['self.data', 'bytes'],
    ['self.tags', 'list(string)'],
    ['self.labels', 'map(string, string)'],
    ['self.app__dot__kubernetes__dot__io__slash__name', 'string'],
  ])('%s is %s', (expression, display) => {
    const compiled = compile(schema, expression);
    expect(compiled.ok && compiled.outputType.display).toBe(display);
  });

  it('leave out what has no type', () => {
    const compiled = compile(schema, 'has(self.free)');
    const text = compiled.ok ? '' : compilationErrorText(compiled.issues, 'has(self.free)');
    expect(text).toBe("compilation failed: ERROR: <input>:1:4: undefined field 'free'\n | has(self.free)\n | ...^");
  });

  it('convert what an optional variable holds', () => {
    const types = new SchemaTypes({ type: 'number' });
    const variables = { self: DOUBLE, oldSelf: optionalType(types.root?.type ?? DOUBLE) };
    const compiled = kubernetesEnvironment()
      .extend({ provider: types, variables })
      .compile('oldSelf.value() / 2.0 == 0.5');
    expect(compiled.ok && compiled.program.evaluate({ oldSelf: someOptional(1) }).value).toBe(true);
  });

  it('take a null where none is allowed for nothing', () => {
    const nullable = object({ a: TEXT, b: { type: 'string', nullable: true } });
    const self = { a: null, b: null };
    expect(evaluate(nullable, 'has(self.a)', { self })).toMatchObject({ value: false });
    expect(evaluate(nullable, 'has(self.b) && self.?a.orValue("none") == "none"', { self })).toMatchObject({
      value: true,
    });
  });

  it('give resources their apiVersion, kind and name', () => {
    const rule = "self.metadata.name != '' && self.kind != self.apiVersion && self.metadata.generateName == ''";
    expect(compile(object({}), rule, true).ok).toBe(true);
    expect(compile(object({}), rule, false).ok).toBe(false);
  });

  it.each([
    ['self.ratio == 1.0 && self.ratio / 2.0 == 0.5', true],
    ["self.at < timestamp('2024-01-02T00:00:00Z') && self.at.getFullYear() == 2024", true],
    ["self.wait == duration('1h30m')", true],
    ["self.data == b'hi'", true],
    ["self.tags == ['b', 'a'] && self.tags + ['b', 'c'] == ['a', 'b', 'c']", true],
    ["type(self.port) == string && self.port.matches('^[0-9]+%$')", true],
    ["self.app__dot__kubernetes__dot__io__slash__name == 'x'", true],
    ["self.labels.exists(k, k.startsWith('a') && self.labels[k] == '1')", true],
    ['has(self.labels.b) || !has(self.replicas)', true],
  ])('%s is %s', (rule, wanted) => {
    const self = {
      ratio: 1,
      at: '2024-01-01T10:00:00Z',
      wait: '1h30m',
      data: 'aGk=',
      tags: ['a', 'b'],
      port: '50%',
      labels: { a: '1' },
      'app.kubernetes.io/name': 'x',
    };
    expect(evaluate(schema, rule, { self })).toMatchObject({ value: wanted });
  });
});

describe('lists that are sets or maps', () => {
  const item = object({ k: TEXT, v: TEXT });
  const list: StructuralSchema = {
    type: 'array',
    items: item,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
  };
  const schema = object({ objs: { type: 'array', items: list } });
  const self = {
    objs: [
      [
        { k: 'a', v: '1' },
        { k: 'b', v: '2' },
      ],
      [
        { k: 'b', v: '2' },
        { k: 'a', v: '1' },
      ],
      [
        { k: 'b', v: '3' },
        { k: 'a', v: '1' },
      ],
      [{ k: 'c', v: '4' }],
    ],
  };

  it.each([
    ['self.objs[0] == self.objs[1]', 7],
    ['self.objs[0] + self.objs[2] == self.objs[2]', 11],
    ['self.objs[0] == [self.objs[0][1], self.objs[0][0]]', 22],
    ['self.objs[2] + [self.objs[0][0], self.objs[0][1]] == self.objs[0]', 26],
    ['size(self.objs[0] + [self.objs[3][0]]) == 3', 20],
  ])('%s holds at a cost of %d', (rule, cost) => {
    expect(evaluate(schema, rule, { self })).toEqual({ value: true, cost });
  });

  it('compare within objects too', () => {
    const nested = object({ set: { type: 'array', items: TEXT, 'x-kubernetes-list-type': 'set' } });
    const values = { self: { set: ['a', 'b'] }, oldSelf: { set: ['b', 'a'] } };
    expect(evaluate(nested, 'self == oldSelf', values)).toMatchObject({ value: true });
  });
});

describe('costs with a schema', () => {
  const array = (items: StructuralSchema, maxItems?: number): StructuralSchema =>
    maxItems === undefined ? { type: 'array', items } : { type: 'array', items, maxItems };
  const map = (additionalProperties: StructuralSchema): StructuralSchema => ({ type: 'object', additionalProperties });

  it.each<[string, StructuralSchema, string, number]>([
    ['numbers', array({ type: 'number' }), 'self.all(x, true)', 4_718_591],
    ['at most ten numbers', array({ type: 'number' }, 10), 'self.all(x, true)', 32],
    ['strings', array(TEXT), 'self.all(x, true)', 3_145_727],
    ['booleans', array({ type: 'boolean' }), 'self.all(x, true)', 1_887_437],
    ['a map of numbers', map({ type: 'number' }), 'self.all(x, true)', 1_348_169],
    ['a map that has', map({ type: 'number' }), 'has(self.x)', 1],
    ['a string', TEXT, "self.contains('test')", 314_574],
    ['a short string', { type: 'string', maxLength: 10 }, "self.contains('test')", 5],
    ['concatenation', TEXT, 'size(self + "hello") > size("hello")', 314_578],
    ['comparison of elements', array(TEXT), 'self[1] == self[1]', 314_577],
    ['a loop in a loop', array({ type: 'number' }, 10), 'self.all(x, self.all(y, true))', 352],
    ['a pattern', { type: 'string', maxLength: 50 }, 'self.matches("x")', 22],
    ['durations', array({ type: 'string', format: 'duration' }), 'self.all(x, true)', 2_359_295],
    ['dates', array({ type: 'string', format: 'date-time' }), 'self.all(x, true)', 428_963],
    ['types', object({ s: TEXT }), 'type(self.s) == google.protobuf.Duration', 4],
    ['an optional', map(TEXT), "self.?x.orValue('v') == 'a'", 4],
    ['ints or strings', array({ 'x-kubernetes-int-or-string': true }), 'self[0] == 5', 3],
  ])('of %s are estimated', (_name, schema, rule, max) => {
    expect(estimate(schema, rule)).toBe(max);
  });

  it.each<[string, number]>([
    ['self.n == self.n', 5],
    ['type(self.n) == int', 4],
    ["self.s.startsWith('Rook')", 4],
    ["self.s.matches('^[^0-9]*$')", 8],
    ["self.s.replace(' ', 'x') == 'Rookxtakesx👑'", 7],
    ["self.s in ['Pending', 'Available']", 2],
    ['1 in self.l', 5],
    ['self.l + [4, 5] == [1, 2, 3, 4, 5]', 4],
    ["sets.equivalent(self.t, ['a', 'b', 'c'])", 21],
    ["'k1' in self.m", 3],
    ['has(self.n) && has(self.s)', 2],
    ["'%d %s %f %s'.format([1, 'abc', 1.0, duration('1m')]) == '1 abc 1.000000 60s'", 4],
  ])('%s costs %d', (rule, cost) => {
    const schema = object({
      n: INTEGER,
      s: TEXT,
      l: array(INTEGER),
      t: { ...array(TEXT), 'x-kubernetes-list-type': 'set' },
      m: map(TEXT),
    });
    const self = { n: 5, s: 'Rook takes 👑', l: [1, 2, 3], t: ['a', 'b', 'c'], m: { k1: 'a', k2: 'b' } };
    expect(evaluate(schema, rule, { self })).toMatchObject({ cost });
  });
});
