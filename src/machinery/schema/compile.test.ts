import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deepFreeze } from '../codec/deep.ts';
import { compileSchema, type Decoded, strictMessages } from './compile.ts';
import type { SchemaSet } from './schema.ts';

const V1 = 'io.k8s.api.core.v1';
const schemas: SchemaSet = {
  [`${V1}.Thing`]: {
    type: 'object',
    fields: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      spec: { type: 'ref', ref: `${V1}.ThingSpec`, always: true },
      status: { type: 'ref', ref: `${V1}.ThingStatus`, always: true },
    },
  },
  [`${V1}.ThingSpec`]: {
    type: 'object',
    fields: {
      replicas: { type: 'integer', format: 'int32', pointer: true },
      big: { type: 'integer', format: 'int64' },
      paused: { type: 'boolean' },
      containers: { type: 'array', items: { type: 'ref', ref: `${V1}.Container` }, always: true },
      labels: { type: 'map', items: { type: 'string' } },
      limits: { type: 'map', items: { type: 'quantity' } },
      port: { type: 'intOrString' },
      since: { type: 'time', pointer: true },
      renewed: { type: 'microTime', pointer: true },
      data: { type: 'bytes' },
      raw: { type: 'any' },
      ratio: { type: 'number' },
      child: { type: 'ref', ref: `${V1}.ThingSpec`, pointer: true },
      texts: { type: 'array', items: { type: 'string' } },
    },
  },
  [`${V1}.ThingStatus`]: { type: 'object', fields: { ready: { type: 'integer', format: 'int32', always: true } } },
  [`${V1}.Container`]: {
    type: 'object',
    fields: {
      name: { type: 'string', always: true },
      image: { type: 'string' },
      resources: { type: 'ref', ref: `${V1}.Resources`, always: true },
    },
  },
  [`${V1}.Resources`]: { type: 'object', fields: { cpu: { type: 'quantity', pointer: true } } },
};

const compiled = compileSchema(schemas, `${V1}.Thing`);
const decode = (spec: unknown): Decoded => compiled.decode(deepFreeze({ spec }), { mode: 'prune' });
const decodedSpec = (spec: unknown): unknown => (decode(spec).value as { spec: unknown }).spec;
const messages = (spec: unknown): string[] => decode(spec).errors.map(({ message }) => message);

