import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '#api/generated/types.ts';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { objectKey } from '#machinery/meta/types.ts';
import { OwnWrites } from './own-writes.ts';

function map(name: string, version: string, uid = `uid-${name}`): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'a', uid, resourceVersion: version } };
}

function setUp() {
  const cache = new Map<string, ConfigMap>();
  const clock = new VirtualClock();
  const own = new OwnWrites<ConfigMap>({ clock, cached: (key) => cache.get(key) });
  const show = (object: ConfigMap) => {
    cache.set(objectKey(object), object);
    own.observed('g', object);
  };
  const names = () =>
    own.apply('g', [...cache.values()]).map((one) => `${one.metadata.name}@${one.metadata.resourceVersion}`);
  return { cache, own, show, names, clock };
}

describe('OwnWrites', () => {
  test('shows a creation before the cache does, and never twice', () => {
    const { own, show, names } = setUp();
    own.created('g', map('x', '5'));
    expect(names()).toEqual(['x@5']);
    show(map('x', '5'));
    expect(names()).toEqual(['x@5']);
  });

  test('a created object that appeared and vanished is gone', () => {
    const { own, show, names, cache } = setUp();
    own.created('g', map('x', '5'));
    show(map('x', '5'));
    cache.clear();
    expect(names()).toEqual([]);
  });

  test('an update hides what the cache still shows, and yields to what comes later', () => {
    const { own, show, names } = setUp();
    show(map('x', '5'));
    own.updated('g', map('x', '5'), map('x', '6'));
    expect(names()).toEqual(['x@6']);
    show(map('x', '9'));
    expect(names()).toEqual(['x@9']);
  });

  test('writes on top of writes are kept until the cache shows the last', () => {
    const { own, show, names } = setUp();
    own.created('g', map('x', '5'));
    own.updated('g', map('x', '5'), map('x', '6'));
    own.updated('g', map('x', '6'), map('x', '7'));
    expect(names()).toEqual(['x@7']);
    show(map('x', '5'));
    expect(names()).toEqual(['x@7']);
    show(map('x', '6'));
    expect(names()).toEqual(['x@7']);
    show(map('x', '7'));
    expect(names()).toEqual(['x@7']);
  });

  test('a deleted object stays away, its namesake does not', () => {
    const { own, show, names } = setUp();
    show(map('x', '5'));
    own.deleted('g', map('x', '5'));
    expect(names()).toEqual([]);
    show(map('x', '6'));
    expect(names()).toEqual([]);
    show(map('x', '8', 'another'));
    expect(names()).toEqual(['x@8']);
  });

  test('a write that is never confirmed is forgotten after five minutes', () => {
    const { own, names, clock } = setUp();
    own.created('g', map('x', '5'));
    expect(own.forgottenInMs('g')).toBe(300_000);
    clock.advance(300_000);
    expect(names()).toEqual([]);
    expect(own.forgottenInMs('g')).toBeUndefined();
  });
});
