import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import { forbidden, notFound, type StatusError } from '#machinery/errors/status-error.ts';
import type { AdmissionPlugin, AdmissionRequest, AuthorizationAttributes, Authorizer } from '../pipeline/types.ts';
import type { RbacAuthorizer } from './rbac.ts';
import { compactRules, describeRule, uncoveredRules } from './rules.ts';
import { PRIVILEGED_GROUP } from './union.ts';

const GROUP = 'rbac.authorization.k8s.io';

/**
 * Nobody may grant more than they hold: writing a role needs all its permissions (or the verb `escalate`), writing a
 * binding all of its role's (or the verb `bind`).
 */
export function rbacEscalationCheck(deps: { rbac: RbacAuthorizer; authorizer: Authorizer }): AdmissionPlugin {
  return {
    name: 'RBACEscalation',
    validate: async (request) => {
      const { info, operation, user } = request;
      if (info.group !== GROUP || info.subresource !== '') return;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return;
      if (user.groups.includes(PRIVILEGED_GROUP)) return;
      if (info.resource === 'roles' || info.resource === 'clusterroles') await checkRole(request, deps);
      if (info.resource === 'rolebindings' || info.resource === 'clusterrolebindings') {
        await checkBinding(request, deps);
      }
    },
  };
}

type Deps = { rbac: RbacAuthorizer; authorizer: Authorizer };

async function checkRole(request: AdmissionRequest, deps: Deps): Promise<void> {
  // Safe: requests for these resources carry roles.
  const role = request.object as Role | ClusterRole;
  const old = request.oldObject as Role | ClusterRole | undefined;
  const rules = role.rules ?? [];
  const aggregation = 'aggregationRule' in role ? role.aggregationRule : undefined;
  const oldAggregation = old !== undefined && 'aggregationRule' in old ? old.aggregationRule : undefined;
  const isSame = old !== undefined && deepEqual(old.rules ?? [], rules) && deepEqual(oldAggregation, aggregation);
  if (isSame || (await mayUseVerb(request, 'escalate', deps))) return;
  if (aggregation !== undefined && !deepEqual(aggregation, oldAggregation)) {
    const everything: PolicyRule[] = [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ];
    if (uncoveredRules(deps.rbac.policyRules(request.user, ''), everything).length > 0) {
      throw refusal(request, 'must have cluster-admin privileges to use an aggregationRule');
    }
  }
  checkCovered(request, rules, deps);
}

async function checkBinding(request: AdmissionRequest, deps: Deps): Promise<void> {
  // Safe: requests for these resources carry bindings.
  const binding = request.object as RoleBinding | ClusterRoleBinding;
  const old = request.oldObject as RoleBinding | ClusterRoleBinding | undefined;
  if (old !== undefined && deepEqual(old.roleRef, binding.roleRef) && deepEqual(old.subjects, binding.subjects)) return;
  const { roleRef } = binding;
  const resource = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  const bind = attributes(request, { verb: 'bind', resource, name: roleRef.name });
  if ((await deps.authorizer.authorize(bind)).type === 'allow') return;
  const rules = deps.rbac.rulesOfRole(roleRef, request.info.namespace);
  if (rules === undefined) throw notFound({ group: GROUP, resource: resource.slice(0, -1), name: roleRef.name });
  checkCovered(request, rules, deps);
}

function checkCovered(request: AdmissionRequest, wanted: readonly PolicyRule[], { rbac }: Deps): void {
  const owned = rbac.policyRules(request.user, request.info.namespace);
  const gained = uncoveredRules(owned, wanted);
  if (gained.length === 0) return;
  const { username, groups } = request.user;
  const who = `user ${JSON.stringify(username)} (groups=[${groups.map((group) => JSON.stringify(group)).join(' ')}])`;
  const list = compactRules(gained).map(describeRule).sort();
  throw refusal(request, `${who} is attempting to grant RBAC permissions not currently held:\n${list.join('\n')}`);
}

async function mayUseVerb(request: AdmissionRequest, verb: string, { authorizer }: Deps): Promise<boolean> {
  const { resource, name } = request.info;
  const decision = await authorizer.authorize(
    attributes(request, { verb, resource, name: request.object?.metadata.name ?? name }),
  );
  return decision.type === 'allow';
}

function attributes(
  { user, info }: AdmissionRequest,
  question: { verb: string; resource: string; name: string },
): AuthorizationAttributes {
  return {
    user,
    isResourceRequest: true,
    group: GROUP,
    version: 'v1',
    subresource: '',
    namespace: info.namespace,
    path: '',
    ...question,
  };
}

function refusal({ info, object }: AdmissionRequest, detail: string): StatusError {
  return forbidden({ group: GROUP, resource: info.resource, name: object?.metadata.name ?? info.name }, detail);
}
