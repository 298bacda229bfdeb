import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES } from '#api/generated/resources.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding, Subject } from '#api/generated/types.ts';
import type { Client, ResourceType } from '#client/client.ts';
import { isAlreadyExists, isConflict } from '#machinery/errors/status-error.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { objectKey } from '#machinery/meta/types.ts';
import { uncoveredRules } from '../rules.ts';
import { CLUSTER_ROLE_DATA, CLUSTER_ROLE_SUBJECTS, type RoleData } from './cluster-roles.ts';
import { CONTROLLER_ROLES } from './controller-roles.ts';
import { NAMESPACE_ROLES } from './namespace-roles.ts';

const GROUP = 'rbac.authorization.k8s.io';
const API_VERSION = `${GROUP}/v1`;
/** An administrator who sets this to "false" keeps an object from being reconciled. */
const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const LABELS = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
/** Writes under way at once: enough for the store to commit them in a few batches. */
const CONCURRENT_WRITES_MAX = 64;

/** Every role and binding a new cluster has. */
export function bootstrapPolicy(): {
  clusterRoles: ClusterRole[];
  clusterRoleBindings: ClusterRoleBinding[];
  roles: Role[];
  roleBindings: RoleBinding[];
} {
  const controllers = Object.entries(CONTROLLER_ROLES);
  const name = (controller: string) => `system:controller:${controller}`;
  return {
    clusterRoles: [
      ...Object.entries(CLUSTER_ROLE_DATA).map(([role, data]) => clusterRole(role, data)),
      ...controllers.map(([controller, rules]) => clusterRole(name(controller), { rules })),
    ],
    clusterRoleBindings: [
      ...Object.entries(CLUSTER_ROLE_SUBJECTS).map(([binding, { role = binding, subjects }]) =>
        clusterRoleBinding(binding, role, subjects),
      ),
      ...controllers.map(([controller]) =>
        clusterRoleBinding(name(controller), name(controller), [`s:kube-system/${controller}`]),
      ),
    ],
    roles: NAMESPACE_ROLES.map(({ namespace, name: role, rules }) => ({
      kind: 'Role',
      apiVersion: API_VERSION,
      metadata: { ...metadata(role), namespace },
      rules: [...rules],
    })),
    roleBindings: NAMESPACE_ROLES.map(({ namespace, name: role, bindingName = role, subjects }) => ({
      kind: 'RoleBinding',
      apiVersion: API_VERSION,
      metadata: { ...metadata(bindingName), namespace },
      subjects: subjects.map(subject),
      roleRef: { apiGroup: GROUP, kind: 'Role', name: role },
    })),
  };
}

/**
 * Brings the stored policy up to date at start: creates what is missing and adds permissions and subjects that were
 * lost, never takes any away. The namespaces kube-system and kube-public must exist. Needs four reads where nothing
 * is to be done.
 */
export async function ensureBootstrapPolicy(client: Client): Promise<{ written: number }> {
  const wanted = bootstrapPolicy();
  const [clusterRoles, clusterRoleBindings, roles, roleBindings] = await Promise.all([
    plan(client, CLUSTER_ROLES, wanted.clusterRoles, mergeRole),
    plan(client, CLUSTER_ROLE_BINDINGS, wanted.clusterRoleBindings, mergeBinding),
    plan(client, ROLES, wanted.roles, mergeRole),
    plan(client, ROLE_BINDINGS, wanted.roleBindings, mergeBinding),
  ]);
  // A binding is only as good as its role; readers must never see it first.
  const writes = [...clusterRoles, ...roles];
  const later = [...clusterRoleBindings, ...roleBindings];
  await runAll(writes);
  await runAll(later);
  return { written: writes.length + later.length };
}

type Write = () => Promise<unknown>;

