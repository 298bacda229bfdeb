import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage, openEnvelope, ProtobufError, type ProtobufTable } from './protobuf.ts';

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const TABLE: ProtobufTable = {
  Thing: {
    name: [1, 'string', ''],
    count: [2, 'int64', 'p'],
    labels: [3, 'string', 'm'],
    parts: [4, 'Part', 'r'],
    created: [5, `${META}.Time`, ''],
    on: [6, 'bool', ''],
    data: [7, 'bytes', 'm'],
    size: [8, 'k8s.io.apimachinery.pkg.api.resource.Quantity', 'm'],
    port: [9, 'k8s.io.apimachinery.pkg.util.intstr.IntOrString', ''],
    renamed: [10, 'string', '', 'reNamed'],
    inner: [11, 'Part', 'i'],
  },
  Part: { value: [1, 'int32', 'a'], note: [2, 'string', ''] },
};

const varint = (value: bigint): number[] =>
  value > 0x7fn ? [Number(value & 0x7fn) | 0x80, ...varint(value >> 7n)] : [Number(value)];
const number = (field: number, value: bigint): number[] => [field << 3, ...varint(BigInt.asUintN(64, value))];
const bytes = (field: number, value: readonly number[]): number[] => [
  (field << 3) | 2,
  ...varint(BigInt(value.length)),
  ...value,
];
const text = (field: number, value: string): number[] => bytes(field, [...Buffer.from(value)]);
const decode = (raw: readonly number[]) => decodeMessage(Uint8Array.from(raw), { message: 'Thing', table: TABLE });

describe('decodeMessage', () => {
  test.each([
    ['a scalar', text(1, 'web'), { name: 'web' }],
    ['a zero that is no pointer', text(1, ''), {}],
    ['a zero that is a pointer', number(2, 0n), { count: 0 }],
    ['a negative number', number(2, -5n), { count: -5 }],
    ['a map', bytes(3, [...text(1, 'app'), ...text(2, 'x')]), { labels: { app: 'x' } }],
    ['a map entry without a value', bytes(3, text(1, 'app')), { labels: { app: '' } }],
    ['a list, with a field that is always written', bytes(4, number(1, 0n)), { parts: [{ value: 0 }] }],
    ['a time', bytes(5, number(1, 1_700_000_000n)), { created: '2023-11-14T22:13:20Z' }],
    ['the zero time', bytes(5, []), {}],
    ['bytes', bytes(7, [...text(1, 'k'), ...bytes(2, [1, 2])]), { data: { k: 'AQI=' } }],
    ['a quantity', bytes(8, [...text(1, 'cpu'), ...bytes(2, text(1, '500m'))]), { size: { cpu: '500m' } }],
    ['an integer port', bytes(9, [...number(1, 0n), ...number(2, 80n), ...text(3, '')]), { port: 80 }],
    ['a named port', bytes(9, [...number(1, 1n), ...number(2, 0n), ...text(3, 'http')]), { port: 'http' }],
    ['a field with another JSON name', text(10, 'x'), { reNamed: 'x' }],
    ['an inlined message', bytes(11, text(2, 'n')), { note: 'n' }],
    ['an unknown field', text(15, 'x'), {}],
  ])('%s', (_name, raw, expected) => {
    expect(decode(raw)).toEqual(expected);
  });

  test('keeps the digits of an integer that a number cannot hold', () => {
    expect(JSON.stringify(decode(number(2, 9_007_199_254_740_993n)))).toBe('{"count":9007199254740993}');
  });

  test('a key called __proto__ is only a key', () => {
    const decoded = decode(bytes(3, [...text(1, '__proto__'), ...text(2, 'x')]));
    expect(JSON.stringify(decoded)).toBe('{"labels":{"__proto__":"x"}}');
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  test('whatever bytes come, it answers or throws a ProtobufError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => {
        const outcome = outcomeOf(() => decodeMessage(raw, { message: 'Thing', table: TABLE }));
        expect(outcome instanceof Error && !(outcome instanceof ProtobufError)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});

function outcomeOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe('openEnvelope', () => {
  test('finds version, kind and the object', () => {
    const envelope = [...bytes(1, [...text(1, 'v1'), ...text(2, 'Pod')]), ...bytes(2, [1, 2, 3])];
    const opened = openEnvelope(Uint8Array.from([0x6b, 0x38, 0x73, 0, ...envelope]));
    expect(opened).toEqual({ apiVersion: 'v1', kind: 'Pod', raw: Uint8Array.from([1, 2, 3]) });
  });

  test('refuses a body without the prefix', () => {
    expect(() => openEnvelope(Uint8Array.from([1, 2, 3]))).toThrow('expected prefix [107 56 115 0]');
  });
});
