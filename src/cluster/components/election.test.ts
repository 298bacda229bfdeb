import { afterEach, describe, expect, test } from 'vitest';
import { LEASES } from '#api/generated/resources.ts';
import type { Client } from '#client/client.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { MemoryStore } from '#store/memory/memory-store.ts';
import { LocalClient } from '#apiserver/local-client.ts';
import { seededSigningKey } from '#apiserver/authentication/jwt.ts';
import { ensureSystemNamespaces } from '#apiserver/allocation/bootstrap-objects.ts';
import { type AssembledServer, assembleApiServer } from '../api-server-assembly.ts';
import { startElected } from './election.ts';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function setUp(): Promise<{ client: Client; executor: RealExecutor }> {
  const executor = new RealExecutor();
  const store = new MemoryStore({ clock: executor.clock });
  const options = {
    signingKey: seededSigningKey(new Uint8Array(32).fill(1)),
    serviceCidr: '10.96.0.0/16',
    advertisedAddress: '127.0.0.1:6443',
  };
  const server: AssembledServer = await assembleApiServer(options, { store, executor, log: silentLogger });
  closers.push(async () => {
    await server.close();
    await store.close();
  });
  const client = new LocalClient(server.api, { username: 'root', groups: ['system:masters'] });
  await ensureSystemNamespaces(client);
  return { client, executor };
}

describe('startElected', () => {
  test('starts the component with its lease, and gives the lease back after the component has stopped', async () => {
    const { client, executor } = await setUp();
    const events: string[] = [];
    const started = Promise.withResolvers<void>();
    const component = startElected(
      { isElecting: true, leaseName: 'worker' },
      {
        client,
        executor,
        log: silentLogger,
        start: async () => {
          started.resolve();
          return { stop: async () => void events.push(`stopped with ${await holder(client)}`) };
        },
      },
    );
    await started.promise;
    const identity = await holder(client);
    expect(identity).not.toBe('');
    await component.stop();
    expect(events).toEqual([`stopped with ${identity}`]);
    expect(await holder(client)).toBe('');
  });

  test('without election it starts at once and makes no lease', async () => {
    const { client, executor } = await setUp();
    const started = Promise.withResolvers<void>();
    const start = async () => {
      started.resolve();
      return { stop: async () => undefined };
    };
    const options = { isElecting: false, leaseName: 'worker' };
    const component = startElected(options, { client, executor, log: silentLogger, start });
    await started.promise;
    await component.stop();
    await expect(holder(client)).rejects.toThrow('leases.coordination.k8s.io "worker" not found');
  });

  test('says that it is lost when the component cannot start', async () => {
    const { client, executor } = await setUp();
    const start = () => Promise.reject(new Error('no'));
    const options = { isElecting: true, leaseName: 'worker' };
    const component = startElected(options, { client, executor, log: silentLogger, start });
    await expect(component.lost).resolves.toBeUndefined();
    await component.stop();
  });
});

async function holder(client: Client): Promise<string> {
  return (await client.get(LEASES, { namespace: 'kube-system', name: 'worker' })).spec.holderIdentity ?? '';
}
