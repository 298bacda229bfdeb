import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builtinResources } from '#api/registry/registry.ts';
import { formatTime } from '#machinery/clock/clock.ts';
import { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import { ProtobufError } from '#machinery/codec/protobuf/errors.ts';
import type { Schema } from '#machinery/schema/schema.ts';
import { compileSchema } from '#machinery/schema/compile.ts';
import { builtinSchemas } from './load.ts';
import { protobufMessageOf, protobufTable } from './protobuf.ts';

const codec = new ProtobufCodec({ table: await protobufTable(), messageOf: protobufMessageOf });
const schemas = builtinSchemas();
const resources = builtinResources();
const DEPTH_MAX = 9;

/** Objects that a schema allows, small ones more often. */
function valueOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'ref': {
      const target = schemas[schema.ref ?? ''];
      return target === undefined || depth > DEPTH_MAX ? fc.constant({}) : valueOf(target, depth + 1);
    }
    case 'object':
      return objectOf(schema, depth);
    case 'array':
      return depth > DEPTH_MAX ? fc.constant([]) : fc.array(valueOf(schema.items ?? ANY, depth + 1), { maxLength: 2 });
    case 'map':
      return depth > DEPTH_MAX
        ? fc.constant({})
        : fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 6 }), valueOf(schema.items ?? ANY, depth + 1), {
            maxKeys: 3,
          });
    default:
      return scalarOf(schema);
  }
}

const ANY: Schema = { type: 'any' };
const TIMES = fc.integer({ min: 1, max: 2 ** 32 }).map((seconds) => formatTime(seconds * 1000));

function scalarOf({ type, format }: Schema): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 12 });
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return format === 'int32'
        ? fc.integer()
        : fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n - 1n }));
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'intOrString':
      return fc.oneof(fc.integer(), fc.string({ maxLength: 8 }));
    case 'quantity':
      return fc.constantFrom('0', '1', '100m', '64Mi', '1500G', '-3');
    case 'time':
      return TIMES;
    case 'microTime':
      return TIMES.map((time) => time.replace('Z', '.123456Z'));
    case 'bytes':
      return fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    default:
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.integer(), { minKeys: 1, maxKeys: 2 });
  }
}

function objectOf({ fields = {} }: Schema, depth: number): fc.Arbitrary<unknown> {
  const entries = Object.entries(fields).filter(([name]) => name !== 'kind' && name !== 'apiVersion');
  if (depth > DEPTH_MAX || entries.length === 0) return fc.constant({});
  return fc
    .subarray(entries, { maxLength: Math.min(entries.length, Math.max(2, 12 - 2 * depth)) })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map(([name, schema]) => [name, valueOf(schema, depth)]))));
}

const kinds = resources.map((definition) => ({
  apiVersion: definition.group === '' ? definition.version : `${definition.group}/${definition.version}`,
  ...definition,
}));

describe('the messages of the served kinds', () => {
  test('every kind and its list has one', () => {
    const missing = kinds.flatMap(({ apiVersion, kind, listKind }) =>
      [kind, listKind].filter((name) => codec.messageOf({ apiVersion, kind: name }) === undefined),
    );
    // Reviews have no lists.
    expect(missing.filter((name) => !/(Review|Binding|Eviction)List$/.test(name))).toEqual([]);
  });

  test('whatever passes a schema comes back the same, and to the same bytes', () => {
    fc.assert(
      fc.property(
        fc
          .constantFrom(...kinds)
          .chain((kind) => valueOf({ type: 'ref', ref: kind.schemaName }, 0).map((value) => ({ kind, value }))),
        ({ kind: { apiVersion, kind, schemaName }, value }) => {
          const schema = compileSchema(schemas, schemaName);
          const object = { ...Object(schema.decode(value, { mode: 'prune' }).value), apiVersion, kind };
          const bytes = codec.encodeObject(object);
          const decoded = codec.decodeObject(bytes);
          // What is no pointer is zero on the wire, where JSON may have left it out.
          expect(withoutEmpty(schema.decode(decoded, { mode: 'prune' }).value)).toMatchObject(
            Object(withoutEmpty(object)),
          );
          expect(codec.encodeObject(decoded).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('whatever happens to the bytes, the decoder answers or throws its own error', () => {
    const pod = codec.encodeObject({
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { name: 'web', labels: { a: 'b' }, creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { containers: [{ name: 'main', image: 'busybox', resources: { limits: { cpu: '1' } } }] },
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(pod.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(pod.length),
        (changes, length) => {
          const bytes = Buffer.from(pod.subarray(0, length));
          for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
          const outcome = outcomeOf(() => codec.decodeObject(bytes));
          expect(outcome instanceof Error && !(outcome instanceof ProtobufError)).toBe(false);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

/** The wire cannot tell an empty list or map from none. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withoutEmpty(item) ?? {});
  const fields = Object.entries(value).map(([key, child]) => [key, withoutEmpty(child)] as const);
  return Object.fromEntries(
    fields.filter(([, child]) => typeof child !== 'object' || child === null || Object.keys(child).length > 0),
  );
}

function outcomeOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
