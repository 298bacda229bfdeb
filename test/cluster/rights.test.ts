import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLUSTER_ROLE_BINDINGS, CONFIG_MAPS, NODES, PODS, SECRETS, SERVICES } from '#api/generated/resources.ts';
import { componentUser } from '#cluster/component-user.ts';
import { type Cluster, createCluster } from '#cluster/create-cluster.ts';
import { isForbidden } from '#machinery/errors/status-error.ts';

const NODE_1 = { username: 'system:node:node-1', groups: ['system:nodes', 'system:authenticated'] };

describe('each component has just its rights', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await createCluster({ nodes: 2 });
  });

  afterAll(() => cluster.stop());

  test('a node sees its own pods and its own node', async () => {
    const node = cluster.clientFor(NODE_1);
    await expect(node.list(PODS, { fieldSelector: 'spec.nodeName=node-1' })).resolves.toMatchObject({ items: [] });
    await expect(node.list(PODS, { fieldSelector: 'spec.nodeName=node-2' })).rejects.toThrow(
      'pods is forbidden: User "system:node:node-1" cannot list resource "pods" in API group "" at the cluster scope: ' +
        'can only list/watch pods with spec.nodeName field selector',
    );
    await expect(node.list(PODS, { fieldSelector: 'spec.nodeName!=node-1' })).rejects.toSatisfy(isForbidden);
    await expect(node.list(PODS)).rejects.toSatisfy(isForbidden);
    await expect(node.list(NODES)).rejects.toSatisfy(isForbidden);
    await expect(node.list(NODES, { fieldSelector: 'metadata.name=node-1' })).resolves.toBeDefined();
    await expect(node.get(NODES, { name: 'node-2' })).rejects.toSatisfy(isForbidden);
    await expect(node.delete(NODES, { name: 'node-1' })).rejects.toSatisfy(isForbidden);
    await expect(node.list(SECRETS, { namespace: 'default' })).rejects.toSatisfy(isForbidden);
  });

  test('proxy, DNS and simulator read what they need and no more', async () => {
    const [proxy, dns, simulator] = ['system:kube-proxy', 'system:coredns', 'system:node-simulator'].map((name) =>
      cluster.clientFor(componentUser(name)),
    );
    await expect(proxy?.list(SERVICES)).resolves.toBeDefined();
    await expect(dns?.list(SERVICES)).resolves.toBeDefined();
    await expect(simulator?.list(PODS)).resolves.toBeDefined();
    for (const other of [proxy, dns]) await expect(other?.list(PODS)).rejects.toSatisfy(isForbidden);
    await expect(dns?.list(NODES)).rejects.toSatisfy(isForbidden);
    for (const client of [proxy, dns, simulator]) {
      await expect(client?.list(SECRETS)).rejects.toSatisfy(isForbidden);
      await expect(client?.delete(PODS, { namespace: 'default', name: 'x' })).rejects.toSatisfy(isForbidden);
    }
  });

  test('only the group of administrators is bound to everything', async () => {
    const { items } = await cluster.client.list(CLUSTER_ROLE_BINDINGS);
    const subjects = items
      .filter(({ roleRef }) => roleRef.name === 'cluster-admin')
      .flatMap((binding) => binding.subjects ?? [])
      .map(({ kind, name }) => `${kind} ${name}`);
    expect(subjects.toSorted()).toEqual(['Group kubeadm:cluster-admins', 'Group system:masters']);
  });

  test('every namespace has the certificate that its pods trust', async () => {
    for (const namespace of ['default', 'kube-system']) {
      const found = await cluster.client.get(CONFIG_MAPS, { namespace, name: 'kube-root-ca.crt' });
      expect(found.data?.['ca.crt']).toContain('BEGIN CERTIFICATE');
    }
  });
});
