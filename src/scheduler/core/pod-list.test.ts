import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testPod } from '../testing/world.ts';
import { type PodInfo, podInfoOf } from './pod-info.ts';
import { PodList } from './pod-list.ts';

const PODS = Array.from({ length: 8 }, (_, index) => podInfoOf(testPod(`p${index}`, {})));

describe('PodList', () => {
  test('lists that grew out of one another never change each other', () => {
    const step = fc.record({
      from: fc.nat({ max: 20 }),
      type: fc.constantFrom('with', 'without', 'replaced'),
      pod: fc.nat({ max: PODS.length - 1 }),
      other: fc.nat({ max: PODS.length - 1 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const made: { list: PodList; expected: PodInfo[] }[] = [{ list: PodList.empty, expected: [] }];
        for (const { from, type, pod, other } of steps) {
          const base = made[from % made.length];
          const [subject, substitute] = [PODS[pod], PODS[other]];
          if (base === undefined || subject === undefined || substitute === undefined) continue;
          const { list, expected } = base;
          if (type === 'with') made.push({ list: list.with(subject), expected: [...expected, subject] });
          if (type === 'without') {
            made.push({ list: list.without(subject), expected: expected.filter((one) => one !== subject) });
          }
          if (type === 'replaced' && expected.indexOf(subject) === expected.lastIndexOf(subject)) {
            const replaced = expected.map((one) => (one === subject ? substitute : one));
            made.push({ list: list.replaced(subject, substitute), expected: replaced });
          }
        }
        for (const { list, expected } of made) {
          expect(list.length).toBe(expected.length);
          expect(list.filter(() => true)).toEqual(expected);
        }
      }),
      { seed: 20260101, numRuns: 200 },
    );
  });
});
