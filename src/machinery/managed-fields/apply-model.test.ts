import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deepFreeze } from '../codec/deep.ts';
import { StatusError } from '../errors/status-error.ts';
import type { KubeObject } from '../meta/types.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { applyConfiguration } from './apply.ts';
import { type FieldTree, forEachPath } from './field-tree.ts';
import { trackUpdate } from './update.ts';

// A second implementation of ownership: sets of paths as texts, and rules as loops over all of them. Slow and plain.

const text = { type: 'string' } as const;
const schemas: SchemaSet = {
  Thing: { type: 'object', fields: { metadata: { type: 'ref', ref: 'Meta' }, spec: { type: 'ref', ref: 'Spec' } } },
  Meta: { type: 'object', fields: { name: text, labels: { type: 'map', items: text } } },
  Spec: {
    type: 'object',
    fields: {
      count: { type: 'integer' },
      map: { type: 'map', items: text },
      items: { type: 'array', items: { type: 'ref', ref: 'Item' }, listType: 'map', listMapKeys: ['name'] },
      set: { type: 'array', items: text, listType: 'set' },
      atomic: { type: 'array', items: text },
    },
  },
  Item: { type: 'object', fields: { name: text, image: text, inner: { type: 'map', items: text } } },
};

type Path = readonly string[];
type Paths = Map<string, Path>;

const NAMED: ReadonlySet<string> = new Set(['f:spec', 'f:count', 'f:map', 'f:items', 'f:set', 'f:atomic']);
const NAMED_IN_ITEM: ReadonlySet<string> = new Set(['f:name', 'f:image', 'f:inner']);

/** Whether the schema names the last field of a path; keys of maps and items of lists it does not. */
function isNamed(path: Path): boolean {
  const last = path.at(-1) ?? '';
  if (path.length <= 2) return NAMED.has(last);
  return path.length === 4 && path[1] === 'f:items' && NAMED_IN_ITEM.has(last);
}

interface Node {
  readonly path: Path;
  /** The value of a leaf; `undefined` for what has members. */
  readonly leaf: string | undefined;
}

/** Everything in a spec, containers included. */
function nodesOf(value: unknown, path: Path = ['f:spec']): Node[] {
  const isAtomic = path.at(-1) === 'f:atomic' && path.length === 2;
  if (typeof value !== 'object' || value === null || isAtomic) return [{ path, leaf: JSON.stringify(value) }];
  const members = Array.isArray(value)
    ? value.map((item): [string, unknown] =>
        typeof item === 'string' ? [`v:${JSON.stringify(item)}`, undefined] : [`k:{"name":"${item.name}"}`, item],
      )
    : Object.entries(value).map(([name, child]): [string, unknown] => [`f:${name}`, child]);
  const below = members.flatMap(([element, child]) =>
    child === undefined ? [{ path: [...path, element], leaf: '' }] : nodesOf(child, [...path, element]),
  );
  return [{ path, leaf: members.length === 0 ? '{}' : undefined }, ...below];
}

const keyOf = (path: Path): string => path.join(' ');
const pathsOf = (paths: readonly Path[]): Paths => new Map(paths.map((path) => [keyOf(path), path]));

/** What a configuration claims. */
function claims(value: unknown): Paths {
  const nodes = nodesOf(value);
  const isEmptyList = (path: Path, leaf: string | undefined) =>
    leaf === '{}' && (path.at(-1) === 'f:items' || path.at(-1) === 'f:set') && path.length === 2;
  const claimed = nodes.filter(({ path, leaf }) => !isEmptyList(path, leaf) && (leaf !== undefined || !isNamed(path)));
  return pathsOf(claimed.map(({ path }) => path));
}

/** With the named fields that lead to each path. */
function ensured(paths: Paths): Paths {
  const all = [...paths.values()];
  for (const path of paths.values()) {
    for (let length = 1; length < path.length; length += 1) {
      const parent = path.slice(0, length);
      if (isNamed(parent)) all.push(parent);
    }
  }
  return pathsOf(all);
}

const hasAncestorIn = (path: Path, paths: Paths): boolean =>
  path.some((_, index) => paths.has(keyOf(path.slice(0, index + 1))));

const without = (paths: Paths, removed: Paths): Paths => new Map([...paths].filter(([key]) => !removed.has(key)));

