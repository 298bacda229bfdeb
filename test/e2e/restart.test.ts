import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './support/cluster.ts';
import { eventually } from './support/eventually.ts';
import { canRunContainers, whyNoContainers } from './support/requirements.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');

describe.skipIf(!canRunContainers)(`restart with containerd${whyNoContainers}`, () => {
  let cluster: TestCluster | undefined;

  afterEach(async () => {
    await cluster?.[Symbol.asyncDispose]();
    cluster = undefined;
  });

  test('a server that was killed comes back with its objects and takes over the running pods', async () => {
    cluster = await startCluster({ runtime: 'containerd' });
    const running = await deployWeb(cluster);
    process.kill(cluster.state().server.pid, 'SIGKILL');
    await cluster.up();
    expect(await containerIds(cluster)).toEqual(running);
    expect((await cluster.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}')).trim()).toBe(
      '3',
    );
  });

  test('an agent that was killed is started again and takes over its pods', async () => {
    cluster = await startCluster({ runtime: 'containerd' });
    const running = await deployWeb(cluster);
    const agent = cluster.state().nodes[0]?.agent?.pid ?? 0;
    process.kill(agent, 'SIGKILL');
    const current = cluster;
    await eventually(
      'another agent',
      async () => current.state().nodes[0]?.agent?.pid ?? 0,
      (pid) => pid !== 0 && pid !== agent,
    );
    await cluster.kubectl('run', 'after', '--image=localhost/busybox:1', '--', 'sleep', '3600');
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/after', '--timeout=60s');
    expect(await containerIds(cluster, 'app=web')).toEqual(running);
  });

  test('down and up again: the same objects, the same number of pods, all running', async () => {
    cluster = await startCluster({ runtime: 'containerd' });
    await deployWeb(cluster);
    const before = await uids(cluster);
    const down = await cluster.tiphys('down');
    expect(down.code, down.stderr).toBe(0);
    expect((await cluster.tiphys('status')).code).toBe(3);
    await cluster.up();
    expect(await uids(cluster)).toEqual(before);
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod', '-l', 'app=web', '--timeout=90s');
  });
});

async function deployWeb(cluster: TestCluster): Promise<string[]> {
  await cluster.kubectl('apply', '-f', join(EXAMPLES, 'web.yaml'));
  await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
  return containerIds(cluster, 'app=web');
}

async function containerIds(cluster: TestCluster, selector = 'app=web'): Promise<string[]> {
  const path = 'jsonpath={.items[*].status.containerStatuses[*].containerID}';
  const ids = (await cluster.kubectl('get', 'pods', '-l', selector, '-o', path)).trim().split(' ').sort();
  expect(ids).toHaveLength(3);
  return ids;
}

async function uids(cluster: TestCluster): Promise<string[]> {
  const path = 'jsonpath={.items[*].metadata.uid}';
  const kinds = 'pods,deployments,replicasets,services,configmaps';
  return (await cluster.kubectl('get', kinds, '-o', path)).trim().split(' ').sort();
}
