import { describe, expect, test } from 'vitest';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { DefaultRateLimiter } from './rate-limiter.ts';
import { TerminalError, runWorkers, WorkQueue } from './work-queue.ts';

function newQueue() {
  const executor = new SimulatedExecutor({ seed: 1 });
  return { executor, queue: new WorkQueue<string>({ executor, name: 'test' }) };
}

describe('WorkQueue', () => {
  test('gives keys in the order they came, each once', async () => {
    const { queue } = newQueue();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.length).toBe(3);
    expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(['a', 'b', 'c']);
    expect(queue.tryGet()).toBeUndefined();
  });

  test('re-queues a key added while it is being processed, once, and only when that is done', () => {
    const { queue } = newQueue();
    queue.add('a');
    expect(queue.tryGet()).toEqual({ key: 'a' });
    queue.add('a');
    queue.add('a');
    expect(queue.tryGet()).toBeUndefined();
    queue.done('a');
    expect(queue.tryGet()).toEqual({ key: 'a' });
    queue.done('a');
    expect(queue.tryGet()).toBeUndefined();
  });

  test('hands a key to whoever waits for one', async () => {
    const { queue } = newQueue();
    const waiting = [queue.get(), queue.get()];
    queue.add('a');
    queue.add('b');
    expect(await Promise.all(waiting)).toEqual(['a', 'b']);
  });

  test('adds later, at the earliest of the times asked for', async () => {
    const { queue, executor } = newQueue();
    queue.addAfter('a', 5000);
    queue.addAfter('a', 1000);
    queue.addAfter('a', 3000);
    queue.addAfter('now', 0);
    expect(queue.tryGet()).toEqual({ key: 'now' });
    await executor.advance(999);
    expect(queue.length).toBe(0);
    await executor.advance(1);
    expect(queue.tryGet()).toEqual({ key: 'a' });
    queue.done('a');
    await executor.advance(10_000);
    expect(queue.length).toBe(0);
  });

  test('waits longer with every failure of a key, and starts anew once it is forgotten', async () => {
    const { queue, executor } = newQueue();
    const waits: number[] = [];
    const measure = async () => {
      const startMs = executor.clock.now();
      queue.addRateLimited('a');
      await executor.runUntil(() => queue.length > 0, { limitMs: 2_000_000, what: 'the key' });
      waits.push(executor.clock.now() - startMs);
      queue.tryGet();
      queue.done('a');
    };
    for (let failure = 0; failure < 20; failure++) await measure();
    expect(waits.slice(0, 6)).toEqual([5, 10, 20, 40, 80, 160]);
    expect(waits.at(-1)).toBe(1_000_000);
    expect(queue.failures('a')).toBe(20);
    queue.forget('a');
    await measure();
    expect(waits.at(-1)).toBe(5);
  });

  test('bounds the retries of all keys together', () => {
    const { executor } = newQueue();
    const limiter = new DefaultRateLimiter<string>({ clock: executor.clock });
    const waits = Array.from({ length: 120 }, (_, key) => limiter.next(`k${key}`));
    expect(waits.slice(0, 100).every((wait) => wait === 5)).toBe(true);
    expect(Math.round(waits[100] ?? 0)).toBe(100);
    expect(Math.round(waits[119] ?? 0)).toBe(2000);
  });

  test('counts what it does', async () => {
    const { queue, executor } = newQueue();
    queue.add('a');
    queue.add('a');
    await executor.advance(100);
    queue.tryGet();
    queue.addRateLimited('b');
    await executor.advance(50);
    expect(queue.metrics()).toMatchObject({ name: 'test', depth: 1, processing: 1, adds: 2, retries: 1, processed: 0 });
    queue.done('a');
    expect(queue.metrics()).toMatchObject({ processing: 0, processed: 1, queueDurationMs: 100, workDurationMs: 50 });
  });

  test('gives and takes nothing after it was shut down', async () => {
    const { queue, executor } = newQueue();
    const waiting = queue.get();
    queue.addAfter('later', 1000);
    queue.shutDown();
    queue.add('a');
    await executor.advance(2000);
    expect(await waiting).toBeUndefined();
    expect(await queue.get()).toBeUndefined();
    expect(queue.length).toBe(0);
  });
});

describe('runWorkers', () => {
  test('reconciles each key as a task, never one key twice at a time, and no more at a time than workers', async () => {
    const { queue, executor } = newQueue();
    const stop = new AbortController();
    const running = new Set<string>();
    const order: string[] = [];
    let runningMax = 0;
    const workers = runWorkers(queue, {
      workers: 2,
      taskClass: 'controller',
      signal: stop.signal,
      reconcile: async (key) => {
        expect(running.has(key)).toBe(false);
        running.add(key);
        runningMax = Math.max(runningMax, running.size);
        order.push(key);
        if (order.length === 2) queue.add('a');
        await executor.clock.sleep(10);
        running.delete(key);
      },
    });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(order).toEqual([]);
    await executor.advance(1000);
    expect(order).toEqual(['a', 'b', 'c', 'a']);
    expect(runningMax).toBe(2);
    stop.abort();
    await workers;
  });

  test('tries again what failed, with growing waits, but not what can never succeed', async () => {
    const { queue, executor } = newQueue();
    const stop = new AbortController();
    const attempts: [string, number][] = [];
    const errors: string[] = [];
    const workers = runWorkers(queue, {
      workers: 1,
      taskClass: 'controller',
      signal: stop.signal,
      onError: (error, key) => errors.push(`${key}: ${String(error)}`),
      reconcile: (key) => {
        attempts.push([key, executor.clock.monotonic()]);
        if (key === 'never') throw new TerminalError('impossible');
        if (attempts.length < 5) throw new Error('not yet');
      },
    });
    queue.add('never');
    queue.add('later');
    await executor.advance(1000);
    expect(attempts).toEqual([
      ['never', 0],
      ['later', 0],
      ['later', 5],
      ['later', 15],
      ['later', 35],
    ]);
    expect(errors).toEqual([
      'never: TerminalError: impossible',
      'later: Error: not yet',
      'later: Error: not yet',
      'later: Error: not yet',
    ]);
    expect(queue.failures('later')).toBe(0);
    stop.abort();
    await workers;
  });

  test('looks again after the time that a reconcile asks for', async () => {
    const { queue, executor } = newQueue();
    const stop = new AbortController();
    const times: number[] = [];
    const workers = runWorkers(queue, {
      workers: 1,
      taskClass: 'controller',
      signal: stop.signal,
      reconcile: () => {
        times.push(executor.clock.monotonic());
        return { requeueAfterMs: 30_000 };
      },
    });
    queue.add('a');
    await executor.advance(60_000);
    expect(times).toEqual([0, 30_000, 60_000]);
    stop.abort();
    await workers;
  });

  test('ends when the signal fires, after the reconcile under way, and starts no other', async () => {
    const { queue, executor } = newQueue();
    const stop = new AbortController();
    const finished: string[] = [];
    const workers = runWorkers(queue, {
      workers: 1,
      taskClass: 'controller',
      signal: stop.signal,
      reconcile: async (key) => {
        await executor.clock.sleep(100);
        finished.push(key);
      },
    });
    queue.add('a');
    queue.add('b');
    await executor.advance(50);
    stop.abort();
    await executor.advance(50);
    await workers;
    expect(finished).toEqual(['a']);
  });
});
