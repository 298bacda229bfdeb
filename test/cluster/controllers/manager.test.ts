import { expect, test } from 'vitest';
import { CONFIG_MAPS } from '#api/generated/resources.ts';
import { LocalClient } from '#apiserver/local-client.ts';
import { startTestServer } from '#apiserver/testing/test-server.ts';
import type { ControllerDefinition } from '#controllers/controller.ts';
import { startControllers } from '#controllers/manager.ts';
import { Reconciler } from '#controllers/shared/reconciler.ts';
import { SimulatedExecutor } from '#machinery/executor/virtual-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';

/** Runs a promise to its end under virtual time. */
async function drive<T>(executor: SimulatedExecutor, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = () => {
    isSettled = true;
  };
  promise.then(settled, settled);
  await executor.runUntil(() => isSettled, { limitMs: 600_000, what: 'the test' });
  return promise;
}

function controller(name: string, run: ControllerDefinition['run']): ControllerDefinition {
  return { name, aliases: [], serviceAccount: name, eventSource: name, run };
}

test('a controller that fails is started again with growing waits, and takes no other one down', async () => {
  const executor = new SimulatedExecutor({ seed: 1 });
  const test = await drive(executor, startTestServer(executor));
  const starts: number[] = [];
  const seen: string[] = [];
  const failing = controller('failing', async (context) => {
    starts.push(executor.clock.now());
    await context.executor.pause('controller');
    throw new Error('broken');
  });
  const working = controller('working', async (context) => {
    const reconciler = new Reconciler(context);
    reconciler.watch(CONFIG_MAPS, { onAdd: (map) => reconciler.add(map.metadata.name ?? '') });
    await reconciler.run({
      workers: 1,
      reconcile: async (key) => {
        seen.push(key);
        return undefined;
      },
    });
  });
  const manager = await startControllers({
    clientFor: (name) => new LocalClient(test.server, { username: name, groups: [] }),
    executor,
    log: silentLogger,
    controllers: ['failing', 'working'],
    additional: [failing, working],
  });
  await executor.advance(10_000);
  const beginning = starts[0] ?? 0;
  expect(starts.map((time) => time - beginning)).toEqual([0, 1_000, 3_000, 7_000]);
  const metadata = { name: 'x', namespace: 'default' };
  await drive(executor, test.client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata }));
  await executor.settle();
  expect(seen).toEqual(['x']);
  expect(manager.metrics.snapshot()).toMatchObject({
    failing: { restarts: 4 },
    working: { reconciles: 1, reconcileErrors: 0, restarts: 0 },
  });
  await drive(executor, manager.stop());
  await drive(executor, test.close());
});

test('a restarted controller looks at everything again', async () => {
  const executor = new SimulatedExecutor({ seed: 2 });
  const test = await drive(executor, startTestServer(executor));
  const metadata = { name: 'x', namespace: 'default' };
  await drive(executor, test.client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata }));
  const seen: string[] = [];
  let runs = 0;
  const flaky = controller('flaky', async (context) => {
    runs++;
    const run = runs;
    const reconciler = new Reconciler(context);
    reconciler.watch(CONFIG_MAPS, { onAdd: (map) => reconciler.add(map.metadata.name ?? '') });
    const working = reconciler.run({
      workers: 1,
      reconcile: async (key) => {
        seen.push(`${run}:${key}`);
        return undefined;
      },
    });
    if (run === 1) {
      await context.executor.clock.sleep(500);
      throw new Error('broken');
    }
    await working;
  });
  const manager = await startControllers({
    clientFor: (name) => new LocalClient(test.server, { username: name, groups: [] }),
    executor,
    log: silentLogger,
    controllers: ['flaky'],
    additional: [flaky],
  });
  await executor.advance(5_000);
  expect(seen).toEqual(['1:x', '2:x']);
  await drive(executor, manager.stop());
  await drive(executor, test.close());
});

test('an unknown controller is refused', async () => {
  const executor = new SimulatedExecutor({ seed: 3 });
  const test = await drive(executor, startTestServer(executor));
  const start = startControllers({
    clientFor: (name) => new LocalClient(test.server, { username: name, groups: [] }),
    executor,
    log: silentLogger,
    controllers: ['*', '-foo'],
  });
  await expect(start).rejects.toThrow('no controller is named -foo');
  await drive(executor, test.close());
});
