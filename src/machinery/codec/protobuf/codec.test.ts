import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeValue } from '../json.ts';
import { ProtobufCodec } from './codec.ts';
import { readEnvelope } from './envelope.ts';
import { ProtobufError } from './errors.ts';
import type { ProtobufTable } from './model.ts';

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
    single: [12, 'Part', 'p'],
    size2: [13, `${META.replace('apis.meta.v1', 'api.resource')}.Quantity`, ''],
  },
  Part: { value: [1, 'int32', 'a'], note: [2, 'string', ''], part: [3, 'Part', 'p'] },
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
const codec = new ProtobufCodec({ table: TABLE, messageOf: (_version, kind) => kind });
const decode = (raw: readonly number[]) => codec.decodeMessage('Thing', Uint8Array.from(raw));

describe('ProtobufCodec decodes', () => {
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
    expect(encodeValue(decode(number(2, 9_007_199_254_740_993n)))).toBe('{"count":9007199254740993}');
  });

  test('a key called __proto__ is only a key', () => {
    const decoded = decode(bytes(3, [...text(1, '__proto__'), ...text(2, 'x')]));
    expect(JSON.stringify(decoded)).toBe('{"labels":{"__proto__":"x"}}');
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  test('a field that comes twice: messages are merged, the last scalar wins', () => {
    const twice = [
      ...text(1, 'a'),
      ...text(1, ''),
      ...bytes(4, text(2, 'x')),
      ...bytes(12, number(1, 1n)),
      ...bytes(12, text(2, 'y')),
    ];
    expect(decode(twice)).toEqual({ parts: [{ note: 'x' }], single: { value: 1, note: 'y' } });
  });

  test.each([
    ['a number that does not end', [0x10, 0x80], 'unexpected EOF'],
    ['a number of more than 64 bits', [0x10, ...Array.from({ length: 11 }, () => 0xff)], 'proto: integer overflow'],
    ['a length beyond the end', [0x0a, 0x05, 0x61], 'unexpected EOF'],
    [
      'a length below zero',
      [0x0a, ...Array.from({ length: 9 }, () => 0xff), 0x01],
      'proto: negative length found during unmarshaling',
    ],
    ['a wrong wire type', number(1, 1n), 'proto: wrong wireType = 0 for field Name'],
    ['field 0', [0x02, 0x00], 'proto: Thing: illegal tag 0 (wire type 2)'],
    ['the end of no group', [0x0c], 'proto: Thing: wiretype end group for non-group'],
    ['an unknown field of wire type 7', [0x7f], 'proto: illegal wireType 7'],
    ['a group that does not end', [0x7b, 0x7b], 'unexpected EOF'],
  ])('refuses %s', (_name, raw, message) => {
    expect(() => decode(raw)).toThrow(new ProtobufError(message));
  });

  test('skips an unknown group with everything in it', () => {
    expect(decode([0x7b, 0x7b, 0x08, 0x01, 0x7c, 0x7c, ...text(1, 'web')])).toEqual({ name: 'web' });
  });

  test('refuses messages that are nested without end', () => {
    let raw: number[] = [];
    for (let depth = 0; depth < 3_000; depth += 1) raw = bytes(3, raw);
    expect(() => codec.decodeMessage('Part', Uint8Array.from(raw))).toThrow(new ProtobufError('exceeded max depth'));
  });

  test('whatever bytes come, it answers or throws a ProtobufError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => {
        const outcome = outcomeOf(() => codec.decodeMessage('Thing', raw));
        expect(outcome instanceof Error && !(outcome instanceof ProtobufError)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('ProtobufCodec encodes', () => {
  test('zeroes of what is no pointer, and nothing for pointers, lists and maps', () => {
    const raw = codec.encodeMessage('Part', {});
    expect([...raw]).toEqual([...number(1, 0n), ...text(2, '')]);
    expect(decode([...codec.encodeMessage('Thing', {})])).toEqual({ port: 0, value: 0, size2: '0' });
  });

  test('map entries in the order of their bytes', () => {
    const labels = { '\uffee': '3', '\u{1f600}': '4', b: '2', a: '1' };
    expect(Object.keys(decode([...codec.encodeMessage('Thing', { labels })])['labels'] ?? {})).toEqual([
      'a',
      'b',
      '\uffee',
      '\u{1f600}',
    ]);
  });

  test.each([0, 1, -1, 127, 128, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n])(
    'the integer %s',
    (count) => {
      expect(decode([...codec.encodeMessage('Thing', { count })])['count']).toBe(count);
    },
  );
});

function outcomeOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe('readEnvelope', () => {
  test('finds version, kind and the object', () => {
    const envelope = [...bytes(1, [...text(1, 'v1'), ...text(2, 'Pod')]), ...bytes(2, [1, 2, 3])];
    const opened = readEnvelope(Uint8Array.from([0x6b, 0x38, 0x73, 0, ...envelope]));
    expect(opened).toEqual({ apiVersion: 'v1', kind: 'Pod', raw: Buffer.from([1, 2, 3]), contentType: '' });
  });

  test('refuses a body without the prefix', () => {
    expect(() => readEnvelope(Uint8Array.from([1, 2, 3]))).toThrow('expected prefix [107 56 115 0]');
  });
});
