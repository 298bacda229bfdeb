import { describe, expect, test } from 'vitest';
import { EVENTS } from '#api/generated/resources.ts';
import type { CoreEvent } from '#api/generated/types.ts';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { forbidden } from '#machinery/errors/status-error.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import { ConnectionError } from '../client.ts';
import { FakeClient } from '../testing/fake-client.ts';
import { EventRecorder } from './event-recorder.ts';

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'ns', uid: 'u1', resourceVersion: '7' },
};

function newRecorder(client = new FakeClient(), clock = new VirtualClock()) {
  const deps = { client, clock, random: new SeededRandom(1), component: 'kubelet', host: 'node-1' };
  return { client, clock, recorder: new EventRecorder(deps) };
}

async function stored(client: FakeClient): Promise<CoreEvent[]> {
  return (await client.list(EVENTS)).items;
}

const pulled = { type: 'Normal', reason: 'Pulled', message: 'Successfully pulled image' } as const;

describe('EventRecorder', () => {
  test('writes an event in upstream’s form', async () => {
    const { client, clock, recorder } = newRecorder();
    recorder.event(pod, { ...pulled, fieldPath: 'spec.containers{web}' });
    await recorder.flush();
    const [event] = await stored(client);
    expect(event).toEqual({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: expect.stringMatching(/^web\.[0-9a-f]{16}$/), namespace: 'ns', resourceVersion: '1' },
      involvedObject: {
        kind: 'Pod',
        namespace: 'ns',
        name: 'web',
        uid: 'u1',
        apiVersion: 'v1',
        resourceVersion: '7',
        fieldPath: 'spec.containers{web}',
      },
      reason: 'Pulled',
      message: 'Successfully pulled image',
      source: { component: 'kubelet', host: 'node-1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
      type: 'Normal',
      reportingComponent: 'kubelet',
      reportingInstance: 'node-1',
    });
    const nanoseconds = BigInt(`0x${event?.metadata.name?.split('.')[1] ?? '0'}`);
    expect(nanoseconds / 1_000_000n).toBe(BigInt(clock.now()));
  });

  test('puts events about objects without a namespace into default', async () => {
    const { client, recorder } = newRecorder();
    recorder.event({ kind: 'Node', name: 'node-1', uid: 'node-1' }, { ...pulled, action: 'Starting' });
    await recorder.flush();
    expect((await stored(client))[0]).toMatchObject({
      metadata: { namespace: 'default' },
      involvedObject: { kind: 'Node', name: 'node-1', uid: 'node-1' },
      action: 'Starting',
    });
  });

  test('counts up an event that happens again, by a patch', async () => {
    const { client, clock, recorder } = newRecorder();
    for (let i = 0; i < 3; i++) {
      recorder.event(pod, pulled);
      await recorder.flush();
      clock.advance(60_000);
    }
    recorder.event(pod, { ...pulled, message: 'another' });
    await recorder.flush();
    const events = await stored(client);
    expect(events.map(({ message, count }) => [message, count])).toEqual([
      ['Successfully pulled image', 3],
      ['another', 1],
    ]);
    expect(events[0]).toMatchObject({ firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:02:00Z' });
    expect(client.requests.filter(({ verb }) => verb === 'patch').map(({ options }) => options)).toEqual([
      {
        type: 'strategic',
        body: { count: 2, lastTimestamp: '2026-01-01T00:01:00Z', message: 'Successfully pulled image' },
      },
      {
        type: 'strategic',
        body: { count: 3, lastTimestamp: '2026-01-01T00:02:00Z', message: 'Successfully pulled image' },
      },
    ]);
  });

  test('makes an event anew where the one to count up has expired', async () => {
    const { client, recorder } = newRecorder();
    recorder.event(pod, pulled);
    await recorder.flush();
    const [first] = await stored(client);
    await client.deleteCollection(EVENTS);
    recorder.event(pod, pulled);
    await recorder.flush();
    const [again] = await stored(client);
    expect(again).toMatchObject({ count: 2, metadata: { name: first?.metadata.name } });
  });

  test('combines events that differ in their message only, from the tenth on', async () => {
    const { client, clock, recorder } = newRecorder();
    for (let i = 0; i < 12; i++) {
      recorder.event(pod, { ...pulled, message: `message ${i}` });
      clock.advance(1000);
    }
    await recorder.flush();
    const events = await stored(client);
    expect(events).toHaveLength(10);
    expect(events.at(-1)).toMatchObject({ message: '(combined from similar events): message 11', count: 3 });
    clock.advance(700_000);
    recorder.event(pod, { ...pulled, message: 'much later' });
    await recorder.flush();
    expect((await stored(client)).at(-1)).toMatchObject({ message: 'much later', count: 1 });
  });

  test('does not hear a source that has too much to say about one object, and hears the others', async () => {
    const { client, clock, recorder } = newRecorder();
    for (let i = 0; i < 40; i++) recorder.event(pod, { ...pulled, reason: `Reason${i}` });
    recorder.event({ ...pod, metadata: { ...pod.metadata, name: 'other', uid: 'u2' } }, pulled);
    await recorder.flush();
    expect(await stored(client)).toHaveLength(26);
    clock.advance(300_000);
    for (let i = 0; i < 5; i++) recorder.event(pod, { ...pulled, reason: `Later${i}` });
    await recorder.flush();
    expect(await stored(client)).toHaveLength(27);
  });

  test('goes on after a burst that was not worth writing at all', async () => {
    const { client, recorder } = newRecorder();
    for (let index = 0; index < 40; index++) recorder.event(pod, { ...pulled, message: `pull ${index}` });
    await recorder.flush();
    recorder.event(pod, { ...pulled, message: 'one more that the filter drops' });
    await recorder.flush();
    const before = (await stored(client)).length;
    recorder.event(
      { ...pod, metadata: { ...pod.metadata, name: 'other', uid: 'u2' } },
      { ...pulled, reason: 'Started' },
    );
    await recorder.flush();
    expect(await stored(client)).toHaveLength(before + 1);
  });

  test('tries again where no server answers, and gives up what the server refuses', async () => {
    const executor = new SimulatedExecutor({ seed: 1 });
    const client = new FakeClient();
    const recorder = new EventRecorder({ client, clock: executor.clock, random: executor.random, component: 'test' });
    let failures = 3;
    client.onRequest = ({ verb }) => {
      if (verb === 'create' && failures-- > 0) throw new ConnectionError('refused');
    };
    recorder.event(pod, pulled);
    await executor.advance(31_000);
    expect(await stored(client)).toHaveLength(1);
    client.onRequest = ({ verb }) => {
      if (verb === 'create') throw forbidden({ group: '', resource: 'events', name: '' }, 'being terminated');
    };
    recorder.event(pod, { ...pulled, reason: 'Other' });
    await recorder.flush();
    expect(await stored(client)).toHaveLength(1);
    expect(client.requests.filter(({ verb }) => verb === 'create')).toHaveLength(5);
  });

  test('drops events when too many wait, and takes none once closed', async () => {
    const { client, recorder } = newRecorder();
    for (let i = 0; i < 1500; i++) {
      recorder.event({ ...pod, metadata: { ...pod.metadata, uid: `u${i}`, name: `p${i}` } }, pulled);
    }
    await recorder.flush();
    expect((await stored(client)).length).toBeLessThanOrEqual(1001);
    await recorder.close();
    recorder.event(pod, { ...pulled, reason: 'Late' });
    await recorder.flush();
    expect((await stored(client)).some(({ reason }) => reason === 'Late')).toBe(false);
  });
});
