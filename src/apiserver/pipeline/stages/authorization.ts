import type { Clock } from '#machinery/clock/clock.ts';
import { forbidden } from '#machinery/errors/status-error.ts';
import { parseFieldSelector } from '#machinery/selectors/field-selector.ts';
import { parseLabelSelector, SelectorError } from '#machinery/selectors/label-selector.ts';
import type { SecurityMetrics } from '../../metrics/security-metrics.ts';
import type { AuthorizationAttributes, Authorizer, RequestContext, Stage } from '../types.ts';

/** Asks whether this user may do this; 403 in upstream's words where not. */
export function authorization(
  authorizer: Authorizer,
  { metrics, clock }: { metrics: SecurityMetrics; clock: Clock },
): Stage {
  return async (context, next) => {
    const attributes = attributesOf(context);
    const startedMs = clock.monotonic();
    const answer = authorizer.authorize(attributes);
    const decision = answer instanceof Promise ? await answer : answer;
    metrics.decided(decision.type, (clock.monotonic() - startedMs) / 1000);
    context.auditAnnotations.set('authorization.k8s.io/decision', decision.type === 'allow' ? 'allow' : 'forbid');
    if (decision.reason !== '') context.auditAnnotations.set('authorization.k8s.io/reason', decision.reason);
    if (decision.type === 'allow') return next();
    const { group, resource, name } = context.info;
    throw forbidden({ group, resource, name }, forbiddenText(attributes, decision.reason));
  };
}

export function attributesOf({
  info,
  user,
  request,
}: Pick<RequestContext, 'info' | 'user' | 'request'>): AuthorizationAttributes {
  return {
    ...(SELECTING_VERBS.has(info.verb) && info.isResourceRequest ? selectorsOf(request.query) : undefined),
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

// Elsewhere the server pays no heed to selectors, so they must not count here either.
const SELECTING_VERBS: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

/** Selectors that cannot be read are left out: the question is then about everything, and the request fails later. */
function selectorsOf(query: URLSearchParams): Pick<AuthorizationAttributes, 'fieldSelector' | 'labelSelector'> {
  const fields = query.get('fieldSelector');
  const labels = query.get('labelSelector');
  const fieldSelector = fields === null ? undefined : readable(() => parseFieldSelector(fields).terms);
  const labelSelector = labels === null ? undefined : readable(() => parseLabelSelector(labels).requirements);
  return {
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
}

function readable<T>(parse: () => readonly T[]): readonly T[] | undefined {
  try {
    const terms = parse();
    return terms.length === 0 ? undefined : terms;
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
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