describe('compileSchema', () => {
  test('writes zero values as Go does', () => {
    const spec = { replicas: 0, paused: false, texts: [], labels: {}, containers: [{ image: '' }], child: {}, big: 0 };
    expect(compiled.decode({ kind: 'Thing', spec }, { mode: 'prune' })).toEqual({
      value: {
        kind: 'Thing',
        spec: { replicas: 0, containers: [{ name: '', resources: {} }], child: {} },
        status: { ready: 0 },
      },
      unknown: [],
      errors: [],
    });
  });

  test('leaves zero values alone where told to', () => {
    const keeping = compileSchema(schemas, `${V1}.Thing`, { zeroes: 'keep' });
    const spec = { paused: false, texts: [], containers: [{ image: '' }] };
    expect(keeping.decode({ spec }, { mode: 'prune' }).value).toEqual({ spec });
  });

  test('prunes or keeps unknown fields and names them either way', () => {
    const document = { bogus: 1, spec: { containers: [{ name: 'a', imagee: 'x' }], child: { 'odd.key': {} } } };
    const paths = ['bogus', 'spec.containers[0].imagee', 'spec.child.odd.key'];
    const pruned = compiled.decode(document, { mode: 'prune' });
    expect(pruned.unknown).toEqual(paths);
    expect(JSON.stringify(pruned.value)).not.toMatch(/bogus|imagee|odd/);
    const kept = compiled.decode(document, { mode: 'keep' });
    expect(kept.unknown).toEqual(paths);
    expect(kept.value).toMatchObject(document);
    expect(strictMessages({ unknown: ['spec.foo'], duplicates: ['a'] })).toEqual([
      'duplicate field "a"',
      'unknown field "spec.foo"',
    ]);
  });

  test('treats null as absent, and as zero inside lists and maps', () => {
    expect(decodedSpec({ replicas: null, containers: null, labels: { a: null }, texts: ['x', null] })).toEqual({
      labels: { a: '' },
      texts: ['x', ''],
    });
  });

  test('normalizes quantities, times and bytes', () => {
    const spec = {
      limits: { cpu: '1000m', memory: 0.5 },
      port: 80,
      since: '2026-01-02T05:04:05.678+02:00',
      renewed: '2026-01-02T03:04:05.1234567Z',
      data: 'aGVs\nbG8=',
      raw: { any: [1, null] },
    };
    expect(decodedSpec(spec)).toEqual({
      limits: { cpu: '1', memory: '500m' },
      port: 80,
      since: '2026-01-02T03:04:05Z',
      renewed: '2026-01-02T03:04:05.123456Z',
      data: 'aGVsbG8=',
      raw: { any: [1, null] },
    });
  });

  const field = (name: string): string => `Go struct field ThingSpec.spec.${name}`;
  test.each([
    [{ replicas: '3' }, `json: cannot unmarshal string into ${field('replicas')} of type int32`],
    [{ replicas: 1.5 }, `json: cannot unmarshal number 1.5 into ${field('replicas')} of type int32`],
    [{ replicas: 3_000_000_000 }, `json: cannot unmarshal number 3000000000 into ${field('replicas')} of type int32`],
    [{ paused: 1 }, `json: cannot unmarshal number into ${field('paused')} of type bool`],
    [{ containers: {} }, `json: cannot unmarshal object into ${field('containers')} of type []v1.Container`],
    [{ containers: ['x'] }, `json: cannot unmarshal string into ${field('containers')} of type v1.Container`],
    [
      { containers: [{ name: true }] },
      'json: cannot unmarshal bool into Go struct field Container.spec.containers.name of type string',
    ],
    [{ labels: { a: 1 } }, `json: cannot unmarshal number into ${field('labels')} of type string`],
    [{ labels: [] }, `json: cannot unmarshal array into ${field('labels')} of type map[string]string`],
    [{ child: 'x' }, `json: cannot unmarshal string into ${field('child')} of type v1.ThingSpec`],
    [{ port: 1.5 }, 'json: cannot unmarshal number 1.5 into Go value of type int32'],
    [{ since: 5 }, 'json: cannot unmarshal number into Go value of type string'],
    [{ since: 'noon' }, 'parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"'],
    [{ since: '2026-02-30T00:00:00Z' }, 'parsing time "2026-02-30T00:00:00Z": day out of range'],
    [{ data: 'a*b' }, 'illegal base64 data at input byte 1'],
    [
      { limits: { cpu: 'lots' } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
  ])('refuses %j', (spec, message) => {
    expect(messages(spec)).toEqual([message]);
  });

  test('refuses a document that is no object', () => {
    const { errors } = compiled.decode('x', { mode: 'prune' });
    expect(errors).toEqual([{ path: '', message: 'json: cannot unmarshal string into Go value of type v1.Thing' }]);
  });

  test('says where an error is', () => {
    const { errors } = decode({ child: { containers: [{ name: 'a' }, { image: 5 }] } });
    expect(errors[0]?.path).toBe('spec.child.containers[1].image');
  });

  const container = fc.record({ name: fc.string(), image: fc.string({ minLength: 1 }) });
  const spec = fc.record(
    {
      replicas: fc.integer({ min: -5, max: 5 }),
      containers: fc.array(container, { maxLength: 3 }),
      labels: fc.dictionary(fc.string(), fc.string(), { minKeys: 1 }),
      raw: fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
    },
    { requiredKeys: ['containers'] },
  );

  test('decoding what was decoded changes nothing, and shares nothing with its input', () => {
    fc.assert(
      fc.property(spec, (fields) => {
        const once = decode(fields);
        expect(once.errors).toEqual([]);
        const twice = compiled.decode(once.value, { mode: 'prune' });
        expect(twice.value).toEqual(once.value);
        expect(Object.isFrozen((once.value as { spec: { containers: unknown } }).spec.containers)).toBe(false);
        expect(once.value).toMatchObject({ spec: { ...fields, containers: fields.containers } });
      }),
    );
  });
});
