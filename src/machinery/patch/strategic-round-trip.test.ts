import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deepEqual, deepFreeze } from '../codec/deep.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

// Patches are made by a plain comparison of two documents, as clients make them; applied, they must give the second.

const text = { type: 'string' } as const;
const schemas: SchemaSet = {
  Thing: {
    type: 'object',
    fields: {
      name: text,
      labels: { type: 'map', items: text },
      finalizers: { type: 'array', items: text, patchStrategy: 'merge' },
      args: { type: 'array', items: text },
      strategy: { type: 'ref', ref: 'Strategy' },
      items: { type: 'array', items: { type: 'ref', ref: 'Item' }, patchStrategy: 'merge', mergeKey: 'name' },
    },
  },
  Strategy: { type: 'object', fields: { type: text, rolling: text, other: text } },
  Item: {
    type: 'object',
    fields: {
      name: text,
      image: text,
      args: { type: 'array', items: text },
      ports: { type: 'array', items: { type: 'ref', ref: 'Port' }, patchStrategy: 'merge', mergeKey: 'port' },
    },
  },
  Port: { type: 'object', fields: { port: { type: 'integer' }, protocol: text } },
};

type Fields = Record<string, unknown>;

const KEYS: Readonly<Record<string, string>> = { items: 'name', ports: 'port' };

/** A patch from one document to another, with all directives that this takes. */
function patchBetween(from: Fields, to: Fields): Fields {
  const patch: Fields = {};
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) patch[name] = null;
  for (const [name, wanted] of Object.entries(to)) {
    const current = from[name];
    if (deepEqual(current, wanted)) continue;
    const key = KEYS[name];
    if (key !== undefined && Array.isArray(current)) patchItems(patch, { name, key, current, wanted: asList(wanted) });
    else if (name === 'finalizers' && Array.isArray(current)) patchTexts(patch, name, current, asList(wanted));
    else if (name === 'strategy' && isFields(current)) {
      patch[name] = { $retainKeys: Object.keys(asFields(wanted)), ...asFields(wanted) };
    } else if (isFields(current)) patch[name] = patchBetween(current, asFields(wanted));
    else patch[name] = wanted;
  }
  return patch;
}

interface ItemsTask {
  readonly name: string;
  readonly key: string;
  readonly current: readonly unknown[];
  readonly wanted: readonly unknown[];
}

function patchItems(patch: Fields, { name, key, current, wanted }: ItemsTask): void {
  const known = new Map(current.map((item) => [asFields(item)[key], asFields(item)]));
  const list: Fields[] = [];
  for (const item of wanted.map(asFields)) {
    const before = known.get(item[key]);
    known.delete(item[key]);
    if (before === undefined) list.push(item);
    else if (!deepEqual(before, item)) list.push({ ...patchBetween(before, item), [key]: item[key] });
  }
  for (const gone of known.keys()) list.push({ $patch: 'delete', [key]: gone });
  patch[`$setElementOrder/${name}`] = wanted.map((item) => ({ [key]: asFields(item)[key] }));
  if (list.length > 0) patch[name] = list;
}

function patchTexts(patch: Fields, name: string, current: readonly unknown[], wanted: readonly unknown[]): void {
  const added = wanted.filter((item) => !current.includes(item));
  const gone = current.filter((item) => !wanted.includes(item));
  patch[`$setElementOrder/${name}`] = wanted;
  if (added.length > 0) patch[name] = added;
  if (gone.length > 0) patch[`$deleteFromPrimitiveList/${name}`] = gone;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asFields(value: unknown): Fields {
  if (!isFields(value)) throw new Error('an object was expected');
  return value;
}

function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('a list was expected');
  return value;
}

const word = fc.constantFrom('x', 'y', 'z');
const port = fc.record({ port: fc.integer({ min: 1, max: 3 }), protocol: word }, { requiredKeys: ['port'] });
const ports = fc.uniqueArray(port, { selector: (one) => one.port, maxLength: 3 });
const item = fc.record(
  { name: fc.constantFrom('a', 'b', 'c', 'd'), image: word, args: fc.array(word, { maxLength: 2 }), ports },
  { requiredKeys: ['name'] },
);
const document = fc.record(
  {
    name: word,
    labels: fc.dictionary(fc.constantFrom('a', 'b', 'c'), word),
    finalizers: fc.uniqueArray(fc.constantFrom('f1', 'f2', 'f3', 'f4')),
    args: fc.array(word, { maxLength: 3 }),
    strategy: fc.record({ type: word, rolling: word, other: word }, { requiredKeys: [] }),
    items: fc.uniqueArray(item, { selector: (one) => one.name }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

describe('strategic merge patches', () => {
  test('between two documents give the second, in its order', () => {
    fc.assert(
      fc.property(document, document, (from, to) => {
        const patch = deepFreeze(patchBetween(from, to));
        const result = applyStrategicMergePatch(deepFreeze(from), patch, schemas, 'Thing');
        expect(result).toEqual(to);
      }),
      { numRuns: 1000 },
    );
  });

  test('that change nothing have nothing in them, and applied twice they do no more than once', () => {
    fc.assert(
      fc.property(document, document, (from, to) => {
        expect(patchBetween(from, from)).toEqual({});
        const patch = patchBetween(from, to);
        const once = applyStrategicMergePatch(from, patch, schemas, 'Thing');
        expect(applyStrategicMergePatch(once, patch, schemas, 'Thing')).toEqual(once);
      }),
    );
  });
});
