import fc from 'fast-check';
import { applyPatch as referencePatch } from 'rfc6902';
import { describe, expect, test } from 'vitest';
import { deepCopy, deepFreeze } from '../codec/deep.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { PatchError } from './errors.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const schemas: SchemaSet = {
  Root: {
    type: 'object',
    fields: {
      name: { type: 'string' },
      labels: { type: 'map', items: { type: 'string' } },
      strategy: { type: 'ref', ref: 'Strategy', patchStrategy: 'retainKeys' },
      containers: { type: 'array', items: { type: 'ref', ref: 'Container' }, mergeKey: 'name', patchStrategy: 'merge' },
      finalizers: { type: 'array', items: { type: 'string' }, patchStrategy: 'merge' },
      args: { type: 'array', items: { type: 'string' } },
    },
  },
  Strategy: { type: 'object', fields: { type: { type: 'string' }, rolling: { type: 'any' } } },
  Container: {
    type: 'object',
    fields: {
      name: { type: 'string' },
      image: { type: 'string' },
      ports: { type: 'array', items: { type: 'ref', ref: 'Port' }, mergeKey: 'port', patchStrategy: 'merge' },
      args: { type: 'array', items: { type: 'string' } },
    },
  },
  Port: { type: 'object', fields: { port: { type: 'integer' }, proto: { type: 'string' } } },
};

const strategic = (document: unknown, patch: unknown): unknown =>
  applyStrategicMergePatch(deepFreeze(document), deepFreeze(patch), schemas, 'Root');

