import { forbidden } from '#machinery/errors/status-error.ts';
import type { AuthorizationAttributes, Authorizer, RequestContext, Stage } from '../types.ts';

/** Asks whether this user may do this; 403 in upstream's words where not. */
export function authorization(authorizer: Authorizer): Stage {
  return async (context, next) => {
    const attributes = attributesOf(context);
    const answer = authorizer.authorize(attributes);
    const decision = answer instanceof Promise ? await answer : answer;
    context.auditAnnotations.set('authorization.k8s.io/decision', decision.type === 'allow' ? 'allow' : 'forbid');
    if (decision.reason !== '') context.auditAnnotations.set('authorization.k8s.io/reason', decision.reason);
    if (decision.type === 'allow') return next();
    const { group, resource, name } = context.info;
    throw forbidden({ group, resource, name }, forbiddenText(attributes, decision.reason));
  };
}

export function attributesOf({ info, user }: Pick<RequestContext, 'info' | 'user'>): AuthorizationAttributes {
  return {
    user,
    verb: info.verb,
    isResourceRequest: info.isResourceRequest,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    path: info.path,
  };
}

export function forbiddenText(attributes: AuthorizationAttributes, reason: string): string {
  const text = refusal(attributes);
  return reason === '' ? text : `${text}: ${reason}`;
}

function refusal({ user, verb, isResourceRequest, path, group, namespace, ...rest }: AuthorizationAttributes): string {
  const subject = `User ${JSON.stringify(user.username)} cannot ${verb}`;
  if (!isResourceRequest) return `${subject} path ${JSON.stringify(path)}`;
  const resource = rest.subresource === '' ? rest.resource : `${rest.resource}/${rest.subresource}`;
  const what = `${subject} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)}`;
  return namespace === '' ? `${what} at the cluster scope` : `${what} in the namespace ${JSON.stringify(namespace)}`;
}
