import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deepFreeze } from '../codec/deep.ts';
import { StatusError } from '../errors/status-error.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import type { SchemaSet } from '../schema/schema.ts';
import { type ApplyOptions, applyConfiguration } from './apply.ts';
import { difference, type FieldTree, forEachPath, intersection, pathText, union } from './field-tree.ts';
import { trackUpdate } from './update.ts';

const text = { type: 'string' } as const;
const schemas: SchemaSet = {
  Thing: {
    type: 'object',
    fields: {
      apiVersion: text,
      kind: text,
      metadata: { type: 'ref', ref: 'Meta', always: true },
      spec: { type: 'ref', ref: 'Spec', always: true },
      status: { type: 'ref', ref: 'Status', always: true },
    },
  },
  Meta: {
    type: 'object',
    fields: {
      name: text,
      uid: text,
      resourceVersion: text,
      generateName: text,
      labels: { type: 'map', items: text },
      finalizers: { type: 'array', items: text, listType: 'set' },
    },
  },
  Spec: {
    type: 'object',
    fields: {
      replicas: { type: 'integer', pointer: true },
      selector: { type: 'ref', ref: 'Selector', pointer: true, always: true },
      nested: { type: 'ref', ref: 'Nested', pointer: true },
      items: {
        type: 'array',
        items: { type: 'ref', ref: 'Item' },
        listType: 'map',
        listMapKeys: ['name'],
        always: true,
      },
      ports: {
        type: 'array',
        items: { type: 'ref', ref: 'Port' },
        listType: 'map',
        listMapKeys: ['port', 'protocol'],
      },
      args: { type: 'array', items: text },
      extra: { type: 'any' },
    },
  },
  Selector: { type: 'object', mapType: 'atomic', fields: { matchLabels: { type: 'map', items: text } } },
  Nested: { type: 'object', fields: { a: text, b: text } },
  Item: {
    type: 'object',
    fields: { name: { ...text, always: true }, image: text, nested: { type: 'ref', ref: 'Nested', always: true } },
  },
  Port: { type: 'object', fields: { port: { type: 'integer' }, protocol: { ...text, default: 'TCP' } } },
  Status: { type: 'object', fields: { ready: { type: 'integer' }, phase: text } },
};

/** 2026-01-02T03:04:05Z */
const TIME = 1_767_323_045_000;

function thing(fields: Record<string, unknown>, metadata: Record<string, unknown> = {}): KubeObject {
  return { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 'x', ...metadata }, ...fields } as KubeObject;
}

interface Write {
  live?: KubeObject;
  next: KubeObject;
  manager?: string;
  subresource?: string;
  timeMs?: number;
}

function track({ live, next, manager = 'm', subresource = '', timeMs = TIME }: Write): ManagedFieldsEntry[] {
  return trackUpdate({ live, next: deepFreeze(next), manager, subresource, timeMs, schemas, schemaName: 'Thing' });
}

/** Stores a write: the object as it would be read afterwards. */
function store(write: Write): KubeObject {
  const managedFields = track(write);
  return { ...write.next, metadata: { ...write.next.metadata, managedFields } };
}

function ownedPaths(entry: ManagedFieldsEntry | undefined): string[] {
  const paths: string[] = [];
  forEachPath((entry?.fieldsV1 ?? {}) as FieldTree, (path) => paths.push(pathText(path)));
  return paths;
}

const entryFor = (object: KubeObject, manager: string): ManagedFieldsEntry | undefined =>
  object.metadata.managedFields?.find((entry) => entry.manager === manager);

