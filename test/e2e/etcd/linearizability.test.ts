import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findViolation, type Operation, type RecordedOperation } from './support/linearizability.ts';

type Outcome = RecordedOperation['outcome'];

function done(calledAt: number, returnedAt: number, operation: Operation, outcome: Outcome = 'done') {
  return { calledAt, returnedAt, operation, outcome, client: 'c' };
}
const read = (value: string | undefined): Operation => ({ type: 'read', value });
const swap = (expected: string | undefined, next: string): Operation => ({ type: 'swap', expected, next });

describe('the checker of histories', () => {
  test.each<[name: string, history: RecordedOperation[], isLinearizable: boolean]>([
    ['nothing', [], true],
    ['a read of what is there', [done(0, 1, swap(undefined, 'a')), done(2, 3, read('a'))], true],
    ['a stale read', [done(0, 1, swap(undefined, 'a')), done(2, 3, read(undefined))], false],
    ['a read beside the write sees the old', [done(0, 5, swap(undefined, 'a')), done(2, 3, read(undefined))], true],
    [
      'a read goes back behind another one',
      [done(0, 9, swap(undefined, 'a')), done(1, 2, read('a')), done(3, 4, read(undefined))],
      false,
    ],
    [
      'two winners of one swap',
      [done(0, 1, swap(undefined, 'a')), done(2, 5, swap('a', 'b')), done(2, 5, swap('a', 'c'))],
      false,
    ],
    ['a lost write', [done(0, 1, swap(undefined, 'a')), done(2, 3, swap('a', 'b')), done(4, 5, read('a'))], false],
    [
      'an unknown write that happened late',
      [
        done(0, 1, swap(undefined, 'a')),
        done(2, Number.POSITIVE_INFINITY, swap('a', 'b'), 'unknown'),
        done(4, 5, read('a')),
        done(6, 7, read('b')),
      ],
      true,
    ],
    [
      'an unknown write that happened and was undone by nobody',
      [
        done(0, 1, swap(undefined, 'a')),
        done(2, Number.POSITIVE_INFINITY, swap('a', 'b'), 'unknown'),
        done(4, 5, read('b')),
        done(6, 7, read('a')),
      ],
      false,
    ],
    ['a refusal without a reason', [done(0, 1, swap(undefined, 'a')), done(2, 3, swap('a', 'b'), 'refused')], false],
    ['a refusal with one', [done(0, 1, swap(undefined, 'a')), done(2, 3, swap('z', 'b'), 'refused')], true],
  ])('judges %s', (_, history, isLinearizable) => {
    expect(findViolation(history) === undefined).toBe(isLinearizable);
  });

  test('accepts what a real register did, and finds one planted stale read in it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { minLength: 5, maxLength: 60 }), (choices) => {
        const history: RecordedOperation[] = [];
        let state: string | undefined;
        // Each takes effect at its own time; calls and returns lie up to three steps around it.
        for (const [time, choice] of choices.entries()) {
          const spread = {
            calledAt: time - (choice % 4),
            returnedAt: time + ((choice * 7) % 4) + 0.5,
            client: `${choice}`,
          };
          if (choice < 4) history.push({ ...spread, operation: read(state), outcome: 'done' });
          else {
            const next = `v${time}`;
            history.push({ ...spread, operation: swap(state, next), outcome: 'done' });
            state = next;
          }
        }
        expect(findViolation(history)).toBeUndefined();
        const last = choices.length + 10;
        history.push(done(last, last + 1, swap(state, 'final')));
        history.push(done(last + 2, last + 3, read(state)));
        expect(findViolation(history)).toContain('none of');
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});
