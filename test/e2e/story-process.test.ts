import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { type MachineSnapshot, snapshotMachine } from './support/machine.ts';
import { tellStory } from './support/story.ts';

describe("a first user's story with the process runtime", () => {
  let before: MachineSnapshot;
  let cluster: TestCluster | undefined;

  beforeAll(async () => {
    before = await snapshotMachine();
    cluster = await startCluster({ runtime: 'process' });
  });

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  tellStory(() => {
    if (cluster === undefined) throw new Error('the cluster did not start');
    return cluster;
  });

  test('nothing is left after stop', async () => {
    await cluster?.[Symbol.asyncDispose]();
    cluster = undefined;
    expect(await snapshotMachine()).toEqual(before);
  });
});