async function plan<T extends ClusterRole | ClusterRoleBinding | Role | RoleBinding>(
  client: Client,
  resource: ResourceType<T>,
  wanted: readonly T[],
  merge: (current: T, wanted: T) => T,
): Promise<Write[]> {
  const stored = await client.list(resource);
  const byKey = new Map(stored.items.map((item) => [objectKey(item), item]));
  const writes: Write[] = [];
  for (const object of wanted) {
    const current = byKey.get(objectKey(object));
    if (current === undefined) {
      writes.push(() => client.create(resource, object));
      continue;
    }
    if (current.metadata.annotations?.[AUTOUPDATE] === 'false') continue;
    const merged = merge(current, object);
    if (!deepEqual(merged, current)) writes.push(() => client.update(resource, merged));
  }
  return writes;
}

async function runAll(writes: readonly Write[]): Promise<void> {
  const queue = [...writes];
  const worker = async () => {
    for (let write = queue.shift(); write !== undefined; write = queue.shift()) {
      try {
        await write();
      } catch (error) {
        // Another control plane that starts at the same moment wrote the same.
        if (!isAlreadyExists(error) && !isConflict(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT_WRITES_MAX, queue.length) }, worker));
}

function mergeRole<T extends ClusterRole | Role>(current: T, wanted: T): T {
  const merged = withMetadata(current, wanted);
  const aggregation = 'aggregationRule' in wanted ? wanted.aggregationRule : undefined;
  // The rules of an aggregated role belong to the aggregation controller.
  if (aggregation !== undefined) {
    return 'aggregationRule' in current ? merged : { ...merged, aggregationRule: aggregation };
  }
  const missing = (wanted.rules ?? []).filter((rule) => uncoveredRules(current.rules ?? [], [rule]).length > 0);
  return missing.length === 0 ? merged : { ...merged, rules: [...(current.rules ?? []), ...missing] };
}

function mergeBinding<T extends ClusterRoleBinding | RoleBinding>(current: T, wanted: T): T {
  const merged = withMetadata(current, wanted);
  const known = new Set((current.subjects ?? []).map(subjectKey));
  const missing = (wanted.subjects ?? []).filter((entry) => !known.has(subjectKey(entry)));
  return missing.length === 0 ? merged : { ...merged, subjects: [...(current.subjects ?? []), ...missing] };
}

function subjectKey({ kind, namespace = '', name }: Subject): string {
  return `${kind}/${namespace}/${name}`;
}

function withMetadata<T extends ClusterRole | ClusterRoleBinding | Role | RoleBinding>(current: T, wanted: T): T {
  return {
    ...current,
    metadata: {
      ...current.metadata,
      labels: { ...current.metadata.labels, ...wanted.metadata.labels },
      annotations: { ...current.metadata.annotations, ...wanted.metadata.annotations },
    },
  };
}

function metadata(name: string): ClusterRole['metadata'] {
  return { name, annotations: { [AUTOUPDATE]: 'true' }, labels: { ...LABELS } };
}

function clusterRole(name: string, { rules, labels, aggregates }: RoleData): ClusterRole {
  const base = metadata(name);
  return {
    kind: 'ClusterRole',
    apiVersion: API_VERSION,
    metadata: { ...base, labels: { ...base.labels, ...labels } },
    ...(aggregates && {
      aggregationRule: {
        clusterRoleSelectors: aggregates.map((label) => ({ matchLabels: { [label]: 'true' } })),
      },
    }),
    rules: [...rules],
  };
}

function clusterRoleBinding(name: string, role: string, subjects: readonly string[]): ClusterRoleBinding {
  return {
    kind: 'ClusterRoleBinding',
    apiVersion: API_VERSION,
    metadata: metadata(name),
    ...(subjects.length > 0 && { subjects: subjects.map(subject) }),
    roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name: role },
  };
}

function subject(text: string): Subject {
  const name = text.slice(2);
  if (text.startsWith('g:')) return { apiGroup: GROUP, kind: 'Group', name };
  if (text.startsWith('u:')) return { apiGroup: GROUP, kind: 'User', name };
  const [namespace = '', account = ''] = name.split('/');
  return { kind: 'ServiceAccount', name: account, namespace };
}
