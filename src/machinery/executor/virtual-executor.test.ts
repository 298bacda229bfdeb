import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TaskClass } from './executor.ts';
import { RealityLeakError, trapGlobals } from './trap-globals.ts';
import { SimulatedExecutor } from './virtual-executor.ts';

const CLASSES: TaskClass[] = ['request', 'watch', 'controller', 'scheduler', 'node', 'background'];

/** A little world in which tasks post tasks, await promises, sleep and draw numbers; gives its history. */
async function history(seed: number, plan: readonly number[], shuffle: 'classes' | 'tasks'): Promise<string[]> {
  const executor = new SimulatedExecutor({ seed, shuffle });
  const events: string[] = [];
  const work = async (id: string, depth: number): Promise<void> => {
    events.push(`${executor.clock.now()} ${id} ${executor.random.int(1000)}`);
    if (depth === 0) return;
    if (executor.shouldPause()) await executor.pause('background');
    await executor.clock.sleep(executor.random.int(50));
    events.push(`${executor.clock.now()} ${id} woke`);
    const children = [0, 1].map((child) =>
      executor.run(CLASSES[executor.random.int(CLASSES.length)] ?? 'node', () => work(`${id}.${child}`, depth - 1)),
    );
    await Promise.all(children);
  };
  for (const [index, choice] of plan.entries()) {
    executor.post(CLASSES[choice % CLASSES.length] ?? 'node', () => void work(String(index), choice % 3));
  }
  await executor.settle();
  await executor.advance(500);
  return events;
}

describe('SimulatedExecutor', () => {
  test('is identical in two runs with one seed', async () => {
    const plans = fc.array(fc.nat(100), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.integer(), plans, fc.constantFrom('classes', 'tasks'), async (seed, plan, shuffle) => {
        expect(await history(seed, plan, shuffle)).toEqual(await history(seed, plan, shuffle));
      }),
      { numRuns: 25 },
    );
  });

  test('runs tasks in another order with another seed', async () => {
    const plan = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const orders = await Promise.all([1, 2, 3, 4].map((seed) => history(seed, plan, 'classes')));
    expect(new Set(orders.map((order) => order.join('\n'))).size).toBeGreaterThan(1);
  });

  test('never runs a posted task before post returns, and keeps the order within a class', async () => {
    const executor = new SimulatedExecutor({ seed: 7 });
    const seen: number[] = [];
    for (let index = 0; index < 100; index += 1) executor.post('watch', () => seen.push(index));
    expect(seen).toEqual([]);
    expect(executor.runnable).toBe(100);
    await executor.settle();
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(executor.runnable).toBe(0);
  });

  test('drains promises between two tasks', async () => {
    const executor = new SimulatedExecutor({ seed: 1 });
    const seen: string[] = [];
    const chain = async (name: string): Promise<void> => {
      for (let step = 0; step < 20; step += 1) {
        seen.push(name);
        await Promise.resolve();
      }
    };
    executor.post('request', () => void chain('a'));
    executor.post('request', () => void chain('b'));
    await executor.settle();
    expect(seen.join('')).toBe('a'.repeat(20) + 'b'.repeat(20));
  });

  test('settle leaves time alone, advance fires timers in order and settles after each', async () => {
    const executor = new SimulatedExecutor({ seed: 1, startMs: 0 });
    const seen: string[] = [];
    executor.clock.setTimeout(() => seen.push(`late ${executor.clock.now()}`), 20);
    executor.clock.setTimeout(() => executor.post('node', () => seen.push(`task ${executor.clock.now()}`)), 10);
    executor.clock.setTimeout(() => seen.push('never'), 15).cancel();
    executor.clock.setTimeout(() => seen.push('now'), 0);
    await executor.settle();
    expect(seen).toEqual(['now']);
    await executor.advance(20);
    expect(seen).toEqual(['now', 'task 10', 'late 20']);
    await executor.advance(5);
    expect(executor.clock.now()).toBe(25);
    expect(executor.clock.monotonic()).toBe(25);
  });

  test('runUntil moves from timer to timer and stops as soon as the condition holds', async () => {
    const executor = new SimulatedExecutor({ seed: 1, startMs: 0 });
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      executor.clock.setTimeout(tick, 1000);
    };
    tick();
    await executor.runUntil(() => ticks === 4, { limitMs: 10_000, what: 'four ticks' });
    expect(executor.clock.now()).toBe(3000);
    await expect(executor.runUntil(() => false, { limitMs: 5000, what: 'the impossible' })).rejects.toThrow(
      'the impossible: not done after 5000 ms of virtual time',
    );
  });

  test('runUntil says so when nothing is left that could make it true', async () => {
    const executor = new SimulatedExecutor({ seed: 1 });
    const waiting = executor.runUntil(() => false, { limitMs: 1000, what: 'a sign' });
    await expect(waiting).rejects.toThrow('a sign: nothing is left to run and no timer is pending');
  });

  test('a task that throws stops nothing and fails the settle', async () => {
    const executor = new SimulatedExecutor({ seed: 1 });
    let isDone = false;
    executor.post('node', () => {
      throw new Error('boom');
    });
    executor.post('node', () => {
      isDone = true;
    });
    await expect(executor.settle()).rejects.toThrow('boom');
    expect(isDone).toBe(true);
    const failing = executor.run('node', () => Promise.reject(new Error('mine'))).catch((error: unknown) => error);
    await executor.settle();
    expect(await failing).toEqual(new Error('mine'));
  });

  test('refuses to be driven twice at once', async () => {
    const executor = new SimulatedExecutor({ seed: 1 });
    const first = executor.settle();
    await expect(executor.settle()).rejects.toThrow('already being driven');
    await first;
  });
});

