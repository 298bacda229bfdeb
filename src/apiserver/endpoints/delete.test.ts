import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS } from '#api/generated/resources.ts';
import type { Pod } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { type TestServer, startTestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(new RealExecutor());
});
afterAll(() => server.close());

function pod(name: string, nodeName?: string): Pod {
  const spec = { containers: [{ name: 'c', image: 'i' }], ...(nodeName === undefined ? {} : { nodeName }) };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec };
}

describe('deletion', () => {
  test('of a pod on a node waits for the grace period, which can be shortened', async () => {
    const { client } = server;
    const name = { name: 'graceful', namespace: 'default' };
    await client.create(PODS, pod('graceful', 'n1'));
    const leaving = await client.delete(PODS, name);
    expect(leaving.metadata.deletionGracePeriodSeconds).toBe(30);
    expect((await client.delete(PODS, name)).metadata.resourceVersion).toBe(leaving.metadata.resourceVersion);
    const sooner = await client.delete(PODS, name, { gracePeriodSeconds: 5 });
    expect(sooner.metadata.deletionGracePeriodSeconds).toBe(5);
    const before = parseTime(leaving.metadata.deletionTimestamp ?? '') ?? 0;
    expect(before - (parseTime(sooner.metadata.deletionTimestamp ?? '') ?? 0)).toBe(25_000);
    await client.delete(PODS, name, { gracePeriodSeconds: 0 });
    await expect(client.get(PODS, name)).rejects.toSatisfy(isNotFound);
  });

  test('of a pod on no node is immediate', async () => {
    const { client } = server;
    await client.create(PODS, pod('unplaced'));
    await client.delete(PODS, { name: 'unplaced', namespace: 'default' });
    await expect(client.get(PODS, { name: 'unplaced', namespace: 'default' })).rejects.toSatisfy(isNotFound);
  });

  test.each([
    ['Foreground', ['foregroundDeletion']],
    ['Orphan', ['orphan']],
  ] as const)(
    'with propagation %s leaves a finalizer to the garbage collector',
    async (propagationPolicy, finalizers) => {
      const { client } = server;
      const metadata = { name: propagationPolicy.toLowerCase(), namespace: 'default' };
      await client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
      const leaving = await client.delete(CONFIG_MAPS, metadata, { propagationPolicy });
      expect(leaving.metadata).toMatchObject({ finalizers, deletionGracePeriodSeconds: 0 });
      await client.patch(CONFIG_MAPS, metadata, {
        type: 'json',
        operations: [{ op: 'remove', path: '/metadata/finalizers' }],
      });
      await expect(client.get(CONFIG_MAPS, metadata)).rejects.toSatisfy(isNotFound);
    },
  );

  test('answers with a Status that names what went', async () => {
    const { client } = server;
    const metadata = { name: 'named', namespace: 'default' };
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { selector: { matchLabels: { a: 'b' } }, template };
    const made = await client.create(DEPLOYMENTS, { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
    expect(await client.delete(DEPLOYMENTS, metadata)).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'named', group: 'apps', kind: 'deployments', uid: made.metadata.uid },
    });
  });

  test('of a namespace makes it Terminating until its finalizers are gone', async () => {
    const { client } = server;
    const made = await client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'going' },
      spec: {},
    });
    expect(made.spec?.finalizers).toEqual(['kubernetes']);
    expect(made.status?.phase).toBe('Active');
    const leaving = await client.delete(NAMESPACES, { name: 'going' });
    expect(leaving.status?.phase).toBe('Terminating');
    expect(leaving.metadata.deletionTimestamp).toBeDefined();
    await client.update(NAMESPACES, { ...leaving, spec: {} }, { subresource: 'finalize' });
    await expect(client.get(NAMESPACES, { name: 'going' })).rejects.toSatisfy(isNotFound);
  });
});