/** Whether the other library applies the operations; it changes the document in place, and throws on scalars. */
function succeeds(document: unknown, operations: unknown): boolean {
  try {
    // Safe: the generated operations are JSON patch operations.
    return referencePatch(document, operations as Parameters<typeof referencePatch>[1]).every(
      (error) => error === null,
    );
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const hasList = (values: readonly unknown[]): boolean => values.some((value) => JSON.stringify(value).includes('['));

function attempt(document: unknown, operations: unknown): { hasFailed: boolean; value?: unknown } {
  try {
    return { hasFailed: false, value: applyJsonPatch(document, operations) };
  } catch (error) {
    if (error instanceof PatchError) return { hasFailed: true };
    throw error;
  }
}

describe('applyJsonPatch', () => {
  const document = deepFreeze({ a: { b: [1, 2, 3] }, 'x/y~z': 1 });

  test.each([
    ['add to the end', [{ op: 'add', path: '/a/b/-', value: 4 }], { a: { b: [1, 2, 3, 4] }, 'x/y~z': 1 }],
    ['insert', [{ op: 'add', path: '/a/b/1', value: 9 }], { a: { b: [1, 9, 2, 3] }, 'x/y~z': 1 }],
    ['escaped names', [{ op: 'replace', path: '/x~1y~0z', value: 2 }], { a: { b: [1, 2, 3] }, 'x/y~z': 2 }],
    ['move', [{ op: 'move', from: '/a/b', path: '/c' }], { a: {}, c: [1, 2, 3], 'x/y~z': 1 }],
    ['copy', [{ op: 'copy', from: '/a/b/0', path: '/c' }], { a: { b: [1, 2, 3] }, c: 1, 'x/y~z': 1 }],
    ['test of an absent value', [{ op: 'test', path: '/q', value: null }], { a: { b: [1, 2, 3] }, 'x/y~z': 1 }],
    ['the whole document', [{ op: 'replace', path: '', value: { n: 5 } }], { n: 5 }],
    ['replace of what is absent', [{ op: 'replace', path: '/q', value: 1 }], { ...document, q: 1 }],
  ])('%s', (_name, operations, expected) => {
    expect(applyJsonPatch(document, operations)).toEqual(expected);
  });

  test.each([
    [
      [{ op: 'remove', path: '/q' }],
      "error in remove for path: '/q': Unable to remove nonexistent key: q: missing value",
    ],
    [[{ op: 'replace', path: '', value: 1 }], 'replace operation value must be object or array'],
    [
      [{ op: 'replace', path: '/a/b/7', value: 1 }],
      'replace operation does not apply: doc is missing key: /a/b/7: missing value',
    ],
    [[{ op: 'test', path: '/a/b/7', value: 1 }], "error in test for path: '/a/b/7': Unable to access invalid index: 7"],
    [[{ op: 'move', from: '/q', path: '/r' }], "error in move for path: 'q': Unable to remove nonexistent key: q"],
    [
      [{ op: 'add', path: '/q/r', value: 1 }],
      'add operation does not apply: doc is missing path: "/q/r": missing value',
    ],
    [[{ op: 'test', path: '/a/b/0', value: 2 }], 'testing value /a/b/0 failed: test failed'],
    [[{ op: 'add', path: '/a/b/9', value: 2 }], 'Unable to access invalid index: 9: invalid index referenced'],
    [[{ op: 'mend', path: '/a' }], 'Unexpected kind: mend'],
    [{}, 'json: cannot unmarshal object into Go value of type jsonpatch.Patch'],
  ])('refuses %j', (operations, message) => {
    expect(() => applyJsonPatch(document, operations)).toThrow(PatchError);
    expect(() => applyJsonPatch(document, operations)).toThrow(message);
  });

  const token = fc.constantFrom('a', 'b', '0', '1', '-');
  const pointer = fc.array(token, { maxLength: 3 }).map((tokens) => tokens.map((part) => `/${part}`).join(''));
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.integer({ min: 0, max: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b'), tie('node')),
      fc.array(tie('node'), { maxLength: 3 }),
    ),
  })).node;
  // What the libraries see differently is left out: replacing or copying what is absent, adding the whole document.
  const inner = pointer.filter((path) => path !== '');
  const operation = fc.oneof(
    fc.record({ op: fc.constant('add'), path: inner, value: tree }),
    fc.record({ op: fc.constant('remove'), path: inner }),
    fc.record({ op: fc.constant('move'), from: inner, path: inner }),
  );

  test('cannot nest a document deeper and deeper', () => {
    const under = '/a'.repeat(900);
    const deep = { op: 'add', path: '/y', value: JSON.parse(`${'{"a":'.repeat(900)}{}${'}'.repeat(900)}`) };
    const nest = [deep, { op: 'move', from: '/x', path: `/y${under}` }, { op: 'move', from: '/y', path: '/x' }];
    const moves = Array.from({ length: 50 }, () => nest).flat();
    expect(() => applyJsonPatch({ x: {} }, moves)).toThrow('exceeded max depth');
    const copies = Array.from({ length: 10 }, (_, n) => ({
      op: 'copy',
      from: '/x',
      path: `/x${'/a'.repeat(900 * 2 ** n)}/a`,
    }));
    expect(() => applyJsonPatch({ x: deep.value }, copies)).toThrow('exceeded max depth');
  });

  test('does what another implementation does', () => {
    fc.assert(
      fc.property(tree, fc.array(operation, { minLength: 1, maxLength: 3 }), (start, operations) => {
        const holder = { root: deepCopy(start) };
        // The reference works below a holder, so that operations on the whole document work in place.
        const shifted = operations.map((one) => ({
          ...one,
          path: `/root${one.path}`,
          ...('from' in one ? { from: `/root${one.from}` } : {}),
        }));
        const hasFailed = !succeeds(holder, shifted);
        const ours = attempt(start, operations);
        // The other library takes any name for an index, so that failures can only be compared without lists.
        const isComparable = !hasList([start, ...operations.map((one) => ('value' in one ? one.value : 0))]);
        expect(ours.hasFailed).toBe(isComparable ? hasFailed : ours.hasFailed);
        const expected: unknown = ours.hasFailed || hasFailed ? ours.value : holder.root;
        expect(ours.value).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});

describe('applyMergePatch', () => {
  const json = fc.jsonValue({ maxDepth: 3 });

  /** RFC 7386, section 2, word for word on copies. */
  function obvious(target: unknown, patch: unknown): unknown {
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
    const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
    const result = new Map(Object.entries(isObject ? target : {}));
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) result.delete(name);
      else result.set(name, obvious(result.get(name), value));
    }
    return Object.fromEntries(result);
  }

  test('does what the RFC says and changes neither input', () => {
    const overlapping = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(json, fc.constant(null)));
    fc.assert(
      fc.property(fc.oneof(json, overlapping), fc.oneof(json, overlapping), (document, patch) => {
        expect(applyMergePatch(deepFreeze(document), deepFreeze(patch))).toEqual(obvious(document, patch));
      }),
    );
  });
});

describe('applyStrategicMergePatch', () => {
  const live = {
    name: 'x',
    labels: { a: '1', b: '2' },
    containers: [
      { name: 'one', image: 'i1', ports: [{ port: 80, proto: 'TCP' }], args: ['x'] },
      { name: 'two', image: 'i2' },
    ],
    finalizers: ['f1', 'f2'],
    args: ['a', 'b'],
    strategy: { type: 'Rolling', rolling: { max: 1 } },
  };

  const cases: [string, unknown, Record<string, unknown>][] = [
    ['merges maps, null removes', { labels: { a: null, c: '3' } }, { labels: { b: '2', c: '3' } }],
    ['replaces lists without a strategy', { args: ['z'] }, { args: ['z'] }],
    [
      'merges lists by key',
      { containers: [{ name: 'two', image: 'new' }] },
      { containers: [live.containers[0], { name: 'two', image: 'new' }] },
    ],
    [
      'adds items that are new, without what only directs',
      { containers: [{ name: 'three', image: null, ports: [{ $patch: 'delete', port: 1 }] }] },
      { containers: [{ name: 'three', ports: [] }, ...live.containers] },
    ],
    [
      'merges nested lists by key',
      { containers: [{ name: 'one', ports: [{ port: 443 }, { port: 80, proto: null }] }] },
      { containers: [{ ...live.containers[0], ports: [{ port: 443 }, { port: 80 }] }, live.containers[1]] },
    ],
    ['deletes items', { containers: [{ $patch: 'delete', name: 'one' }] }, { containers: [live.containers[1]] }],
    ['replaces lists', { containers: [{ $patch: 'replace' }, { name: 'n' }] }, { containers: [{ name: 'n' }] }],
    ['replaces maps', { labels: { $patch: 'replace', z: '1' } }, { labels: { z: '1' } }],
    ['empties maps', { labels: { $patch: 'delete' } }, { labels: {} }],
    ['adds to lists of texts once', { finalizers: ['f3', 'f1'] }, { finalizers: ['f3', 'f1', 'f2'] }],
    ['deletes from lists of texts', { '$deleteFromPrimitiveList/finalizers': ['f1'] }, { finalizers: ['f2'] }],
    [
      'keeps only retained keys',
      { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
      { strategy: { type: 'Recreate' } },
    ],
    [
      'orders elements as told',
      { '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }], containers: [{ name: 'one', image: 'n' }] },
      { containers: [live.containers[1], { ...live.containers[0], image: 'n' }] },
    ],
    [
      'orders texts as told',
      {
        '$setElementOrder/finalizers': ['f3', 'f2'],
        finalizers: ['f3'],
        '$deleteFromPrimitiveList/finalizers': ['f1'],
      },
      { finalizers: ['f3', 'f2'] },
    ],
    ['merges what the schema does not know like plain JSON', { other: { a: [1], b: null } }, { other: { a: [1] } }],
  ];

  test.each(cases)('%s', (_name, patch, expected) => {
    expect(strategic(live, patch)).toEqual({ ...live, ...expected });
  });

  test.each([
    [{ containers: [{ image: 'x' }] }, 'map: map[image:x] does not contain declared merge key: name'],
    [{ labels: { $patch: 'mend' } }, 'unknown patch type: mend in map: map[$patch:mend]'],
    [{ labels: { $patch: 'merge' } }, 'unknown patch type: merge in map: map[$patch:merge]'],
    [
      { containers: [{ $patch: 'delete', image: 'x' }] },
      'map: map[$patch:delete image:x] does not contain declared merge key: name',
    ],
    [{ containers: [{ $patch: 'merge', name: 'x' }] }, 'merging lists cannot yet be specified in the patch'],
    [{ containers: ['x'] }, 'list element types are not identical: [[map['],
    [{ finalizers: [['x']] }, 'list element types are not identical: [[f1 f2] [[x]]]'],
    [{ strategy: { $retainKeys: ['a'], type: 'x' } }, 'invalid patch format of retainKeys'],
    [{ strategy: { $retainKeys: 'a' } }, 'invalid patch format of retainKeys'],
    [{ '$setElementOrder/finalizers': 'f1' }, 'expected a []interface {}, but received a string'],
    [
      { '$setElementOrder/finalizers': ['f1'], finalizers: ['f9'] },
      "The order in patch list:\n[f9]\n doesn't match $setElementOrder list:\n[f1]\n",
    ],
    [[], 'invalid JSON document'],
  ])('refuses %j', (patch, message) => {
    expect(() => strategic(live, patch)).toThrow(PatchError);
    expect(() => strategic(live, patch)).toThrow(message);
  });

  const item = fc.record(
    { name: fc.constantFrom('a', 'b', 'c', 'd'), image: fc.constantFrom('1', '2', null), args: fc.array(fc.string()) },
    { requiredKeys: ['name'] },
  );
  const items = fc.uniqueArray(item, { selector: ({ name }) => name, maxLength: 4 });
  const plainItems = items.map((list) =>
    list.map(({ image, ...rest }) => (image === null ? rest : { ...rest, image })),
  );

  test('merging keyed lists is merging maps of items, and keeps the order of both lists', () => {
    fc.assert(
      fc.property(plainItems, items, fc.constantFrom('a', 'b', undefined), (current, patch, dropped) => {
        const directives = dropped === undefined ? [] : [{ $patch: 'delete', name: dropped }];
        const plain = patch.filter(({ name }) => name !== dropped);
        const merged = strategic({ containers: current }, { containers: [...directives, ...plain] });
        const expected = new Map<string, unknown>(
          current.filter(({ name }) => name !== dropped).map((one) => [one.name, one]),
        );
        for (const one of plain) expected.set(one.name, applyMergePatch(expected.get(one.name), one));
        // Safe: the result has the shape of the inputs.
        const names = (merged as { containers: { name: string }[] }).containers.map(({ name }) => name);
        const byName = Object.fromEntries(
          (merged as { containers: { name: string }[] }).containers.map((one) => [one.name, one]),
        );
        expect(byName).toEqual(Object.fromEntries(expected));
        const orderOf = (list: readonly { name: string }[], of: readonly unknown[]): string[] =>
          list.map(({ name }) => name).filter((name) => of.includes(name));
        const patched = plain.map(({ name }): string => name);
        expect(names.filter((name) => patched.includes(name))).toEqual(patched);
        const others = names.filter((name) => !patched.includes(name));
        expect(others).toEqual(orderOf(current, others));
      }),
    );
  });

  test('without lists and directives it is a merge patch', () => {
    const document = fc.record({ labels: fc.dictionary(fc.constantFrom('a', 'b'), fc.string()), name: fc.string() });
    const patch = fc.record(
      { labels: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.option(fc.string())), name: fc.option(fc.string()) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(document, patch, (current, change) => {
        expect(strategic(current, change)).toEqual(applyMergePatch(current, change));
      }),
    );
  });
});
