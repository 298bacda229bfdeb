import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isQuantity, parseQuantity, Quantity, QuantityError, quantityOf, quantityOfMillis } from './quantity.ts';

describe('parseQuantity and toString', () => {
  test.each([
    ['0', '0'],
    ['0Ki', '0'],
    ['100m', '100m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['1.', '1.'],
    ['1.500', '1.500'],
    ['9Ei', '9223372036854775807'],
    ['1', '1'],
    ['1000', '1k'],
    ['1024', '1024'],
    ['12000', '12k'],
    ['1Ki', '1Ki'],
    ['1024Ki', '1Mi'],
    ['1536Mi', '1536Mi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['0.5Mi', '512Ki'],
    ['0.001Ki', '1024m'],
    ['1e3', '1e3'],
    ['1E3', '1E3'],
    ['10e3', '10e3'],
    ['1000e0', '1e3'],
    ['1E', '1E'],
    ['1.1n', '2n'],
    ['0.1n', '1n'],
    ['-0.1n', '-1n'],
    ['-1000m', '-1'],
    ['+5', '+5'],
    ['9223372036854775807', '9223372036854775807'],
    ['8Ei', '9223372036854775807'],
    ['100000Ti', '100000Ti'],
    ['1000000000000000000000', '1000E'],
    ['123456789012345678901234567890', '123456789012345678901234567890'],
  ])('%s is written %s', (text, canonical) => {
    expect(parseQuantity(text).toString()).toBe(canonical);
  });

  test.each(['', ' 1', '1 ', 'aoeu', '1.1.M', '1+1.0M', '0.1mi', '.5i', '1i', '-3.01e-', '1Mi1', 'Ki', '1e99999'])(
    'refuses %j',
    (text) => {
      expect(() => parseQuantity(text)).toThrow(QuantityError);
      expect(isQuantity(text)).toBe(false);
    },
  );

  test('takes plain numbers', () => {
    expect(parseQuantity(0.25).toString()).toBe('250m');
    expect(parseQuantity(2).toString()).toBe('2');
    expect(isQuantity(true)).toBe(false);
  });
});

describe('Quantity', () => {
  test('rounds up when asked for whole or milli units', () => {
    expect(parseQuantity('1m').value()).toBe(1);
    expect(parseQuantity('1u').milliValue()).toBe(1);
    expect(parseQuantity('-1m').value()).toBe(-1);
    expect(parseQuantity('1.5Gi').value()).toBe(1_610_612_736);
    expect(parseQuantity('250m').milliValue()).toBe(250);
    expect(parseQuantity('1.500').roundUp(-3).toString()).toBe('1500m');
  });

  test('keeps its way of writing through sums, and takes the other one while it is zero', () => {
    expect(parseQuantity('1Gi').add(parseQuantity('1Gi')).toString()).toBe('2Gi');
    expect(parseQuantity('0').add(parseQuantity('1Mi')).toString()).toBe('1Mi');
    expect(parseQuantity('1').subtract(parseQuantity('100m')).toString()).toBe('900m');
    expect(quantityOf(2048, 'BinarySI').toString()).toBe('2Ki');
    expect(quantityOfMillis(1500).toString()).toBe('1500m');
  });

  const numbers = fc.tuple(
    fc.constantFrom('', '-'),
    fc.bigInt({ min: 0n, max: 10n ** 20n }),
    fc.option(fc.stringMatching(/^[0-9]{0,12}$/)),
    fc.constantFrom('n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'e2', 'E-4'),
  );

  test('holds the exact value, and its canonical text holds the same', () => {
    fc.assert(
      fc.property(numbers, ([sign, whole, fraction, suffix]) => {
        const text = `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${suffix}`;
        const quantity = parseQuantity(text);
        expect(quantity.nanos).toBe(obviousNanos(sign, whole, fraction ?? '', suffix));
        const again = parseQuantity(quantity.toString());
        expect(again.nanos).toBe(quantity.nanos);
        const canonical = new Quantity(quantity.nanos, quantity.format).toString();
        expect(canonical).not.toMatch(/\./);
        const twice = parseQuantity(canonical);
        expect(new Quantity(twice.nanos, twice.format).toString()).toBe(canonical);
      }),
      { numRuns: 500 },
    );
  });

  test('orders and sums like numbers', () => {
    const small = fc.integer({ min: -1_000_000, max: 1_000_000 });
    fc.assert(
      fc.property(small, small, (a, b) => {
        const [left, right] = [quantityOfMillis(a), parseQuantity(`${b}m`)];
        expect(Math.sign(left.compare(right))).toBe(Math.sign(a - b));
        expect(left.add(right).milliValue()).toBe(a + b);
        expect(left.subtract(right).milliValue()).toBe(a - b);
      }),
    );
  });
});

/** The value in billionths by plain fractions: numerator over a power of ten, times the suffix, rounded up. */
function obviousNanos(sign: string, whole: bigint, fraction: string, suffix: string): bigint {
  const decimal: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18, e2: 2 };
  let numerator = BigInt(`${whole}${fraction}`) * 10n ** 9n;
  let denominator = 10n ** BigInt(fraction.length);
  const isBinary = suffix.endsWith('i');
  const exponent = suffix === 'E-4' ? -4 : (decimal[suffix] ?? 0);
  if (isBinary) numerator *= 1024n ** BigInt(['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].indexOf(suffix) + 1);
  else if (exponent >= 0) numerator *= 10n ** BigInt(exponent);
  else denominator *= 10n ** BigInt(-exponent);
  let nanos = (numerator + denominator - 1n) / denominator;
  const cap = (2n ** 63n - 1n) * 10n ** 9n;
  if (isBinary && nanos > cap) nanos = cap;
  return sign === '-' ? -nanos : nanos;
}
