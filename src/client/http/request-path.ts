import type { DeleteOptions, GetOptions, ListOptions, ObjectName, ResourceType, WatchOptions } from '../client.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a request goes within its resource. */
export interface PathTarget {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** The path of a resource, an object or a subresource, with the query. Query parameters without a value are left out. */
export function requestPath(resource: ResourceType, target: PathTarget, query: Query = {}): string {
  const { group, version, namespaced } = resource;
  const parts = group === '' ? ['api', version] : ['apis', group, version];
  const { namespace, name, subresource } = target;
  if (namespaced && namespace !== undefined && namespace !== '') parts.push('namespaces', namespace);
  parts.push(resource.resource);
  if (name !== undefined) parts.push(name);
  // A subresource may have a path of its own: `proxy/a/b`.
  const tail = subresource === undefined ? '' : `/${subresource}`;
  return `/${parts.map(encodeURIComponent).join('/')}${tail}${queryText(query)}`;
}

export function objectPath(resource: ResourceType, { name, namespace }: ObjectName, options: GetOptions): string {
  const { resourceVersion, subresource } = options;
  return requestPath(resource, { namespace, name, subresource }, { resourceVersion });
}

export function listPath(resource: ResourceType, options: ListOptions): string {
  return requestPath(resource, { namespace: options.namespace }, listQuery(options));
}

export function watchPath(resource: ResourceType, options: WatchOptions): string {
  const { labelSelector, fieldSelector, resourceVersion, allowWatchBookmarks, timeoutSeconds, namespace } = options;
  return requestPath(
    resource,
    { namespace },
    { watch: true, labelSelector, fieldSelector, resourceVersion, allowWatchBookmarks, timeoutSeconds },
  );
}

export function listQuery(options: ListOptions): Query {
  const { labelSelector, fieldSelector, limit, resourceVersion, resourceVersionMatch } = options;
  return { labelSelector, fieldSelector, limit, continue: options.continue, resourceVersion, resourceVersionMatch };
}

/** The body of a DELETE. */
export function deleteBody(options: DeleteOptions): unknown {
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = options;
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(dryRun === true ? { dryRun: ['All'] } : {}),
  };
}

function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