describe('trapGlobals', () => {
  const leaks: [string, () => unknown][] = [
    ['Date.now()', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Math.random', () => Math.random()],
    ['setTimeout', () => setTimeout(() => undefined, 1)],
    ['setImmediate', () => setImmediate(() => undefined)],
    ['performance.now', () => performance.now()],
    ['crypto.randomUUID', () => crypto.randomUUID()],
    ['crypto.subtle.digest', () => crypto.subtle.digest('SHA-256', new Uint8Array(1))],
  ];

  test.each(leaks)('%s throws inside a task and works outside', async (_name, leak) => {
    using _trap = trapGlobals();
    const executor = new SimulatedExecutor({ seed: 1 });
    let caught: unknown;
    executor.post('node', () => {
      try {
        leak();
      } catch (error) {
        caught = error;
      }
    });
    await executor.settle();
    expect(caught).toBeInstanceOf(RealityLeakError);
  });

  test('traps promise reactions of a task, too, and spares pure uses of Date', async () => {
    using _trap = trapGlobals();
    const executor = new SimulatedExecutor({ seed: 1 });
    let result: unknown;
    executor.post('node', () => {
      result = Promise.resolve()
        .then(() => new Date(0).toISOString())
        .then((text) => `${text} ${Date.now()}`)
        .catch((error: unknown) => error);
    });
    await executor.settle();
    expect(await result).toBeInstanceOf(RealityLeakError);
    expect(Date.now()).toBeGreaterThan(0);
    expect(new Date(0)).toBeInstanceOf(Date);
  });

  test('stays until the last of several holders lets go, in whatever order they do', () => {
    const before = [globalThis.Date, globalThis.setTimeout, Math.random];
    const first = trapGlobals();
    const second = trapGlobals();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(globalThis.Date).not.toBe(before[0]);
    second[Symbol.dispose]();
    expect([globalThis.Date, globalThis.setTimeout, Math.random]).toEqual(before);
  });

  test('restores everything when disposed', () => {
    const before = [globalThis.Date, globalThis.setTimeout, Math.random];
    trapGlobals()[Symbol.dispose]();
    expect([globalThis.Date, globalThis.setTimeout, Math.random]).toEqual(before);
    expect(Object.hasOwn(crypto, 'randomUUID')).toBe(false);
  });
});
