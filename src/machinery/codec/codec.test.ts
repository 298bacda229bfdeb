import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../meta/types.ts';
import { deepCopy, deepEqual, deepFreeze, setOwn } from './deep.ts';
import { parseExactJson } from './exact-json.ts';
import { decodeJson, encodeJson, encodeObject, locateEncoded, spliceVersion, withoutManagedFields } from './json.ts';
import { decodeYaml, encodeYaml, YamlError } from './yaml.ts';

const json = fc.jsonValue({ maxDepth: 4 });
/** Generated doubles may look like exact integers when they are written. */
const asDoubles = (value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(asDoubles);
  if (typeof value !== 'object' || value === null) return value;
  const copy = deepCopy(value) as Record<string, unknown>;
  for (const key of Object.keys(copy)) setOwn(copy, key, asDoubles(copy[key]));
  return copy;
};
const bytesOf = (text: string): Uint8Array => Buffer.from(text);

describe('decodeJson', () => {
  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        expect(asDoubles(decodeJson(bytesOf(text)))).toEqual({ value: JSON.parse(text), duplicates: [] });
        expect(asDoubles(parseExactJson(` ${text}\n`))).toEqual({ value: JSON.parse(text), duplicates: [] });
      }),
    );
  });

  test('names repeated keys and keeps the last value', () => {
    const text = '{"a":1,"spec":{"x":[{"b":1,"b":2}],"\\u0061":1,"a":2},"a":3}';
    expect(decodeJson(bytesOf(text))).toEqual({
      value: { a: 3, spec: { x: [{ b: 2 }], a: 2 } },
      duplicates: ['spec.x[0].b', 'spec.a', 'a'],
    });
  });

  test('keeps integers that a double cannot hold', () => {
    const text =
      '{"big":9223372036854775807,"huge":92233720368547758070,"exact":9007199254740991,"f":0.12345678901234567}';
    expect(decodeJson(bytesOf(text)).value).toEqual({
      big: 9_223_372_036_854_775_807n,
      huge: Number('92233720368547758070'),
      exact: 9_007_199_254_740_991,
      f: Number('0.12345678901234567'),
    });
    const { value } = decodeJson(bytesOf('{"a":[9223372036854775807],"b":null}'));
    expect(Buffer.from(encodeJson(value)).toString()).toBe('{"a":[9223372036854775807],"b":null}');
  });

  test('is not fooled by colons, digits and escapes inside strings, nor by __proto__', () => {
    const text = '{"a:1234567890123456789":"\\"x\\\\","__proto__":{"b":1}}';
    const { value, duplicates } = decodeJson(bytesOf(text));
    expect(duplicates).toEqual([]);
    expect(JSON.stringify(value)).toBe(text);
  });

  test('refuses what is nested too deep for the stack', () => {
    const deep = (levels: number): Uint8Array => bytesOf('['.repeat(levels) + ']'.repeat(levels));
    expect(() => decodeJson(deep(1001))).toThrow('exceeded max depth');
    expect(() => parseExactJson('['.repeat(100_000))).toThrow('exceeded max depth');
    expect(deepCopy(decodeJson(deep(1000)).value)).toBeInstanceOf(Array);
  });

  test.each([
    ['', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{"a"', 'unexpected end of JSON input'],
    ['xyz', "invalid character 'x' looking for beginning of value"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{} {}', "invalid character '{' after top-level value"],
    ['nul!', "invalid character '!' in literal null (expecting 'l')"],
    ['"\\q"', "invalid character 'q' in string escape code"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
  ])('refuses %j in the words of Go', (text, message) => {
    expect(() => decodeJson(bytesOf(text))).toThrow(message);
  });
});

const names = fc.string({ minLength: 1, maxLength: 8 });
const objects = fc.record(
  {
    kind: fc.constant('Thing'),
    apiVersion: fc.constant('example.com/v1'),
    metadata: fc.record(
      {
        name: names,
        labels: fc.dictionary(names, fc.string()),
        resourceVersion: fc.constant('7'),
        managedFields: fc.array(fc.record({ manager: fc.string(), fieldsV1: fc.constant({ 'f:a': {} }) })),
      },
      { requiredKeys: [] },
    ),
    spec: json,
    status: fc.option(json),
  },
  { requiredKeys: ['kind', 'apiVersion', 'metadata'] },
);

describe('encodeObject', () => {
  const join = (parts: Uint8Array[]): unknown => JSON.parse(Buffer.concat(parts).toString());

  test('splices the version in, cuts managedFields off, and is found again by its bytes', () => {
    fc.assert(
      fc.property(objects, (generated) => {
        // Safe: the generator makes the fields of a KubeObject, if odd ones.
        const object = generated as unknown as KubeObject;
        const encoded = encodeObject(object);
        expect(locateEncoded(encoded.bytes)).toEqual(encoded);
        const { managedFields, resourceVersion: _, ...metadata } = object.metadata;
        const plain = JSON.parse(JSON.stringify({ ...object, metadata }));
        const managed = managedFields === undefined || managedFields.length === 0 ? {} : { managedFields };
        const withVersion = { ...plain.metadata, resourceVersion: '42' };
        const expected = { ...plain, metadata: { ...withVersion, ...JSON.parse(JSON.stringify(managed)) } };
        expect(join(spliceVersion(encoded, 42))).toEqual(expected);
        const cut = { ...plain, metadata: withVersion };
        expect(join(spliceVersion(encoded, '42', { withoutManagedFields: true }))).toEqual(cut);
        expect(JSON.parse(Buffer.from(withoutManagedFields(encoded).bytes).toString())).toEqual(plain);
        expect(join(spliceVersion(withoutManagedFields(encoded), 42))).toEqual(cut);
      }),
    );
  });

  test('starts with kind, apiVersion and metadata, managedFields last in it', () => {
    const object = {
      apiVersion: 'v1',
      metadata: { managedFields: [{ manager: 'é' }], name: 'a', resourceVersion: '1' },
      kind: 'Pod',
      spec: { x: undefined, y: 1 },
    };
    const encoded = encodeObject(object);
    const text =
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","managedFields":[{"manager":"é"}]},"spec":{"y":1}}';
    expect(Buffer.from(encoded.bytes).toString()).toBe(text);
  });
});

describe('YAML', () => {
  test('gives back what it wrote', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(asDoubles(decodeYaml(encodeYaml(plain)))).toEqual([plain]);
      }),
      { numRuns: 60 },
    );
  });

  test('reads several documents and skips empty ones', () => {
    expect(decodeYaml('---\na: 1\n---\n# nothing\n---\nb: [x, z]\n')).toEqual([{ a: 1 }, { b: ['x', 'z'] }]);
    expect(decodeYaml('{"kind": "Pod"}')).toEqual([{ kind: 'Pod' }]);
  });

  test('knows YAML 1.1 booleans and octals, and leaves times and base 60 alone', () => {
    const text = 'a: yes\nb: Off\nc: "yes"\nd: 0644\ne: 22:22\nf: 2026-01-01\ng: 1e3\n80: x\nh: 9223372036854775807\n';
    expect(decodeYaml(text)).toEqual([
      { a: true, b: false, c: 'yes', d: 420, e: '22:22', f: '2026-01-01', g: 1000, 80: 'x', h: 9223372036854775807n },
    ]);
  });

  test('resolves anchors and merge keys', () => {
    expect(decodeYaml('base: &b {x: 1}\nuse:\n  <<: *b\n  z: 2\n')).toEqual([{ base: { x: 1 }, use: { x: 1, z: 2 } }]);
  });

  test('refuses repeated keys and bad syntax', () => {
    expect(() => decodeYaml('a: 1\na: 2\n')).toThrow(YamlError);
    expect(() => decodeYaml('a: [1\n')).toThrow('error converting YAML to JSON: yaml: ');
  });

  test('writes sorted keys, and quotes words that would read as something else', () => {
    expect(encodeYaml({ b: ['x'], a: { z: 'yes', y: '1' } })).toBe('a:\n  "y": "1"\n  z: "yes"\nb:\n- x\n');
  });
});

describe('deep helpers', () => {
  test('deepCopy is equal and shares nothing', () => {
    fc.assert(
      fc.property(json, (value) => {
        const copy = deepCopy(deepFreeze(value));
        expect(copy).toEqual(value);
        expect(deepEqual(copy, value)).toBe(true);
        expect(typeof copy === 'object' && copy !== null && Object.isFrozen(copy)).toBe(false);
      }),
    );
  });

  test('deepEqual agrees with comparing sorted text', () => {
    const small = fc.jsonValue({ maxDepth: 2, depthSize: 'xsmall' });
    const sorted = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(sorted);
      if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
      const entries = Object.entries(value).map(([key, child]): [string, unknown] => [key, sorted(child)]);
      return entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
    };
    fc.assert(
      fc.property(small, small, (a, b) => {
        const wrapped = (value: unknown): string => JSON.stringify([sorted(value), Array.isArray(value), typeof value]);
        expect(deepEqual(a, b)).toBe(wrapped(a) === wrapped(b));
      }),
    );
    expect(deepEqual({ a: undefined }, {})).toBe(true);
    expect(deepEqual({ a: [] }, {})).toBe(false);
  });
});
