import type { RequestContext, RequestInfo } from '../pipeline/types.ts';

const VERBS: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
};

export const RESOURCE_LABELS = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const;

/** The labels that upstream gives every metric about requests. */
export type ResourceLabels = Readonly<Record<(typeof RESOURCE_LABELS)[number], string>>;

export function resourceLabels({ info, request }: RequestContext): ResourceLabels {
  const { verb, group, version, resource, subresource } = info;
  return {
    verb: isApply({ verb, request }) ? 'APPLY' : (VERBS[verb] ?? verb.toUpperCase()),
    group,
    version,
    resource,
    subresource: info.isResourceRequest ? subresource : info.path,
    scope: scopeOf(info),
    component: 'apiserver',
  };
}

/** One text per label set, cheaper than the labels themselves. */
export function labelsKey({ info, request }: RequestContext): string {
  const { verb, group, version, resource, subresource } = info;
  const type = isApply({ verb, request }) ? 'apply' : '';
  const where = info.isResourceRequest ? subresource : info.path;
  return `${verb} ${group}/${version}/${resource}/${where} ${scopeOf(info)} ${type}`;
}

function isApply({ verb, request }: { verb: string; request: RequestContext['request'] }): boolean {
  return verb === 'patch' && (request.headers['content-type'] ?? '').startsWith('application/apply-patch');
}

function scopeOf({ isResourceRequest, name, namespace }: RequestInfo): string {
  if (!isResourceRequest) return '';
  return name !== '' ? 'resource' : namespace !== '' ? 'namespace' : 'cluster';
}
