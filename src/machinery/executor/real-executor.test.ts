import { describe, expect, test } from 'vitest';
import { RealExecutor } from './real-executor.ts';
import { TaskQueue } from './task-queue.ts';

/** Busy for a while: stands in for work. */
function burn(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) Math.sqrt(end);
}

describe('RealExecutor', () => {
  test('runs tasks later, in order, with their promises drained in between', async () => {
    const executor = new RealExecutor();
    const seen: string[] = [];
    const chain = async (name: string): Promise<void> => {
      for (let step = 0; step < 5; step += 1) {
        seen.push(name);
        await Promise.resolve();
      }
    };
    executor.post('request', () => void chain('a'));
    executor.post('request', () => void chain('b'));
    expect(seen).toEqual([]);
    await executor.run('request', () => undefined);
    expect(seen.join('')).toBe('aaaaabbbbb');
  });

  test('run settles with the outcome of the task', async () => {
    const executor = new RealExecutor();
    expect(await executor.run('node', () => 1)).toBe(1);
    expect(await executor.run('node', () => Promise.resolve(2))).toBe(2);
    await expect(
      executor.run('node', () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
  });

  test('reports a task that throws and goes on', async () => {
    const errors: unknown[] = [];
    const executor = new RealExecutor({ onError: (error) => errors.push(error) });
    executor.post('node', () => {
      throw new Error('boom');
    });
    await executor.pause('node');
    expect(errors).toEqual([new Error('boom')]);
  });

  test('gives timers their turn while a class floods it', async () => {
    const executor = new RealExecutor();
    let ran = 0;
    let isStopped = false;
    const flood = (): void => {
      ran += 1;
      burn(0.2);
      if (!isStopped) executor.post('background', flood);
    };
    flood();
    executor.takeWorstDelayMs();
    await executor.clock.sleep(30);
    isStopped = true;
    expect(ran).toBeGreaterThan(10);
    expect(executor.takeWorstDelayMs()).toBeGreaterThan(0);
    await executor.pause('background');
  });

  test('shares the loop by weight between classes that both have work', async () => {
    const executor = new RealExecutor();
    const counts = { request: 0, background: 0 };
    const total = 160;
    for (let index = 0; index < total; index += 1) {
      executor.post('background', () => {
        counts.background += 1;
        burn(0.1);
      });
    }
    const half = new Promise<number>((resolve) => {
      for (let index = 0; index < total; index += 1) {
        executor.post('request', () => {
          counts.request += 1;
          burn(0.1);
          if (counts.request === total) resolve(counts.background);
        });
      }
    });
    // Requests weigh eight times as much: when they are done, few of the others have run.
    expect(await half).toBeLessThan(total / 2);
  });

  test('shouldPause says when the slice is used up', async () => {
    const executor = new RealExecutor();
    const answers = await executor.run('node', () => {
      const first = executor.shouldPause();
      burn(6);
      return [first, executor.shouldPause()];
    });
    expect(answers).toEqual([false, true]);
  });
});

describe('TaskQueue', () => {
  test('is first in, first out over many turns', () => {
    const queue = new TaskQueue<number>();
    let next = 0;
    for (let round = 0; round < 50; round += 1) {
      for (let index = 0; index < 100; index += 1) queue.push(round * 100 + index);
      for (let index = 0; index < 90; index += 1) {
        expect(queue.shift()).toBe(next);
        next += 1;
      }
    }
    expect(queue.size).toBe(500);
    expect(queue.takeAt(2)).toBe(next + 2);
    expect(queue.shift()).toBe(next);
  });
});
