/** What a request to the kubelet means. */
export type KubeletRoute =
  | { readonly type: 'healthz' }
  | { readonly type: 'pods' }
  | { readonly type: 'runningPods' }
  | { readonly type: 'stats' }
  | { readonly type: 'metrics'; readonly what: 'kubelet' | 'resource' | 'cadvisor' | 'probes' }
  /** Files of the node's log directory; the path begins with a slash. */
  | { readonly type: 'nodeLogs'; readonly path: string }
  | { readonly type: 'logs'; readonly target: ContainerTarget }
  | { readonly type: 'exec'; readonly target: ContainerTarget }
  | { readonly type: 'attach'; readonly target: ContainerTarget }
  | { readonly type: 'run'; readonly target: ContainerTarget }
  | { readonly type: 'portForward'; readonly target: PodTarget };

export interface PodTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly uid?: string;
}

export interface ContainerTarget extends PodTarget {
  readonly container: string;
}

/** Reads the path; undefined where the kubelet has nothing there. */
export function parseRoute(path: string): KubeletRoute | undefined {
  const parts = decodedParts(path);
  if (parts === undefined) return undefined;
  const [first = '', ...rest] = parts;
  switch (first) {
    case 'healthz':
      return { type: 'healthz' };
    case 'pods':
      return rest.length === 0 ? { type: 'pods' } : undefined;
    case 'runningpods':
      return { type: 'runningPods' };
    case 'stats':
      return rest[0] === 'summary' ? { type: 'stats' } : undefined;
    case 'metrics':
      return metricsRoute(rest[0]);
    case 'logs':
      return { type: 'nodeLogs', path: `/${rest.join('/')}${rest.length > 0 && path.endsWith('/') ? '/' : ''}` };
    case 'containerLogs': {
      const target = containerTarget(rest, { withUid: false });
      return target === undefined ? undefined : { type: 'logs', target };
    }
    case 'exec':
    case 'attach':
    case 'run': {
      const target = containerTarget(rest, { withUid: true });
      return target === undefined ? undefined : { type: first, target };
    }
    case 'portForward': {
      const [namespace, pod, uid] = rest;
      if (namespace === undefined || pod === undefined || rest.length > 3) return undefined;
      return { type: 'portForward', target: { namespace, pod, ...(uid === undefined ? {} : { uid }) } };
    }
    default:
      return undefined;
  }
}

/** The parts of a path; undefined where one is badly escaped. */
function decodedParts(path: string): string[] | undefined {
  try {
    return path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Under which parts of `nodes` the API server is asked about it, in turn: one of them allowed is enough. */
export function actionOf(route: KubeletRoute, method: string): { verb: string; subresources: readonly string[] } {
  const verbs: Record<string, string> = { GET: 'get', HEAD: 'get', POST: 'create', PUT: 'update', DELETE: 'delete' };
  const verb = verbs[method] ?? 'get';
  switch (route.type) {
    case 'stats':
    case 'metrics':
      return { verb, subresources: [route.type] };
    case 'nodeLogs':
      return { verb, subresources: ['log'] };
    case 'pods':
    case 'healthz':
      return { verb, subresources: [route.type, 'proxy'] };
    default:
      return { verb, subresources: ['proxy'] };
  }
}

function metricsRoute(what: string | undefined): KubeletRoute | undefined {
  if (what === undefined) return { type: 'metrics', what: 'kubelet' };
  return what === 'resource' || what === 'cadvisor' || what === 'probes' ? { type: 'metrics', what } : undefined;
}

/** `NAMESPACE/POD/CONTAINER`, or `NAMESPACE/POD/UID/CONTAINER` where a uid is known. */
function containerTarget(parts: readonly string[], options: { withUid: boolean }): ContainerTarget | undefined {
  const [namespace, pod, third, fourth] = parts;
  if (namespace === undefined || pod === undefined || third === undefined) return undefined;
  if (parts.length === 3) return { namespace, pod, container: third };
  if (parts.length !== 4 || fourth === undefined || !options.withUid) return undefined;
  return { namespace, pod, uid: third, container: fourth };
}
