import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, SERVICES } from '#api/generated/resources.ts';
import type { ClusterRole, ClusterRoleBinding, Service } from '#api/generated/types.ts';
import type { Client, ResourceType } from '#client/client.ts';
import { isAlreadyExists, isNotFound } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

const DNS_ROLE = 'system:coredns';

/** What the agents of nodes need besides upstream's bootstrap policy: the DNS service and the right to answer it. */
export async function ensureAddons(client: Client, options: { clusterDns: string }): Promise<void> {
  const role: ClusterRole = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: DNS_ROLE, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
    rules: [
      { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ],
  };
  // The agent's proxy and DNS share their caches, and so their user.
  const binding: ClusterRoleBinding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: DNS_ROLE, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: DNS_ROLE },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'system:kube-proxy' }],
  };
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    },
    // Without a selector: every node's agent answers at this address itself.
    spec: {
      clusterIP: options.clusterDns,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
    },
  };
  await Promise.all([
    ensure(client, CLUSTER_ROLES, role),
    ensure(client, CLUSTER_ROLE_BINDINGS, binding),
    ensure(client, SERVICES, service),
  ]);
}

async function ensure<T extends KubeObject>(client: Client, resource: ResourceType<T>, object: T): Promise<void> {
  const { name = '', namespace } = object.metadata;
  try {
    await client.get(resource, namespace === undefined ? { name } : { name, namespace });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(resource, object).catch((cause: unknown) => {
      if (!isAlreadyExists(cause)) throw cause;
    });
  }
}
