import { expect, test } from 'vitest';
import { formatIndexes, indexesOf } from './index-set.ts';

test.each([
  { indexes: [], text: '' },
  { indexes: [3], text: '3' },
  { indexes: [2, 1], text: '1,2' },
  { indexes: [0, 1, 2, 5, 7, 8], text: '0-2,5,7,8' },
])('indexes $indexes are written "$text" and read back', ({ indexes, text }) => {
  expect(formatIndexes(new Set(indexes))).toBe(text);
  expect([...indexesOf(text, 10)]).toEqual(indexes.toSorted((a, b) => a - b));
});
