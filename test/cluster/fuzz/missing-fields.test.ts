import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeJson } from '#machinery/codec/json.ts';
import { keepKnownObjects, type KnownObjects } from './support/known-objects.ts';
import { Dice, FUZZ_FACTOR, FUZZ_SEED, fuzz } from './support/run.ts';
import { collectionPath } from './support/samples.ts';
import { type FuzzRequest, FuzzTarget } from './support/target.ts';
import { validObjects } from './support/valid-objects.ts';
import { slotsOf } from './support/values.ts';

// Admission comes before validation: it must bear objects of which any part is missing or empty.

const EMPTY: readonly unknown[] = [undefined, null, {}, [], '', 0];
/** One in so many cases is tried by `npm test`; the long run tries all of them. */
const SHARE = 12;

let target: FuzzTarget;
let known: KnownObjects;

beforeAll(async () => {
  target = await FuzzTarget.start();
  known = await keepKnownObjects(target);
  for (const { definition, object } of validObjects(target.api.parts.registry.all())) {
    await target.send({ ...request(collectionPath(definition), object) });
  }
});

afterAll(() => target.close());

describe('objects with one field missing or empty', () => {
  test('are created, updated or refused', async () => {
    const cases = allCases();
    const dice = new Dice(`missing:${FUZZ_SEED}`);
    const chosen = FUZZ_FACTOR > 1 ? cases : cases.filter(() => dice.once(SHARE));
    let next = 0;
    await fuzz(target, {
      name: 'missing',
      rounds: chosen.length / FUZZ_FACTOR,
      generate: () => {
        const found = chosen[next];
        next += 1;
        if (found === undefined) throw new Error('there are as many rounds as cases');
        return found();
      },
    });
    expect(await known.read()).toEqual(known.before);
  });
});

function allCases(): (() => FuzzRequest)[] {
  const cases: (() => FuzzRequest)[] = [];
  for (const { definition, object } of validObjects(target.api.parts.registry.all())) {
    const path = collectionPath(definition);
    const metadata = { ...(object['metadata'] as object), name: 'other' };
    const places = slotsOf(structuredClone(object)).length;
    for (let place = 0; place < places; place += 1) {
      for (const value of EMPTY) {
        cases.push(() => request(`${path}?dryRun=All`, changed({ ...object, metadata }, place, value)));
        cases.push(() => ({ ...request(`${path}/fuzz?dryRun=All`, changed(object, place, value)), method: 'PUT' }));
      }
    }
  }
  return cases;
}

function changed(object: Record<string, unknown>, place: number, value: unknown): unknown {
  const copy = structuredClone(object);
  const slot = slotsOf(copy)[place];
  if (slot !== undefined) Reflect.set(slot.parent, slot.key, value);
  return copy;
}

function request(path: string, object: unknown): FuzzRequest {
  return { method: 'POST', target: path, headers: { 'content-type': 'application/json' }, body: encodeJson(object) };
}
