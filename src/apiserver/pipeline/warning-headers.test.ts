import { expect, test } from 'vitest';
import { warningHeader } from './warning-headers.ts';

test('warningHeader quotes each text', () => {
  expect(warningHeader(['unknown field "spec.a"', 'a\\b'])).toBe('299 - "unknown field \\"spec.a\\"", 299 - "a\\\\b"');
});

test('warningHeader leaves out texts with control characters', () => {
  expect(warningHeader(['a\nb', 'c'])).toBe('299 - "c"');
});

test('warningHeader cuts each text to 256 characters where all have more than 4,096', () => {
  const texts = Array.from({ length: 5 }, (_, index) => `${index}${'x'.repeat(999)}`);
  const parts = warningHeader(texts).split(', ');
  expect(parts).toHaveLength(5);
  expect(parts.map((part) => part.length - '299 - ""'.length)).toEqual([256, 256, 256, 256, 256]);
  expect(warningHeader(texts.slice(0, 4)).length).toBeGreaterThan(4_000);
});

test('warningHeader stops once cut texts have 4,096 characters', () => {
  const texts = Array.from({ length: 100 }, (_, index) => `${index} ${'é'.repeat(400)}`);
  expect(warningHeader(texts).split(', ')).toHaveLength(16);
});