/** The paths of `last` that go: nobody else owns them, nor what leads to them. */
function stalePaths(merged: unknown, last: Paths, owned: Paths): Paths {
  const present = ensured(claims(merged));
  const lastAll = ensured(last);
  const ownedAll = ensured(owned);
  const kept = without(present, new Map([...present].filter(([, path]) => hasAncestorIn(path, lastAll))));
  const unwanted = new Map([...present].filter(([key]) => !kept.has(key) && !ownedAll.has(key)));
  const gone = [...present].filter(([key, path]) => lastAll.has(key) && hasAncestorIn(path, unwanted));
  return new Map(gone);
}

interface State {
  readonly object: KubeObject;
  readonly owners: Map<string, Paths>;
}

const specOf = (object: KubeObject): unknown => (object as unknown as { spec?: unknown }).spec;

/** Which paths differ between two specs, and which are gone. */
function differences(before: unknown, after: unknown): { changed: Paths; removed: Paths } {
  const left = before === undefined ? [] : nodesOf(before);
  const right = after === undefined ? [] : nodesOf(after);
  const known = new Map(left.map((node) => [keyOf(node.path), node]));
  const present = new Set(right.map(({ path }) => keyOf(path)));
  const changed = right.filter(({ path, leaf }) => {
    const same = known.get(keyOf(path));
    return same === undefined || (leaf !== undefined && same.leaf !== undefined && leaf !== same.leaf);
  });
  return {
    changed: pathsOf(changed.map(({ path }) => path)),
    removed: pathsOf(left.filter(({ path }) => !present.has(keyOf(path))).map(({ path }) => path)),
  };
}

function ownersOf(object: KubeObject): Map<string, Paths> {
  const owners = new Map<string, Paths>();
  for (const { manager = '', operation, fieldsV1 } of object.metadata.managedFields ?? []) {
    const paths: Path[] = [];
    // Safe: written by the code under test; a wrong shape fails the comparison.
    forEachPath((fieldsV1 ?? {}) as FieldTree, (path) => paths.push([...path]));
    owners.set(`${manager} ${operation}`, pathsOf(paths));
  }
  return owners;
}

const shown = (owners: Map<string, Paths>): Record<string, string[]> =>
  Object.fromEntries(
    [...owners]
      .filter(([, paths]) => paths.size > 0)
      .map(([owner, paths]): [string, string[]] => [owner, [...paths.keys()].toSorted()])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

/** Compares an apply with the model. */
function checkApply(state: State, spec: unknown, { manager, force }: { manager: string; force: boolean }): State {
  const owner = `${manager} Apply`;
  const applied = thing(spec);
  const others = new Map([...state.owners].filter(([name]) => name !== owner));
  const object = applyForced(state, applied, manager);
  const set = claims(spec);
  const { changed, removed } = differences(specOf(state.object), specOf(object));
  const conflicts = [...others.values()].flatMap((paths) => [...paths.keys()].filter((key) => changed.has(key)));
  const outcome = force ? object : applyOrRefuse(state, applied, manager);
  expect(outcome).toEqual(force || conflicts.length === 0 ? object : conflicts.length);
  if (!force && conflicts.length > 0) return state;
  const owners = new Map([...others].map(([name, paths]) => [name, without(without(paths, changed), removed)]));
  owners.set(owner, set);
  expect(shown(ownersOf(object))).toEqual(shown(owners));
  checkRemoved(state, { owner, spec, object, others });
  return { object: deepFreeze(object), owners };
}

/** The object, or how many conflicts there are. */
function applyOrRefuse(state: State, applied: KubeObject, manager: string): KubeObject | number {
  const options = { live: state.object, applied, manager, force: false, timeMs: 0, schemas, schemaName: 'Thing' };
  try {
    return applyConfiguration(options).object;
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'Conflict') throw error;
    return error.status.details?.causes?.length ?? 0;
  }
}

function applyForced(state: State, applied: KubeObject, manager: string): KubeObject {
  const options = { live: state.object, applied, manager, force: true, timeMs: 0, schemas, schemaName: 'Thing' };
  return applyConfiguration(options).object;
}

