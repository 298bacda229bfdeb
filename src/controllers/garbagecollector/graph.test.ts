import { describe, expect, test } from 'vitest';
import type { KubeObject, ObjectMeta, OwnerReference } from '#machinery/meta/types.ts';
import { OwnerGraph } from './graph.ts';
import { planDeletingDependents, planOwnedItem } from './plan.ts';

function owner(name: string, blocks = false): OwnerReference {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name,
    uid: name,
    ...(blocks ? { blockOwnerDeletion: true } : {}),
  };
}

function object(name: string, owners: OwnerReference[] = [], metadata: Partial<ObjectMeta> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, uid: name, namespace: 'a', ownerReferences: owners, ...metadata },
  };
}

describe('OwnerGraph', () => {
  test('an owner that nobody has seen is looked for', () => {
    const graph = new OwnerGraph();
    expect(graph.observe(object('child', [owner('parent')])).attemptDelete).toEqual(['parent']);
    expect(graph.get('parent')?.isVirtual).toBe(true);
    graph.observe(object('parent'));
    expect(graph.get('parent')?.isVirtual).toBe(false);
  });

  test('when an owner goes, its dependents are looked at', () => {
    const graph = new OwnerGraph();
    graph.observe(object('parent'));
    graph.observe(object('child', [owner('parent')]));
    expect(graph.remove('parent').attemptDelete).toEqual(['child']);
  });

  test('foreground deletion looks at dependents, and at the owner again when they go', () => {
    const graph = new OwnerGraph();
    graph.observe(object('parent'));
    graph.observe(object('child', [owner('parent', true)]));
    const deleting = { deletionTimestamp: 'now', finalizers: ['foregroundDeletion'] };
    expect(graph.observe(object('parent', [], deleting)).attemptDelete).toEqual(['child', 'parent']);
    const parent = graph.get('parent');
    expect(parent && planDeletingDependents(parent)).toEqual({ type: 'attemptDelete', uids: ['child'] });
    expect(graph.remove('child').attemptDelete).toEqual(['parent']);
    expect(parent && planDeletingDependents(parent)).toEqual({
      type: 'removeFinalizer',
      finalizer: 'foregroundDeletion',
    });
  });

  test('a dependent that stops to block frees its owner', () => {
    const graph = new OwnerGraph();
    graph.observe(object('parent'));
    graph.observe(object('child', [owner('parent', true)]));
    expect(graph.observe(object('child', [owner('parent')])).attemptDelete).toEqual(['parent']);
  });

  test('orphaning is asked for once', () => {
    const graph = new OwnerGraph();
    graph.observe(object('parent'));
    const deleting = { deletionTimestamp: 'now', finalizers: ['orphan'] };
    expect(graph.observe(object('parent', [], deleting)).attemptOrphan).toEqual(['parent']);
    expect(graph.observe(object('parent', [], deleting)).attemptOrphan).toEqual([]);
  });
});

describe('planOwnedItem', () => {
  const cases = [
    { name: 'all owners live', states: ['solid', 'solid'], expected: 'none' },
    { name: 'one owner lives', states: ['solid', 'absent'], expected: 'setOwners' },
    { name: 'no owner lives', states: ['absent', 'absent'], expected: 'delete' },
    { name: 'an owner waits for it', states: ['waitingForDependents', 'absent'], expected: 'delete' },
  ] as const;
  for (const { name, states, expected } of cases) {
    test(`${name}`, () => {
      const graph = new OwnerGraph();
      const live = object('child', [owner('one', true), owner('two')]);
      graph.observe(live);
      const node = graph.get('child');
      if (node === undefined) throw new Error('the child is not in the graph');
      const action = planOwnedItem(live, node, ({ name: of }) => (of === 'one' ? states[0] : states[1]));
      expect(action.type).toBe(expected);
    });
  }

  test('deletes in the foreground what is awaited and has dependents itself, and breaks circles', () => {
    const graph = new OwnerGraph();
    const deleting = { deletionTimestamp: 'now', finalizers: ['foregroundDeletion'] };
    graph.observe(object('first', [owner('second', true)], deleting));
    const live = object('second', [owner('first', true)]);
    graph.observe(live);
    const node = graph.get('second');
    if (node === undefined) throw new Error('the second is not in the graph');
    expect(planOwnedItem(live, node, () => 'waitingForDependents')).toEqual({
      type: 'delete',
      propagationPolicy: 'Foreground',
      unblock: [{ ...owner('first'), blockOwnerDeletion: false }],
    });
  });
});