describe('trackUpdate', () => {
  const created = thing(
    {
      spec: {
        replicas: 1,
        selector: { matchLabels: { a: 'b' } },
        nested: { a: '1' },
        items: [{ name: 'i', image: 'x', nested: {} }],
        ports: [{ port: 80 }],
        args: ['a'],
        extra: { deep: { list: [1] } },
      },
      status: { ready: 1 },
    },
    { uid: 'u', resourceVersion: '4', labels: { app: 'web' }, finalizers: ['f'] },
  );

  test('gives the creator everything but what the server owns, and no status', () => {
    expect(track({ next: created })).toEqual([
      {
        manager: 'm',
        operation: 'Update',
        apiVersion: 'example.com/v1',
        time: '2026-01-02T03:04:05Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': {
            'f:finalizers': { '.': {}, 'v:"f"': {} },
            'f:labels': { '.': {}, 'f:app': {} },
          },
          'f:spec': {
            'f:args': {},
            'f:extra': { '.': {}, 'f:deep': { '.': {}, 'f:list': {} } },
            'f:items': { 'k:{"name":"i"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:nested': {} } },
            'f:nested': { '.': {}, 'f:a': {} },
            'f:ports': { '.': {}, 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } },
            'f:replicas': {},
            'f:selector': {},
          },
        },
      },
    ]);
  });

  test('moves a changed field to the manager that changed it', () => {
    const live = store({ next: created, manager: 'a' });
    const next = applyMergePatch(live, { spec: { replicas: 2 } }) as KubeObject;
    const result = store({ live, next, manager: 'b', timeMs: TIME + 60_000 });
    expect(ownedPaths(entryFor(result, 'b'))).toEqual(['.spec.replicas']);
    expect(ownedPaths(entryFor(result, 'a'))).not.toContain('.spec.replicas');
    expect(entryFor(result, 'a')?.time).toBe('2026-01-02T03:04:05Z');
    expect(entryFor(result, 'b')?.time).toBe('2026-01-02T03:05:05Z');
  });

  test('drops removed fields from every entry, and entries that own nothing', () => {
    const live = store({ next: thing({ spec: {} }, { labels: { app: 'web' } }), manager: 'a' });
    const result = track({ live, next: thing({ spec: {} }, { managedFields: live.metadata.managedFields }) });
    expect(result).toEqual([]);
  });

  test('keeps a member without the children it loses', () => {
    const live = store({ next: thing({ spec: { nested: { a: '1' } } }), manager: 'a' });
    const result = store({ live, next: thing({ spec: { nested: {} } }), manager: 'b' });
    expect(ownedPaths(entryFor(result, 'a'))).toEqual(['.spec.nested']);
    expect(entryFor(result, 'a')?.fieldsV1).toEqual({ 'f:spec': { 'f:nested': {} } });
    expect(entryFor(result, 'b')).toBeUndefined();
  });

  test('gives back the same entries where nothing tracked changed', () => {
    const live = store({ next: created });
    const next = { ...live, metadata: { ...live.metadata, resourceVersion: '99', generation: 4 } };
    expect(track({ live, next, manager: 'other' })).toBe(live.metadata.managedFields);
  });

  test('keeps the writer of status apart', () => {
    const live = store({ next: created, manager: 'a' });
    const next = applyMergePatch(live, { status: { phase: 'Up' } }) as KubeObject;
    const result = store({ live, next, manager: 'a', subresource: 'status' });
    expect(result.metadata.managedFields?.map(({ subresource }) => subresource)).toEqual([undefined, 'status']);
    expect(ownedPaths(result.metadata.managedFields?.[1])).toEqual(['.status.phase']);
  });

  test('takes entries that the request brings, and resets them with a single empty one', () => {
    const live = store({ next: created, manager: 'a' });
    const reset = { ...live, metadata: { ...live.metadata, managedFields: [{}] } };
    expect(track({ live, next: reset })).toEqual([]);
    const none = { ...live, metadata: { ...live.metadata, managedFields: [] } };
    expect(track({ live, next: none })).toBe(live.metadata.managedFields);
  });

  test('joins the oldest updates beyond ten managers', () => {
    let live = store({ next: created, manager: 'm0' });
    for (let index = 1; index <= 12; index += 1) {
      const next = applyMergePatch(live, { metadata: { labels: { [`l${index}`]: 'x' } } }) as KubeObject;
      live = store({ live, next, manager: `m${index}`, timeMs: TIME + index * 1000 });
    }
    const managers = live.metadata.managedFields?.map(({ manager }) => manager) ?? [];
    expect(managers).toHaveLength(10);
    expect(managers[0]).toBe('ancient-changes');
    expect(ownedPaths(entryFor(live, 'ancient-changes'))).toContain('.metadata.labels.l2');
    expect(ownedPaths(entryFor(live, 'm12'))).toEqual(['.metadata.labels.l12']);
  });

  const word = fc.constantFrom('x', 'y', 'z');
  const spec = fc.record(
    {
      replicas: fc.integer({ min: 0, max: 2 }),
      nested: fc.record({ a: word, b: word }, { requiredKeys: [] }),
      items: fc.uniqueArray(
        fc.record({ name: fc.constantFrom('a', 'b', 'c'), image: word }, { requiredKeys: ['name'] }),
        { selector: ({ name }) => name },
      ),
      args: fc.array(word, { maxLength: 2 }),
      extra: fc.dictionary(word, fc.oneof(word, fc.dictionary(word, word))),
    },
    { requiredKeys: [] },
  );
  const labels = fc.dictionary(fc.constantFrom('p', 'q'), word);
  const write = fc.record({ spec, labels, manager: fc.constantFrom('a', 'b', 'c') });

  test('every leaf has exactly one owner, no entry owns what is not there, and the last writer owns what it changed', () => {
    fc.assert(
      fc.property(fc.array(write, { minLength: 1, maxLength: 5 }), (writes) => {
        let live: KubeObject | undefined;
        for (const { spec: fields, labels: names, manager } of writes) {
          const next = thing({ spec: fields }, { labels: names });
          const before = leaves(live);
          const known = new Set(live === undefined ? [] : allPaths(live));
          live = store({ ...(live === undefined ? {} : { live }), next, manager });
          const owners = new Map<string, string[]>();
          for (const entry of live.metadata.managedFields ?? []) {
            for (const path of ownedPaths(entry)) owners.set(path, [...(owners.get(path) ?? []), entry.manager ?? '']);
          }
          for (const [path, value] of leaves(live)) {
            expect([path, owners.get(path)?.length]).toEqual([path, 1]);
            // A map that lost its entries stays whose it was.
            const isEmptied = value === '{}' && known.has(path);
            const isChanged = before.get(path) !== value && !isEmptied;
            expect([path, owners.get(path)]).toEqual([path, isChanged ? [manager] : owners.get(path)]);
          }
          const present = allPaths(live);
          for (const path of owners.keys()) expect(present).toContain(path);
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** Leaves of an object of the test's kind as path and value, worked out by hand. */
function leaves(object: KubeObject | undefined): Map<string, string> {
  const result = new Map<string, string>();
  for (const [path, value] of walk(object)) {
    if (path.includes('.name') && path.startsWith('.metadata')) continue;
    const isBranch = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
    const isAtomic = path === '.spec.args';
    if (path !== '' && (!isBranch || isAtomic)) result.set(path, JSON.stringify(value));
  }
  // A list that is always written belongs to nobody while it is empty or absent.
  if (result.get('.spec.items') === '[]') result.delete('.spec.items');
  if (result.get('.spec') === '{}') result.delete('.spec');
  return result;
}

function allPaths(object: KubeObject): string[] {
  return walk(object).map(([path]) => path);
}

function walk(object: KubeObject | undefined): [string, unknown][] {
  if (object === undefined) return [];
  const { apiVersion: _a, kind: _k, metadata, ...rest } = object;
  const found: [string, unknown][] = [];
  const visit = (path: string, value: unknown): void => {
    found.push([path, value]);
    if (path === '.spec.args' || typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      for (const item of value) visit(`${path}[name=${JSON.stringify(item.name)}]`, item);
      return;
    }
    for (const [name, child] of Object.entries(value)) visit(`${path}.${name}`, child);
  };
  for (const [name, child] of Object.entries(rest)) visit(`.${name}`, child);
  for (const [name, child] of Object.entries(metadata.labels ?? {})) visit(`.metadata.labels.${name}`, child);
  if (metadata.labels !== undefined) found.push(['.metadata.labels', { ...metadata.labels }]);
  return found;
}

describe('applyConfiguration', () => {
  function apply(options: Partial<ApplyOptions> & { applied: KubeObject }): ReturnType<typeof applyConfiguration> {
    const { live } = options;
    return applyConfiguration({
      manager: 'm',
      force: false,
      timeMs: TIME,
      schemas,
      schemaName: 'Thing',
      ...options,
      live,
    });
  }

  test('creates, and owns exactly what was applied', () => {
    const { object, managedFields } = apply({
      applied: thing({ spec: { items: [{ name: 'a', image: '1' }], replicas: 1 } }, { labels: { app: 'x' } }),
    });
    expect(object.metadata.managedFields).toBe(managedFields);
    expect(managedFields).toEqual([
      {
        manager: 'm',
        operation: 'Apply',
        apiVersion: 'example.com/v1',
        time: '2026-01-02T03:04:05Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:app': {} } },
          'f:spec': { 'f:items': { 'k:{"name":"a"}': { '.': {}, 'f:image': {}, 'f:name': {} } }, 'f:replicas': {} },
        },
      },
    ]);
  });

  const first = apply({
    applied: thing(
      { spec: { items: [{ name: 'a', image: '1' }, { name: 'b' }], replicas: 1 } },
      { labels: { l: '1' } },
    ),
  }).object;

  test('removes what is no longer applied and keeps what others own', () => {
    const scaled = applyMergePatch(first, { spec: { nested: { a: 'theirs' } } }) as KubeObject;
    const live = store({ live: first, next: scaled, manager: 'other' });
    const { object, managedFields } = apply({ live, applied: thing({ spec: { items: [{ name: 'b' }] } }) });
    expect(object).toMatchObject({ spec: { items: [{ name: 'b' }], nested: { a: 'theirs' } } });
    expect(object.metadata.labels).toBeUndefined();
    expect('replicas' in (object as unknown as { spec: object }).spec).toBe(false);
    expect(managedFields.map(({ manager }) => manager)).toEqual(['m', 'other']);
  });

  test('says that nothing changed when the same is applied again', () => {
    const applied = thing(
      { spec: { items: [{ name: 'a', image: '1' }, { name: 'b' }], replicas: 1 } },
      { labels: { l: '1' } },
    );
    const again = apply({ live: first, applied, timeMs: TIME + 99_000 });
    expect(again.isUnchanged).toBe(true);
    expect(again.managedFields).toEqual(first.metadata.managedFields);
  });

  test('refuses to change what others own, in the words of upstream, unless forced', () => {
    const live = store({
      live: first,
      next: applyMergePatch(first, { spec: { replicas: 5, args: ['x'] } }) as KubeObject,
      manager: 'scaler',
    });
    const applied = thing({ spec: { replicas: 2 } });
    let caught: unknown;
    try {
      apply({ live, applied, manager: 'n' });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(StatusError);
    expect((caught as StatusError).status).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "scaler" using example.com/v1: .spec.replicas',
      details: {
        causes: [
          {
            reason: 'FieldManagerConflict',
            message: 'conflict with "scaler" using example.com/v1',
            field: '.spec.replicas',
          },
        ],
      },
    });
    expect(() => apply({ live, applied: thing({ spec: { replicas: 2, args: ['y'] } }), manager: 'n' })).toThrow(
      'Apply failed with 2 conflicts: conflicts with "scaler" using example.com/v1:\n- .spec.args\n- .spec.replicas',
    );
    const forced = apply({ live, applied, manager: 'n', force: true });
    expect(forced.object).toMatchObject({ spec: { replicas: 2 } });
    expect(ownedPaths(forced.managedFields.find(({ manager }) => manager === 'scaler'))).toEqual(['.spec.args']);
  });

  test('shares a field that is applied with the value it has', () => {
    const { managedFields } = apply({ live: first, applied: thing({ spec: { replicas: 1 } }), manager: 'n' });
    expect(managedFields.flatMap(ownedPaths).filter((path) => path === '.spec.replicas')).toHaveLength(2);
  });

  test('gives an untracked object an owner first', () => {
    const live = thing({ spec: { replicas: 3 } });
    expect(() => apply({ live, applied: thing({ spec: { replicas: 4 } }) })).toThrow(
      'conflict with "before-first-apply" using example.com/v1: .spec.replicas',
    );
  });
});

describe('applyConfiguration on random objects', () => {
  const word = fc.constantFrom('x', 'y');
  const spec = fc.record(
    {
      replicas: fc.integer({ min: 0, max: 2 }),
      nested: fc.record({ a: word, b: word }, { requiredKeys: [] }),
      items: fc.uniqueArray(
        fc.record({ name: fc.constantFrom('a', 'b', 'c'), image: word }, { requiredKeys: ['name'] }),
        { selector: ({ name }) => name, minLength: 1 },
      ),
      args: fc.array(word, { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: [] },
  );

  const apply = (
    live: KubeObject | undefined,
    fields: Record<string, unknown>,
  ): ReturnType<typeof applyConfiguration> =>
    applyConfiguration({
      live: live === undefined ? undefined : deepFreeze(live),
      applied: deepFreeze(thing({ spec: fields })),
      manager: 'applier',
      force: true,
      timeMs: TIME,
      schemas,
      schemaName: 'Thing',
    });

  test('what is applied holds, applying it again changes nothing, applying nothing takes back what nobody else owns', () => {
    fc.assert(
      fc.property(spec, spec, spec, (base, first, second) => {
        const created = store({ next: thing({ spec: base }), manager: 'user' });
        const one = apply(created, first).object;
        const two = apply(one, second).object;
        for (const [object, fields] of [
          [one, first],
          [two, second],
        ] as const) {
          const present = leaves(object);
          for (const [path, value] of leaves(thing({ spec: fields }))) {
            const isHeld = value === '{}' ? allPaths(object).includes(path) : present.get(path) === value;
            expect([path, isHeld]).toEqual([path, true]);
          }
        }
        expect(apply(two, second).isUnchanged).toBe(true);
        const nothing = apply(two, {}).object;
        expect(entryFor(nothing, 'applier')?.fieldsV1 ?? { 'f:spec': {} }).toEqual({ 'f:spec': {} });
        const owned = ownedPaths(entryFor(nothing, 'user'));
        const left = [...leaves(nothing)]
          .filter(([, value]) => value !== '{}' && value !== 'null')
          .map(([path]) => path);
        expect(left.filter((path) => !owned.includes(path))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('field trees', () => {
  const path = fc.array(fc.constantFrom('f:a', 'f:b', 'v:1'), { minLength: 1, maxLength: 3 });
  const paths = fc.uniqueArray(path, { selector: (one) => one.join('/'), maxLength: 6 });

  function treeOf(list: readonly (readonly string[])[]): FieldTree {
    const branch = (at: readonly string[], depth: number): FieldTree => {
      const below = list.filter((one) => one.length > depth && at.every((element, index) => one[index] === element));
      const result: Record<string, FieldTree> = {};
      const isSelf = depth > 0 && list.some((one) => one.join('/') === at.join('/'));
      const elements = [...new Set(below.map((one) => one[depth] ?? ''))].toSorted();
      if (isSelf && elements.length > 0) result['.'] = {};
      for (const element of elements) result[element] = branch([...at, element], depth + 1);
      return result;
    };
    return branch([], 0);
  }

  const pathsOf = (tree: FieldTree): string[] => {
    const found: string[] = [];
    forEachPath(tree, (one) => found.push(one.join('/')));
    return found.toSorted();
  };

  test('are sets', () => {
    fc.assert(
      fc.property(paths, paths, (left, right) => {
        const [a, b] = [new Set(left.map((one) => one.join('/'))), new Set(right.map((one) => one.join('/')))];
        const [x, y] = [deepFreeze(treeOf(left)), deepFreeze(treeOf(right))];
        expect(pathsOf(x)).toEqual([...a].toSorted());
        expect(pathsOf(union(x, y))).toEqual([...a.union(b)].toSorted());
        expect(pathsOf(difference(x, y))).toEqual([...a.difference(b)].toSorted());
        expect(pathsOf(intersection(x, y))).toEqual([...a.intersection(b)].toSorted());
        expect(union(x, y)).toEqual(treeOf([...a.union(b)].map((one) => one.split('/'))));
        expect(difference(x, y)).toEqual(treeOf([...a.difference(b)].map((one) => one.split('/'))));
      }),
      { numRuns: 300 },
    );
  });
});
