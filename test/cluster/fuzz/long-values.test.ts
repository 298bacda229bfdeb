import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeJson } from '#machinery/codec/json.ts';
import { keepKnownObjects } from './support/known-objects.ts';
import { isRecord } from './support/record.ts';
import { Dice, FUZZ_FACTOR, FUZZ_SEED, fuzz } from './support/run.ts';
import { collectionPath, type Sample, samplesFor } from './support/samples.ts';
import { FuzzTarget } from './support/target.ts';
import { validObjects } from './support/valid-objects.ts';
import { slotsOf } from './support/values.ts';

// What takes quadratic time shows when texts and lists are long: patterns that go back, searches inside of searches.

/** Long enough for what is quadratic to take a second. */
const TEXT_LENGTH = 20_000;
const PARTS = [
  '1',
  'a',
  '/',
  ' ',
  '.',
  '-',
  '0.',
  'a.',
  'a/',
  ',',
  '1h',
  ':',
  '(',
  '[',
  '\\',
  '\t',
  '*',
  'a-',
  '=',
  '\n',
  'a,',
  'A',
  '%',
  '$(',
  '::',
  '{{',
  '1e',
  '\u0000',
];
const ENDS = ['', '!', '\n', 'x', '\u0000', '='];
const LIST_LENGTH = 3_000;

let target: FuzzTarget;
let samples: Sample[];

beforeAll(async () => {
  target = await FuzzTarget.start();
  await keepKnownObjects(target);
  const definitions = target.api.parts.registry.all();
  samples = [...samplesFor(definitions), ...validObjects(definitions)];
});

afterAll(() => target.close());

describe('long values', () => {
  test('of lists of thousands of empty items are refused without filling the memory', async () => {
    const problems: string[] = [];
    const dice = new Dice(`full:${FUZZ_SEED}`);
    for (const { definition, object } of validObjects(target.api.parts.registry.all())) {
      // Services answer with 500 where they want more ports than there are, as upstream.
      if (definition.resource === 'services') continue;
      for (const [path, body] of withFullLists(object)) {
        if (FUZZ_FACTOR === 1 && !dice.once(8)) continue;
        const request = { ...post(new Dice(path), (same) => same), target: `${collectionPath(definition)}?dryRun=All` };
        const { status } = await target.send({ ...request, body: encodeJson(body) });
        if (status === 0 || status === 500) problems.push(`${definition.kind} ${path}: ${status}`);
      }
    }
    expect(problems).toEqual([]);
    const huge = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { containers: FULL } };
    const body = encodeJson({ ...huge, spec: { containers: [...FULL, ...FULL, ...FULL, ...FULL] } });
    const headers = { 'content-type': 'application/json' };
    const refused = await target.send({ method: 'POST', target: '/api/v1/namespaces/default/pods', headers, body });
    expect(refused.status).toBe(413);
  });

  test('of texts take time in proportion', async () => {
    expect(
      await fuzz(target, { name: 'long-texts', rounds: 100, generate: (dice) => post(dice, withLongTexts) }),
    ).toEqual([]);
  });

  test('of lists and maps take time in proportion', async () => {
    expect(
      await fuzz(target, { name: 'long-lists', rounds: 60, generate: (dice) => post(dice, withLongList) }),
    ).toEqual([]);
  });
});

const FULL: readonly unknown[] = Array.from({ length: 8_000 }, () => ({}));

/** The object with one of its lists full of empty items, for each of its lists outside of templates. */
function* withFullLists(object: Record<string, unknown>): Generator<[path: string, body: unknown]> {
  const count = slotsOf(object).length;
  for (let place = 0; place < count; place += 1) {
    const copy = structuredClone(object);
    const slot = slotsOf(copy)[place];
    const value: unknown = slot === undefined ? undefined : Reflect.get(slot.parent, slot.key);
    if (slot === undefined || !Array.isArray(value) || 'template' in Object(copy['spec'])) continue;
    const isText = typeof value[0] === 'string';
    Reflect.set(slot.parent, slot.key, isText ? FULL.map((_, index) => `a${index}`) : FULL);
    yield [String(slot.key), copy];
  }
}

function post(dice: Dice, change: (value: Record<string, unknown>, dice: Dice) => Record<string, unknown>) {
  const { definition, object } = dice.pick(samples);
  const { kind, apiVersion, metadata, ...rest } = object;
  const body = {
    kind,
    apiVersion,
    metadata: dice.once(6) ? change({ metadata }, dice)['metadata'] : metadata,
    ...change(rest, dice),
  };
  return {
    method: 'POST',
    target: `${collectionPath(definition)}?dryRun=All`,
    headers: { 'content-type': 'application/json' },
    body: encodeJson(body),
  };
}

/** Every text is the same long one; at most 2 MB of them. */
function withLongTexts(object: Record<string, unknown>, dice: Dice): Record<string, unknown> {
  const part = dice.pick(PARTS);
  const text = part.repeat(Math.ceil(TEXT_LENGTH / part.length)) + dice.pick(ENDS);
  let left = 100;
  const change = (value: unknown): unknown => {
    if (typeof value === 'string') {
      // Times, quantities and bytes are refused before anything else is looked at.
      if (/^[0-9]|=$/.test(value) || dice.once(4)) return value;
      left -= 1;
      return left < 0 ? value : text;
    }
    if (Array.isArray(value)) return value.map(change);
    if (!isRecord(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, change(child)]));
  };
  // Safe: an object becomes an object.
  return change(object) as Record<string, unknown>;
}

/** One list or map gets thousands of items, alike or each of its own. */
function withLongList(object: Record<string, unknown>, dice: Dice): Record<string, unknown> {
  const copy = structuredClone(object);
  const places: (() => void)[] = [];
  const isSame = dice.once(2);
  const visit = (parent: object): void => {
    for (const [key, value] of Object.entries(parent)) {
      if (typeof value !== 'object' || value === null) continue;
      if (Array.isArray(value) && value.length > 0)
        places.push(() => Reflect.set(parent, key, longList(value[0], isSame)));
      else if (isMapLike(value)) places.push(() => Reflect.set(parent, key, longMap(value)));
      visit(value);
    }
  };
  visit(copy);
  if (places.length > 0) dice.pick(places)();
  return copy;
}

function longList(item: unknown, isSame: boolean): unknown[] {
  const length = Math.min(LIST_LENGTH, Math.floor(2_000_000 / (encodeJson(item).length + 6)));
  return Array.from({ length }, (_, index) => (isSame ? item : numbered(item, index)));
}

/** The item with its name (or all of its texts) made its own. */
function numbered(item: unknown, index: number): unknown {
  if (typeof item === 'string') return `${item.slice(0, 50).toLowerCase()}-${index}`;
  if (!isRecord(item)) return item;
  const isNamed = typeof item['name'] === 'string';
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => {
      const isChanged = typeof value === 'string' && (!isNamed || key === 'name');
      return [key, isChanged ? `${value.slice(0, 50).toLowerCase()}-${index}` : value];
    }),
  );
}

/** Samples name the keys of maps after their field. */
function isMapLike(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && Object.keys(value).length === 1 && (Object.keys(value)[0] ?? '').endsWith('Key');
}

function longMap(map: Record<string, unknown>): Record<string, unknown> {
  const [[key, value] = ['', '']] = Object.entries(map);
  return Object.fromEntries(Array.from({ length: LIST_LENGTH }, (_, index) => [`${key}-${index}`, value]));
}
