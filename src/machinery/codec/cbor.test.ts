import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCbor } from './cbor.ts';
import { decodeCbor } from './cbor-decode.ts';
import { CborError } from './cbor-errors.ts';

const hex = (value: unknown) => Buffer.from(encodeCbor(value)).toString('hex');
const decode = (text: string) => decodeCbor(Buffer.from(text, 'hex'));

describe('encodeCbor', () => {
  test.each([
    ['a small integer', 10, '0a'],
    ['one byte', 100, '1864'],
    ['two bytes', 1000, '1903e8'],
    ['four bytes', 1_000_000, '1a000f4240'],
    ['eight bytes', 1_000_000_000_000, '1b000000e8d4a51000'],
    ['a negative integer', -1000, '3903e7'],
    ['the largest integer', 2n ** 63n - 1n, '1b7fffffffffffffff'],
    ['the smallest integer', -(2n ** 63n), '3b7fffffffffffffff'],
    ['a half float', 1.5, 'f93e00'],
    ['a float', 100_000.5, 'fa47c35040'],
    ['a double', 1.1, 'fb3ff199999999999a'],
    ['the smallest half', 2 ** -24, 'f90001'],
    ['minus zero', -0, 'f98000'],
    ['a text, as bytes', 'IETF', '4449455446'],
    ['a list', [1, [2, 3]], '8201820203'],
    ['keys in the order of their bytes', { bb: 1, a: 2, c: 3 }, 'a341610241630342626201'],
    ['words', [true, false, null], '83f5f4f6'],
  ])('%s', (_name, value, expected) => {
    expect(hex(value)).toBe(expected);
    expect(decode(expected)).toEqual(value);
  });

  test('whatever JSON holds comes back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON cannot tell minus zero.
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(decodeCbor(encodeCbor(plain))).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  test('all 64-bit integers come back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(String(decodeCbor(encodeCbor(value)))).toBe(String(value));
      }),
    );
  });
});

describe('decodeCbor', () => {
  test.each([
    ['a text string', '6449455446', 'IETF'],
    ['what says that it is CBOR', 'd9d9f701', 1],
    ['bytes that become base64', 'd64401020304', 'AQIDBA=='],
    ['a time as text', 'c06a323032362d30312d3031', '2026-01-01'],
  ])('reads %s', (_name, text, expected) => {
    expect(decode(text)).toEqual(expected);
  });

  test.each([
    ['nothing', '', 'unexpected EOF'],
    ['a list that is longer than the bytes', '9bffffffffffffffff', 'unexpected EOF'],
    ['a text that is longer than the bytes', '5affffffff', 'unexpected EOF'],
    ['an indefinite length', '9fff', 'cbor: indefinite-length items are not allowed'],
    ['a key that stands twice', 'a2416101416102', 'cbor: found duplicate map key "a"'],
    ['a key that is no text', 'a10102', 'cbor: cannot unmarshal a map key that is no string'],
    ['NaN', 'f97e00', 'cbor: NaN and infinite numbers are not allowed'],
    ['two items', '0102', '1 bytes of extraneous data starting at index 1'],
    ['lists in lists without end', '81'.repeat(5_000), 'exceeded max nested level 64'],
    ['tags of tags without end', 'c0'.repeat(5_000), 'exceeded max nested level 64'],
  ])('refuses %s', (_name, text, message) => {
    expect(() => decode(text)).toThrow(new CborError(message));
  });

  test('whatever bytes come, it answers or throws a CborError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const outcome = outcomeOf(() => decodeCbor(bytes));
        expect(outcome instanceof Error && !(outcome instanceof CborError)).toBe(false);
      }),
      { numRuns: 3_000 },
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
