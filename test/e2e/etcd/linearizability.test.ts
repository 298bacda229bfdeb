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

  test('accepts what a real register did, and finds each kind of violation that is planted in it', () => {
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
        for (const [kind, violation] of Object.entries(violations(choices.length + 10, state))) {
          expect(findViolation([...history, ...violation]), kind).toContain('none of');
        }
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

/** What no register does after `at`, when it holds `state`; by kind. */
function violations(at: number, state: string | undefined): Record<string, RecordedOperation[]> {
  const written = done(at, at + 1, swap(state, 'final'));
  const forever = Number.POSITIVE_INFINITY;
  return {
    'a stale read': [written, done(at + 2, at + 3, read(state))],
    'two winners': [written, done(at + 2, at + 3, swap(state, 'other'))],
    'a value from nowhere': [done(at, at + 1, read('never written'))],
    'a refusal without a reason': [done(at, at + 1, swap(state, 'final'), 'refused')],
    'a refused write that is seen': [done(at, at + 5, swap('z', 'b'), 'refused'), done(at + 6, at + 7, read('b'))],
    'a read that goes back': [
      done(at, at + 9, swap(state, 'final')),
      done(at + 1, at + 2, read('final')),
      done(at + 3, at + 4, read(state)),
    ],
    'a lost write that comes and goes': [
      done(at, forever, swap(state, 'final'), 'unknown'),
      done(at + 1, at + 2, read('final')),
      done(at + 3, at + 4, read(state)),
      done(at + 5, at + 6, read('final')),
    ],
  };
}
