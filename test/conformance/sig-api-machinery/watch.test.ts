import { expect } from 'vitest';
import type { Collection } from '../support/collection.ts';
import { conformanceTest } from '../support/conformance-test.ts';
import { CONFIG_MAPS, type KubeObject } from '../support/kinds.ts';
import type { Watch } from '../support/watch.ts';

const LABEL = 'watch-this-configmap';
const QUIET_MS = 500;

const configMap = (name: string, label: string) => ({ metadata: { name, labels: { [LABEL]: label } } });

async function mutate(maps: Collection<{ data?: Record<string, string> } & KubeObject>, name: string, value: string) {
  return maps.change(name, (map) => {
    map.data = { ...map.data, mutation: value };
  });
}

async function expectEvent<T extends KubeObject>(watch: Watch<T>, type: string, object: KubeObject): Promise<void> {
  const event = await watch.next();
  expect(event.type).toBe(type);
  const { managedFields: _, ...metadata } = event.object.metadata ?? {};
  expect(metadata).toMatchObject({ name: object.metadata?.name, uid: object.metadata?.uid });
  if (type !== 'DELETED') expect(metadata.resourceVersion).toBe(object.metadata?.resourceVersion);
}

conformanceTest(
  '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]',
  async ({ api, namespace }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    const a = await maps.watch({ labelSelector: `${LABEL}=multiple-watchers-A` });
    const b = await maps.watch({ labelSelector: `${LABEL}=multiple-watchers-B` });
    const both = await maps.watch({ labelSelector: `${LABEL} in (multiple-watchers-A,multiple-watchers-B)` });

    const first = await maps.create(configMap('map-a', 'multiple-watchers-A'));
    for (const watch of [a, both]) await expectEvent(watch, 'ADDED', first);
    for (const value of ['1', '2']) {
      const changed = await mutate(maps, 'map-a', value);
      for (const watch of [a, both]) await expectEvent(watch, 'MODIFIED', changed);
    }
    await maps.delete('map-a');
    for (const watch of [a, both]) await expectEvent(watch, 'DELETED', first);

    const second = await maps.create(configMap('map-b', 'multiple-watchers-B'));
    for (const watch of [b, both]) await expectEvent(watch, 'ADDED', second);
    await maps.delete('map-b');
    for (const watch of [b, both]) await expectEvent(watch, 'DELETED', second);
    expect(await a.nextWithin(QUIET_MS)).toBeUndefined();
  },
);

conformanceTest(
  '[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]',
  async ({ api, namespace }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    await maps.create(configMap('map', 'from-resource-version'));
    const first = await mutate(maps, 'map', '1');
    const second = await mutate(maps, 'map', '2');
    await maps.delete('map');
    const watch = await maps.watch({
      labelSelector: `${LABEL}=from-resource-version`,
      resourceVersion: first.metadata?.resourceVersion ?? '',
    });
    await expectEvent(watch, 'MODIFIED', second);
    await expectEvent(watch, 'DELETED', second);
  },
);

conformanceTest(
  '[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch [Conformance]',
  async ({ api, namespace }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    const labelSelector = `${LABEL}=watch-closed-and-restarted`;
    const broken = await maps.watch({ labelSelector });
    const created = await maps.create(configMap('map', 'watch-closed-and-restarted'));
    const first = await mutate(maps, 'map', '1');
    await expectEvent(broken, 'ADDED', created);
    const last = await broken.next();
    expect(last.object.metadata?.resourceVersion).toBe(first.metadata?.resourceVersion);
    broken.close();
    const second = await mutate(maps, 'map', '2');
    await maps.delete('map');
    const again = await maps.watch({ labelSelector, resourceVersion: last.object.metadata?.resourceVersion ?? '' });
    await expectEvent(again, 'MODIFIED', second);
    await expectEvent(again, 'DELETED', second);
  },
);

conformanceTest(
  '[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector [Conformance]',
  async ({ api, namespace }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    const watch = await maps.watch({ labelSelector: `${LABEL}=label-changed-and-restored` });
    const relabel = (label: string) =>
      maps.change('map', (map) => {
        map.metadata = { ...map.metadata, labels: { [LABEL]: label } };
      });
    const created = await maps.create(configMap('map', 'label-changed-and-restored'));
    const first = await mutate(maps, 'map', '1');
    await relabel('wrong-value');
    await expectEvent(watch, 'ADDED', created);
    await expectEvent(watch, 'MODIFIED', first);
    await expectEvent(watch, 'DELETED', created);

    await mutate(maps, 'map', '2');
    expect(await watch.nextWithin(QUIET_MS)).toBeUndefined();
    const restored = await relabel('label-changed-and-restored');
    const third = await mutate(maps, 'map', '3');
    await maps.delete('map');
    await expectEvent(watch, 'ADDED', restored);
    await expectEvent(watch, 'MODIFIED', third);
    await expectEvent(watch, 'DELETED', created);
  },
);

conformanceTest(
  '[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]',
  async ({ api, namespace }) => {
    const maps = api.of(CONFIG_MAPS, namespace);
    const start = (await maps.list()).metadata.resourceVersion ?? '';
    const writing = (async () => {
      for (let index = 0; index < 60; index += 1) {
        const name = `map-${index % 7}`;
        const found = await maps.find(name);
        if (found === undefined) await maps.create({ metadata: { name } });
        else if (index % 3 === 0) await maps.delete(name);
        else await mutate(maps, name, String(index));
      }
    })();
    const opened: Watch[] = [];
    for (let index = 0; index < 20; index += 1) opened.push(await maps.watch({ resourceVersion: start }));
    await writing;
    const [first, ...others] = opened;
    const seen: string[] = [];
    for (let index = 0; index < 60; index += 1) {
      const event = await first?.next();
      seen.push(event?.object.metadata?.resourceVersion ?? '');
    }
    for (const watch of others) {
      const revisions: string[] = [];
      for (let index = 0; index < 60; index += 1)
        revisions.push((await watch.next()).object.metadata?.resourceVersion ?? '');
      expect(revisions).toEqual(seen);
    }
    const numbers = seen.map(Number);
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
  },
);
