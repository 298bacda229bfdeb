import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import { podInfoOf } from '../core/pod-info.ts';
import { defaultProfile } from '../framework/default-profile.ts';
import { requesting, testNode, testPod } from '../testing/world.ts';
import { SchedulingQueue } from './scheduling-queue.ts';

function setUp() {
  const clock = new VirtualClock();
  let ready = 0;
  const queue = new SchedulingQueue({
    clock,
    plugins: defaultProfile.map((entry) => entry.plugin),
    onReady: () => ready++,
  });
  return { clock, queue, readyCount: () => ready };
}

const fit = new Set(['NodeResourcesFit']);

describe('SchedulingQueue', () => {
  test('gives the most important pod first, then the one that waits longest', () => {
    const { queue, clock } = setUp();
    for (const [name, priority] of [
      ['a', 0],
      ['b', 5],
      ['c', 0],
      ['d', 5],
    ] as const) {
      queue.set(podInfoOf(testPod(name, { priority })), { mayHelp: false });
      clock.advance(1);
    }
    const order = [1, 2, 3, 4].map(() => queue.pop()?.info.pod.metadata.name);
    expect(order).toEqual(['b', 'd', 'a', 'c']);
    expect(queue.pop()).toBeUndefined();
  });

  test('a rejected pod waits for an event that may help, and for its back-off', () => {
    const { queue, clock, readyCount } = setUp();
    queue.set(podInfoOf(testPod('p', requesting({ cpu: '1' }))), { mayHelp: false });
    const queued = queue.pop();
    if (queued === undefined) throw new Error('nothing in the queue');
    queue.failed(queued, fit, queue.eventCount);
    expect(queue.counts()).toMatchObject({ unschedulable: 1 });
    queue.happened({ type: 'podBound', pod: podInfoOf(testPod('other')) });
    expect(queue.counts()).toMatchObject({ unschedulable: 1 });
    queue.happened({ type: 'podRemoved', pod: podInfoOf(testPod('other')) });
    expect(queue.counts()).toMatchObject({ backoff: 1 });
    clock.advance(999);
    expect(queue.pop()).toBeUndefined();
    clock.advance(1);
    expect(readyCount()).toBe(2);
    expect(queue.pop()).toBe(queued);
  });

  test('the back-off doubles up to ten seconds', () => {
    const { queue, clock } = setUp();
    queue.set(podInfoOf(testPod('p')), { mayHelp: false });
    const waits: number[] = [];
    for (let attempt = 0; attempt < 6; attempt++) {
      const queued = queue.pop();
      if (queued === undefined) throw new Error('nothing in the queue');
      queue.failed(queued, fit, queue.eventCount);
      queue.happened({ type: 'nodeAdded', node: testNode('n') });
      const since = clock.now();
      while (queue.counts().active === 0) clock.advance(500);
      waits.push(clock.now() - since);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
  });

  test('is tried again after five minutes without any event', () => {
    const { queue, clock } = setUp();
    queue.set(podInfoOf(testPod('p')), { mayHelp: false });
    const queued = queue.pop();
    if (queued === undefined) throw new Error('nothing in the queue');
    queue.failed(queued, fit, queue.eventCount);
    clock.advance(299_999);
    expect(queue.pop()).toBeUndefined();
    clock.advance(1);
    expect(queue.pop()).toBe(queued);
  });

  test('a removed pod is never given out', () => {
    const { queue } = setUp();
    const info = podInfoOf(testPod('p'));
    queue.set(info, { mayHelp: false });
    queue.remove(info.uid);
    expect(queue.pop()).toBeUndefined();
    expect(queue.size).toBe(0);
  });

  test('a gated pod waits until its gates are gone', () => {
    const { queue } = setUp();
    queue.set(podInfoOf(testPod('p', { schedulingGates: [{ name: 'g' }] })), { mayHelp: false });
    expect(queue.counts()).toMatchObject({ gated: 1 });
    queue.set(podInfoOf(testPod('p')), { mayHelp: true });
    expect(queue.pop()?.info.pod.metadata.name).toBe('p');
  });
});
