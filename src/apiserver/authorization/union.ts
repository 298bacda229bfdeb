import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from '../pipeline/types.ts';

export const PRIVILEGED_GROUP = 'system:masters';

/** `system:masters` may do everything, whatever the policy says: the way back in when RBAC is broken. */
export function privilegedAuthorizer(): Authorizer {
  return {
    authorize: ({ user }) =>
      user.groups.includes(PRIVILEGED_GROUP) ? { type: 'allow', reason: '' } : { type: 'noOpinion', reason: '' },
    rulesFor: (user) =>
      user.groups.includes(PRIVILEGED_GROUP)
        ? {
            resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          }
        : { resourceRules: [], nonResourceRules: [] },
  };
}

/** Asks each in order; the first that allows or denies decides. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize: (request) => decide(authorizers, request),
    rulesFor: (user, namespace) => {
      const all = authorizers.map((authorizer) => authorizer.rulesFor(user, namespace));
      return {
        resourceRules: all.flatMap((rules) => rules.resourceRules),
        nonResourceRules: all.flatMap((rules) => rules.nonResourceRules),
      };
    },
  };
}

function decide(
  authorizers: readonly Authorizer[],
  request: AuthorizationAttributes,
): AuthorizationDecision | Promise<AuthorizationDecision> {
  const reasons: string[] = [];
  for (const [index, authorizer] of authorizers.entries()) {
    const decision = authorizer.authorize(request);
    if (decision instanceof Promise) return decideRest(decision, { authorizers, request, index, reasons });
    if (decision.type !== 'noOpinion') return decision;
    if (decision.reason !== '') reasons.push(decision.reason);
  }
  return { type: 'noOpinion', reason: reasons.join('\n') };
}

async function decideRest(
  first: Promise<AuthorizationDecision>,
  rest: { authorizers: readonly Authorizer[]; request: AuthorizationAttributes; index: number; reasons: string[] },
): Promise<AuthorizationDecision> {
  const decision = await first;
  if (decision.type !== 'noOpinion') return decision;
  if (decision.reason !== '') rest.reasons.push(decision.reason);
  const next = await decide(rest.authorizers.slice(rest.index + 1), rest.request);
  if (next.type !== 'noOpinion') return next;
  return { type: 'noOpinion', reason: [...rest.reasons, next.reason].filter((text) => text !== '').join('\n') };
}
