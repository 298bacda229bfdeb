import type { PolicyRule } from '#api/generated/types.ts';
import type {
  AuthorizationAttributes,
  AuthorizationDecision,
  Authorizer,
  PolicyRuleView,
  UserInfo,
} from '../pipeline/types.ts';
import { type Grant, type RbacIndex } from './rbac-index.ts';
import { ruleAllows } from './rules.ts';

/** Role-based access control over an index of roles and bindings. Only ever allows or has no opinion. */
export class RbacAuthorizer implements Authorizer {
  readonly #index: RbacIndex;

  constructor(index: RbacIndex) {
    this.#index = index;
  }

  authorize(request: AuthorizationAttributes): AuthorizationDecision {
    const missing: string[] = [];
    const namespace = request.isResourceRequest ? request.namespace : '';
    for (const grant of this.#index.grantsFor(request.user, namespace)) {
      const rules = this.#index.rulesOf(grant.roleRef, grant.namespace);
      if (rules === undefined) {
        missing.push(missingRole(grant));
      } else if (rules.some((rule) => ruleAllows(rule, request))) {
        return { type: 'allow', reason: allowReason(grant) };
      }
    }
    return { type: 'noOpinion', reason: missing.length === 0 ? '' : `RBAC: ${list(missing)}` };
  }

  /** Every rule the user has, for escalation checks. */
  policyRules(user: UserInfo, namespace: string): PolicyRule[] {
    const rules: PolicyRule[] = [];
    for (const grant of this.#index.grantsFor(user, namespace)) {
      rules.push(...(this.#index.rulesOf(grant.roleRef, grant.namespace) ?? []));
    }
    return rules;
  }

  /** The rules of a role that a binding in `namespace` (empty: cluster-wide) names. */
  rulesOfRole(roleRef: Grant['roleRef'], namespace: string): readonly PolicyRule[] | undefined {
    return this.#index.rulesOf(roleRef, namespace);
  }

  rulesFor(user: UserInfo, namespace: string): ReturnType<Authorizer['rulesFor']> {
    const resourceRules: PolicyRuleView[] = [];
    const nonResourceRules: { verbs: readonly string[]; nonResourceURLs: readonly string[] }[] = [];
    for (const rule of this.policyRules(user, namespace)) {
      if ((rule.resources ?? []).length > 0) {
        resourceRules.push({
          verbs: rule.verbs,
          apiGroups: rule.apiGroups ?? [],
          resources: rule.resources ?? [],
          ...(rule.resourceNames === undefined ? {} : { resourceNames: rule.resourceNames }),
        });
      }
      if ((rule.nonResourceURLs ?? []).length > 0) {
        nonResourceRules.push({ verbs: rule.verbs, nonResourceURLs: rule.nonResourceURLs ?? [] });
      }
    }
    return { resourceRules, nonResourceRules };
  }
}

function allowReason(grant: Grant): string {
  const role = `${grant.roleRef.kind} "${grant.roleRef.name}"`;
  return `RBAC: allowed by ${grant.bindingKind} "${grant.bindingName}" of ${role} to ${grant.subject}`;
}

function missingRole({ roleRef }: Grant): string {
  const resource = roleRef.kind === 'ClusterRole' ? 'clusterrole' : 'role';
  return `${resource}.rbac.authorization.k8s.io "${roleRef.name}" not found`;
}

/** As upstream prints several errors at once. */
function list(texts: readonly string[]): string {
  const unique = [...new Set(texts)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
}
