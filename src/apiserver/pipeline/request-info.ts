import type { RequestInfo } from './types.ts';

const VERB_OF_METHOD: ReadonlyMap<string, string> = new Map([
  ['POST', 'create'],
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
]);

/** Parts of a namespace itself, as opposed to resources inside it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

/** What a method and path mean, by the rules of upstream's RequestInfoFactory. */
export function parseRequestInfo(request: {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}): RequestInfo {
  const { method, path, query } = request;
  const parts = splitPath(path);
  const isGroupless = parts[0] === 'api';
  if ((!isGroupless && parts[0] !== 'apis') || parts.length < (isGroupless ? 3 : 4)) return nonResource(method, path);
  const group = isGroupless ? '' : (parts[1] ?? '');
  const version = parts[isGroupless ? 1 : 2] ?? '';
  let rest = parts.slice(isGroupless ? 2 : 3);
  let verb = VERB_OF_METHOD.get(method) ?? '';
  if (rest[0] === 'watch') {
    // The deprecated form: /api/v1/watch/pods.
    if (rest.length < 2) return nonResource(method, path);
    verb = 'watch';
    rest = rest.slice(1);
  }
  let namespace = '';
  if (rest[0] === 'namespaces' && rest.length > 1) {
    namespace = rest[1] ?? '';
    if (rest.length > 2 && !NAMESPACE_SUBRESOURCES.has(rest[2] ?? '')) rest = rest.slice(2);
  }
  const name = rest[1] ?? '';
  if (name === '') verb = collectionVerb(verb, query);
  return {
    isResourceRequest: true,
    path,
    verb,
    group,
    version,
    resource: rest[0] ?? '',
    subresource: rest[2] ?? '',
    namespace,
    name: name === '' && (verb === 'list' || verb === 'watch') ? selectedName(query) : name,
    rest: rest.slice(3),
  };
}

function collectionVerb(verb: string, query: URLSearchParams): string {
  if (verb === 'get') return isTrue(query.get('watch')) ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** How upstream reads a boolean parameter: present and neither `false` nor `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0';
}

// Authorization by name holds for lists and watches that select exactly one name.
function selectedName(query: URLSearchParams): string {
  const selector = query.get('fieldSelector');
  if (selector === null) return '';
  const match = /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(selector);
  return match?.[1] ?? '';
}

function nonResource(method: string, path: string): RequestInfo {
  return {
    isResourceRequest: false,
    path,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    rest: [],
  };
}

/** The parts of a path between its slashes, without those at its ends. */
export function splitPath(path: string): string[] {
  // By hand: a pattern that is anchored at the end takes quadratic time over many slashes.
  let start = 0;
  let end = path.length;
  while (start < end && path.charCodeAt(start) === SLASH) start += 1;
  while (end > start && path.charCodeAt(end - 1) === SLASH) end -= 1;
  return start === end ? [] : path.slice(start, end).split('/');
}

const SLASH = 0x2f;
