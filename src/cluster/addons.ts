import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, SERVICES } from '#api/generated/resources.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Service } from '#api/generated/types.ts';
import type { Client, ResourceType } from '#client/client.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

/** The user that a node's DNS server acts as. */
export const DNS_USER = 'system:coredns';
/** The user that hands the pods of all simulated nodes of a process to their kubelets. */
export const SIMULATOR_USER = 'system:node-simulator';

const RBAC = 'rbac.authorization.k8s.io';
const LIST_WATCH = ['list', 'watch'];

/** Rights of components that upstream has not, or leaves to add-ons: each is a user with a role of the same name. */
const COMPONENT_RULES: Readonly<Record<string, PolicyRule[]>> = {
  [DNS_USER]: [
    { apiGroups: [''], resources: ['services', 'namespaces'], verbs: LIST_WATCH },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: LIST_WATCH },
  ],
  [SIMULATOR_USER]: [{ apiGroups: [''], resources: ['pods'], verbs: LIST_WATCH }],
};

/** What nodes need besides upstream's bootstrap policy: the DNS service, and the rights of their components. */
export async function ensureAddons(client: Client, options: { clusterDns: string }): Promise<void> {
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
  const rights = Object.entries(COMPONENT_RULES).map(([user, rules]) => ensureRights(client, user, rules));
  await Promise.all([...rights, ensure(client, SERVICES, service)]);
}

async function ensureRights(client: Client, user: string, rules: PolicyRule[]): Promise<void> {
  const apiVersion = `${RBAC}/v1`;
  const metadata = { name: user, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } };
  const role: ClusterRole = { apiVersion, kind: 'ClusterRole', metadata, rules };
  const binding: ClusterRoleBinding = {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata,
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: user },
    subjects: [{ apiGroup: RBAC, kind: 'User', name: user }],
  };
  await ensure(client, CLUSTER_ROLES, role, 'rules');
  await ensure(client, CLUSTER_ROLE_BINDINGS, binding, 'subjects');
}

/** Creates what is missing. `field` is kept as it is here, also in objects that an earlier version made. */
async function ensure<T extends KubeObject>(
  client: Client,
  resource: ResourceType<T>,
  object: T,
  field?: keyof T,
): Promise<void> {
  const { name = '', namespace } = object.metadata;
  const find = () =>
    client.get(resource, namespace === undefined ? { name } : { name, namespace }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  const current = await find();
  if (current !== undefined && (field === undefined || deepEqual(current[field], object[field]))) return;
  try {
    if (current === undefined || field === undefined) await client.create(resource, object);
    else await client.update(resource, { ...current, [field]: object[field] });
  } catch (error) {
    // Another control plane that starts at the same moment wrote the same, which may show as an address that is taken.
    if (isAlreadyExists(error) || isConflict(error)) return;
    if (current !== undefined || (await find()) === undefined) throw error;
  }
}
