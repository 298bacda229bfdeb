import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from './heap.ts';

test('Heap gives what sorting gives, whatever is pushed, popped and dropped in between', () => {
  const step = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constantFrom('pop' as const, 'dropOdd' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const heap = new Heap<number>((a, b) => a - b);
      let sorted: number[] = [];
      const popped: [number | undefined, number | undefined][] = [];
      for (const action of steps) {
        if (action === 'pop') popped.push([heap.pop(), sorted.shift()]);
        else if (action === 'dropOdd') {
          heap.retain((item) => item % 2 === 0);
          sorted = sorted.filter((item) => item % 2 === 0);
        } else {
          heap.push(action);
          sorted = [...sorted, action].toSorted((a, b) => a - b);
        }
        expect(heap.size).toBe(sorted.length);
        expect(heap.peek()).toBe(sorted[0]);
      }
      expect([...heap.values()].toSorted((a, b) => a - b)).toEqual(sorted);
      for (const [actual, expected] of popped) expect(actual).toBe(expected);
      heap.clear();
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
