import { describe, expect, test } from 'vitest';
import type { Random } from './random.ts';
import { SeededRandom } from './seeded-random.ts';
import { SystemRandom } from './system-random.ts';

const sources: [string, () => Random][] = [
  ['SeededRandom', () => new SeededRandom('seed')],
  ['SystemRandom', () => new SystemRandom()],
];

describe.each(sources)('%s', (_name, make) => {
  test('gives values in their ranges and forms', () => {
    const random = make();
    for (let round = 0; round < 200; round += 1) {
      expect(random.int(3)).toBeOneOf([0, 1, 2]);
      const float = random.float();
      expect(float >= 0 && float < 1).toBe(true);
    }
    expect(random.bytes(7)).toHaveLength(7);
    expect(random.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(random.suffix(5)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(random.uuid()).not.toBe(random.uuid());
  });
});

test('SeededRandom repeats itself with the same seed only', () => {
  const draw = (seed: string | number): string => {
    const random = new SeededRandom(seed);
    return `${random.uuid()} ${random.int(1_000_000)} ${random.suffix(8)} ${random.bytes(5).join()}`;
  };
  expect(draw(1)).toBe(draw('1'));
  expect(draw(1)).not.toBe(draw(2));
});

test('SeededRandom spreads evenly', () => {
  const random = new SeededRandom(3);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let round = 0; round < 10_000; round += 1) counts[random.int(10)]! += 1;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
