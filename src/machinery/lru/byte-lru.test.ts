import { expect, test } from 'vitest';
import { ByteLru } from './byte-lru.ts';

test('ByteLru drops the least recently used when it is full of bytes', () => {
  const cache = new ByteLru<string, string>({ maxBytes: 10, sizeOf: (value) => value.length });
  cache.set('a', 'aaaa');
  cache.set('b', 'bbbb');
  expect(cache.get('a')).toBe('aaaa');
  cache.set('c', 'cccc');
  expect(cache.peek('b')).toBeUndefined();
  expect([cache.size, cache.bytes]).toEqual([2, 8]);
  cache.set('a', 'a');
  expect(cache.bytes).toBe(5);
  cache.set('huge', 'x'.repeat(11));
  expect(cache.get('huge')).toBeUndefined();
  expect(cache.delete('c')).toBe(true);
  expect(cache.delete('c')).toBe(false);
  cache.clear();
  expect([cache.size, cache.bytes]).toEqual([0, 0]);
});
