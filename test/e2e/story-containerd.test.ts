import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { type MachineSnapshot, snapshotMachine } from './support/machine.ts';
import { canRunContainers, whyNoContainers } from './support/requirements.ts';
import { tellStory } from './support/story.ts';

describe.skipIf(!canRunContainers)(`a first user's story with containerd${whyNoContainers}`, () => {
  let before: MachineSnapshot;
  let cluster: TestCluster | undefined;

  beforeAll(async () => {
    before = await snapshotMachine();
    cluster = await startCluster({ runtime: 'containerd' });
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
