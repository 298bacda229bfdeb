import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFIG_MAPS } from '#api/generated/resources.ts';
import { missingEtcd } from '#store/etcd/testing/etcd-process.ts';
import { eventually } from '../support/eventually.ts';
import { findViolation } from './support/linearizability.ts';
import { missingForNamespaces, PartitionedCluster } from './support/partitioned-cluster.ts';
import { Register, startServerOn } from './support/servers.ts';

const missing = missingEtcd() ?? missingForNamespaces();
const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;

/** No answer may take longer than a write's bound and what the watch may take after it. */
const ANSWER_MAX_MS = 16_000;
const CLIENTS = 8;
const REGISTERS = 3;

describe.skipIf(missing !== undefined)(`three members of etcd and two API servers${skipped}`, () => {
  let cluster: PartitionedCluster;

  beforeAll(async () => {
    cluster = await PartitionedCluster.start();
  });

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  test('a minority takes no writes and gives no stale answers; afterwards it catches up', async () => {
    const [lonely = '', ...others] = cluster.endpoints;
    await using minority = await startServerOn([lonely]);
    await using majority = await startServerOn(others);
    const name = { name: 'shared', namespace: 'default' };
    const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: name, data: { value: 'before' } } as const;
    const created = await minority.client.create(CONFIG_MAPS, object);
    await cluster.isolate(0);
    const calledAt = performance.now();
    const [write, read, majorityWrite] = await Promise.allSettled([
      minority.client.update(CONFIG_MAPS, { ...created, data: { value: 'minority' } }),
      minority.client.get(CONFIG_MAPS, name),
      eventually(
        'the majority goes on',
        () => majority.client.update(CONFIG_MAPS, { ...created, data: { value: 'majority' } }),
        () => true,
      ),
    ]);
    expect(performance.now() - calledAt).toBeLessThan(ANSWER_MAX_MS);
    expect(write).toMatchObject({ status: 'rejected' });
    expect(read).toMatchObject({ status: 'rejected' });
    expect(majorityWrite).toMatchObject({ status: 'fulfilled' });
    // Who asks for whatever there is gets it.
    const stale = await minority.client.list(CONFIG_MAPS, { namespace: 'default', resourceVersion: '0' });
    expect(stale.items.map(({ data }) => data)).toEqual([{ value: 'before' }]);
    await cluster.heal();
    const healed = await eventually(
      'the minority reads again',
      () => minority.client.get(CONFIG_MAPS, name),
      () => true,
    );
    expect(healed.data).toEqual({ value: 'majority' });
  });

  test('a history of clients of both servers is linearizable through partitions, a freeze and a kill', async () => {
    await using first = await startServerOn(cluster.endpoints);
    await using second = await startServerOn(cluster.endpoints.toReversed());
    const registers = Array.from({ length: REGISTERS }, (_, index) => new Register(`register-${index}`));
    let isOver = false;
    const client = async (index: number): Promise<number> => {
      const api = index % 2 === 0 ? first.client : second.client;
      const who = `client ${index}`;
      let done = 0;
      for (let turn = 0; !isOver; turn++) {
        const register = registers[(index + turn) % REGISTERS];
        const seen = await register?.read(api, who);
        if (seen === undefined) continue;
        const outcome = await register?.swap(api, who, { seen, next: `${index}.${turn}` });
        if (outcome === 'done') done++;
        await pause(5);
      }
      return done;
    };
    const clients = Array.from({ length: CLIENTS }, (_, index) => client(index));
    for (const [member, node] of cluster.members.entries()) {
      await pause(400);
      await cluster.isolate(member);
      await pause(1_300);
      await cluster.heal();
      await pause(400);
      if (member === 0) node.signal('SIGSTOP');
      else await node.stop();
      await pause(1_100);
      if (member === 0) node.signal('SIGCONT');
      else node.start();
    }
    await pause(1_100);
    isOver = true;
    const done = await Promise.all(clients);
    for (const register of registers) {
      expect(await register.read(first.client, 'the end')).toBeDefined();
      expect(findViolation(register.history)).toBeUndefined();
    }
    expect(Math.min(...done)).toBeGreaterThan(10);
  });
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
