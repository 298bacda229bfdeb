import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { CONFIG_MAPS } from '#api/generated/resources.ts';
import type { TestServer } from '#apiserver/testing/test-server.ts';
import { EtcdCluster, type EtcdMember, missingEtcd } from '#store/etcd/testing/etcd-process.ts';
import { eventually } from '../support/eventually.ts';
import { startServerOn } from './support/servers.ts';
import { TcpRelay } from './support/tcp-relay.ts';

const missing = missingEtcd();
const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;
const NAMESPACE = 'default';

describe.skipIf(missing !== undefined)(`a backup of etcd that is restored under a running server${skipped}`, () => {
  let cluster: EtcdCluster | undefined;
  let server: TestServer | undefined;

  afterEach(async () => {
    await server?.close();
    await cluster?.[Symbol.asyncDispose]();
    [server, cluster] = [undefined, undefined];
  });

  /** Starts, with objects `old` and `changed`, takes a backup, and then changes things that it does not have. */
  async function prepare(endpointOf: (etcd: EtcdCluster) => Promise<string>) {
    cluster = await EtcdCluster.start();
    const [member] = cluster.members;
    if (member === undefined) throw new Error('the cluster has no member');
    server = await startServerOn([await endpointOf(cluster)]);
    const { client } = server;
    await client.create(CONFIG_MAPS, configMap('old', 'x'));
    await client.create(CONFIG_MAPS, configMap('changed', 'before'));
    await backUp(member);
    await eventually(
      'writes again',
      () => client.update(CONFIG_MAPS, configMap('changed', 'after')),
      () => true,
    );
    for (let index = 0; index < 5; index++) await client.create(CONFIG_MAPS, configMap(`lost-${index}`, 'x'));
    return { member, api: server };
  }

  test('goes back: watches end with 410, and what is served is what there is', async () => {
    const { member, api } = await prepare(async ({ endpoints }) => endpoints[0] ?? '');
    const watch = endOfWatch(api, (await list(api)).revision);
    await restore(member);
    expect(await watch).toMatchObject({ code: 410 });
    await eventually(
      'it serves the backup',
      () => list(api),
      ({ objects }) => objects === 'changed=before,old=x',
    );
    const created = await api.client.create(CONFIG_MAPS, configMap('new', 'x'));
    expect(await list(api)).toEqual({
      objects: 'changed=before,new=x,old=x',
      revision: created.metadata.resourceVersion,
    });
    const updated = await api.client.update(CONFIG_MAPS, configMap('changed', 'anew'));
    expect(updated.data).toEqual({ value: 'anew' });
    const { body } = await api.client.raw({ method: 'GET', path: '/readyz?verbose' });
    expect(Buffer.from(body).toString()).toContain('[+]etcd ok\n[+]etcd-readiness ok');
  });

  test('is noticed even when others have come past the lost revisions meanwhile', async () => {
    let relay: TcpRelay | undefined;
    const { member, api } = await prepare(async ({ endpoints }) => {
      relay = await TcpRelay.start(endpoints[0] ?? '');
      return relay.endpoint;
    });
    try {
      const before = await list(api);
      const watch = endOfWatch(api, before.revision);
      relay?.cut();
      await restore(member);
      await using other = await startServerOn([member.endpoint]);
      for (let index = 0; index < 30; index++) await other.client.create(CONFIG_MAPS, configMap(`new-${index}`, 'x'));
      const truth = await list(other);
      expect(Number(truth.revision)).toBeGreaterThan(Number(before.revision));
      relay?.restore();
      expect(await watch).toMatchObject({ code: 410 });
      await eventually(
        'it serves what there is',
        () => list(api),
        ({ objects }) => objects === truth.objects,
      );
    } finally {
      await relay?.[Symbol.asyncDispose]();
    }
  });
});

async function backUp(member: EtcdMember): Promise<void> {
  await member.stop('SIGTERM');
  cpSync(folderOf(member), `${folderOf(member)}.backup`, { recursive: true });
  member.start();
  await member.ready();
}

async function restore(member: EtcdMember): Promise<void> {
  await member.stop('SIGKILL');
  rmSync(folderOf(member), { recursive: true });
  cpSync(`${folderOf(member)}.backup`, folderOf(member), { recursive: true });
  member.start();
  await member.ready();
}

function folderOf({ options: { folder, name = 'one' } }: EtcdMember): string {
  return join(folder, name);
}

async function list(api: TestServer): Promise<{ objects: string; revision: string | undefined }> {
  const { items, metadata } = await api.client.list(CONFIG_MAPS, { namespace: NAMESPACE });
  const objects = items.map((object) => `${object.metadata.name}=${object.data?.['value']}`).join();
  return { objects, revision: metadata.resourceVersion };
}

/** The error that ends a watch, whatever it shows before. */
async function endOfWatch({ client }: TestServer, resourceVersion: string | undefined): Promise<unknown> {
  const options = { namespace: NAMESPACE, signal: AbortSignal.timeout(30_000) };
  const from = resourceVersion === undefined ? {} : { resourceVersion };
  try {
    for await (const _ of client.watch(CONFIG_MAPS, { ...options, ...from }));
    return undefined;
  } catch (error) {
    return error;
  }
}

function configMap(name: string, value: string) {
  return { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, namespace: NAMESPACE }, data: { value } } as const;
}