/** What went is what the model says; what was applied is there. */
function checkRemoved(
  state: State,
  { owner, spec, object, others }: { owner: string; spec: unknown; object: KubeObject; others: Map<string, Paths> },
): void {
  const before = specOf(state.object);
  const after = new Map(nodesOf(specOf(object)).map((node) => [keyOf(node.path), node]));
  const union = [before, spec].flatMap((value) => (value === undefined ? [] : nodesOf(value)));
  const merged = pathsOf(union.map(({ path }) => path));
  const owned = new Map([...claims(spec), ...[...others.values()].flatMap((paths) => [...paths])]);
  const mergedValue = mergedSpec(before, spec);
  const stale = stalePaths(mergedValue, state.owners.get(owner) ?? new Map(), owned);
  const expected = [...merged].filter(([, path]) => !hasAncestorIn(path, stale)).map(([key]) => key);
  expect([...after.keys()].toSorted()).toEqual(expected.toSorted());
  for (const { path, leaf } of nodesOf(spec)) {
    if (leaf !== undefined && leaf !== '{}') expect(after.get(keyOf(path))?.leaf).toBe(leaf);
  }
}

/** Objects merged by member, lists by item, all else replaced; order does not matter here. */
function mergedSpec(left: unknown, right: unknown, name = ''): unknown {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (Array.isArray(left) && Array.isArray(right) && name !== 'atomic') {
    const keyed = (list: readonly unknown[]) =>
      new Map(list.map((item): [string, unknown] => [typeof item === 'string' ? item : nameOf(item), item]));
    const [a, b] = [keyed(left), keyed(right)];
    return [...new Set([...a.keys(), ...b.keys()])].map((key) => mergedSpec(a.get(key), b.get(key)));
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return right;
  if (Array.isArray(left) || Array.isArray(right)) return right;
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  // Safe: both are plain objects by the checks above.
  const [a, b] = [left as Record<string, unknown>, right as Record<string, unknown>];
  return Object.fromEntries(names.map((field) => [field, mergedSpec(a[field], b[field], field)]));
}

function nameOf(item: unknown): string {
  return typeof item === 'object' && item !== null && 'name' in item ? String(item.name) : '';
}

function thing(spec: unknown): KubeObject {
  const metadata = { name: 'x' };
  return { apiVersion: 'example.com/v1', kind: 'Thing', metadata, ...(spec === undefined ? {} : { spec }) };
}

const word = fc.constantFrom('x', 'y');
const map = fc.dictionary(fc.constantFrom('a', 'b', 'c'), word, { maxKeys: 3 });
const item = fc.record({ name: fc.constantFrom('a', 'b', 'c'), image: word, inner: map }, { requiredKeys: ['name'] });
const spec = fc.record(
  {
    count: fc.integer({ min: 1, max: 3 }),
    map,
    items: fc.uniqueArray(item, { selector: ({ name }) => name, minLength: 1, maxLength: 3 }),
    set: fc.uniqueArray(fc.constantFrom('p', 'q', 'r'), { minLength: 1 }),
    atomic: fc.array(word, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const step = fc.record({
  spec,
  manager: fc.constantFrom('one', 'two', 'three'),
  type: fc.constantFrom('apply', 'force', 'update'),
});

describe('server-side apply', () => {
  test('does what a plain model of path sets does, over any sequence of writes', () => {
    fc.assert(
      fc.property(spec, fc.array(step, { minLength: 1, maxLength: 6 }), (first, steps) => {
        const created = thing(first);
        const managedFields = trackUpdate({
          live: undefined,
          next: created,
          manager: 'creator',
          timeMs: 0,
          schemas,
          schemaName: 'Thing',
        });
        const object = deepFreeze({ ...created, metadata: { ...created.metadata, managedFields } });
        let state: State = { object, owners: ownersOf(object) };
        for (const { spec: given, manager, type } of steps) {
          if (state.object.metadata.managedFields?.length === 0) return;
          if (type === 'update') state = update(state, given, manager);
          else state = checkApply(state, given, { manager, force: type === 'force' });
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** An update gives its manager what it changes, takes that from the others, and from all what it removes. */
function update(state: State, given: unknown, manager: string): State {
  const next = { ...thing(given), metadata: { ...state.object.metadata } };
  const managedFields = trackUpdate({ live: state.object, next, manager, timeMs: 0, schemas, schemaName: 'Thing' });
  const object = deepFreeze({ ...next, metadata: { ...next.metadata, managedFields } });
  const { changed, removed } = differences(specOf(state.object), given);
  const owners = new Map([...state.owners].map(([name, paths]) => [name, without(without(paths, changed), removed)]));
  const owner = `${manager} Update`;
  owners.set(owner, new Map([...(owners.get(owner) ?? []), ...changed]));
  expect(shown(ownersOf(object))).toEqual(shown(owners));
  return { object, owners: ownersOf(object) };
}
