import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { EVENTS, kindOf } from '../support/kinds.ts';

const NEW_EVENTS = kindOf('events.k8s.io/v1', 'Event', 'events');

const coreEvent = (namespace: string, name: string, label: string) => ({
  metadata: { name, labels: { 'testevent-constant': label } },
  message: 'This is a test event',
  reason: 'Test',
  type: 'Normal',
  count: 1,
  involvedObject: { namespace },
});

const newEvent = (namespace: string, name: string, label: string) => ({
  metadata: { name, labels: { 'testevent-set': label } },
  eventTime: '2026-01-02T03:04:05.123456Z',
  note: 'This is event-test',
  action: 'Do',
  reason: 'Test',
  type: 'Normal',
  reportingController: 'test-controller',
  reportingInstance: 'test-node',
  regarding: { namespace },
});

conformanceTest(
  '[sig-instrumentation] Events should manage the lifecycle of an event [Conformance]',
  async ({ api, namespace, unique }) => {
    const events = api.of(EVENTS, namespace);
    const label = unique('event');
    const labelSelector = `testevent-constant=${label}`;
    const created = await events.create(coreEvent(namespace, 'event-test', label));
    expect((await api.of(EVENTS).list({ labelSelector })).items).toHaveLength(1);
    await events.patch('event-test', { message: 'This is a test event - patched' }, { type: 'strategic' });
    expect((await events.get('event-test'))['message']).toBe('This is a test event - patched');
    const series = { count: 100, lastObservedTime: '2026-01-02T03:04:05.123456Z' };
    const updated = await events.change('event-test', (event) => {
      event['series'] = series;
    });
    expect(updated['series']).toEqual(series);
    expect(updated.metadata?.uid).toBe(created.metadata?.uid);
    await events.deleteAll({ labelSelector });
    expect((await api.of(EVENTS).list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-instrumentation] Events should delete a collection of events [Conformance]',
  async ({ api, namespace, unique }) => {
    const events = api.of(EVENTS, namespace);
    const label = unique('event');
    for (const name of ['test-event-1', 'test-event-2', 'test-event-3'])
      await events.create(coreEvent(namespace, name, label));
    const labelSelector = `testevent-constant=${label}`;
    expect((await events.list({ labelSelector })).items).toHaveLength(3);
    await events.deleteAll({ labelSelector });
    expect((await events.list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed [Conformance]',
  async ({ api, namespace, unique }) => {
    const events = api.of(NEW_EVENTS, namespace);
    const label = unique('event');
    const labelSelector = `testevent-set=${label}`;
    await events.create(newEvent(namespace, 'event-test', label));
    expect((await api.of(NEW_EVENTS).list({ labelSelector })).items).toHaveLength(1);
    const selected = await events.list({ fieldSelector: 'reportingController=test-controller' });
    expect(selected.items).toHaveLength(1);
    // The same event is there in the older group.
    const old = await api.of(EVENTS, namespace).get('event-test');
    expect(old).toMatchObject({ message: 'This is event-test', reportingComponent: 'test-controller' });
    const series = { count: 2, lastObservedTime: '2026-01-02T03:05:05.123456Z' };
    const patched = await events.patch('event-test', { series }, { type: 'strategic' });
    expect(patched['series']).toEqual(series);
    const updated = await events.change('event-test', (event) => {
      event['series'] = { ...series, count: 100 };
    });
    expect(updated['series']).toMatchObject({ count: 100 });
    await events.delete('event-test');
    expect((await api.of(NEW_EVENTS).list({ labelSelector })).items).toEqual([]);
  },
);

conformanceTest(
  '[sig-instrumentation] Events API should delete a collection of events [Conformance]',
  async ({ api, namespace, unique }) => {
    const events = api.of(NEW_EVENTS, namespace);
    const label = unique('event');
    const labelSelector = `testevent-set=${label}`;
    for (const name of ['test-event-1', 'test-event-2', 'test-event-3'])
      await events.create(newEvent(namespace, name, label));
    expect((await events.list({ labelSelector })).items).toHaveLength(3);
    await events.deleteAll({ labelSelector });
    expect((await events.list({ labelSelector })).items).toEqual([]);
  },
);
