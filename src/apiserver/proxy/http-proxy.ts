import type { EndpointSlice, Pod, Service } from '#api/generated/types.ts';
import { badRequest, notFound, serviceUnavailable } from '#machinery/errors/status-error.ts';
import type { Random } from '#machinery/random/random.ts';
import type { ApiRequest, ApiResponse, Handler, RequestContext } from '../pipeline/types.ts';
import type { ResourceView } from '../server-parts.ts';
import type { Forwarder, HttpTarget } from './forward.ts';
import { kubeletConnection, type KubeletDeps } from './kubelet-connection.ts';

export interface HttpProxyDeps {
  readonly view: (group: string, resource: string) => ResourceView;
  readonly kubelets: KubeletDeps;
  readonly forwarder: Forwarder;
  readonly random: Random;
}

type Place = Omit<HttpTarget, 'path'>;

/** Handlers of pods/proxy, services/proxy and nodes/proxy: HTTP to what runs in the cluster, upgrades included. */
export function httpProxyHandlers(deps: HttpProxyDeps): Map<string, Handler> {
  const { forwarder } = deps;
  return new Map<string, Handler>([
    ['/pods/proxy', (context) => pass(context, podPlace(context, deps), forwarder)],
    ['/services/proxy', (context) => pass(context, servicePlace(context, deps), forwarder)],
    ['/nodes/proxy', (context) => passToNode(context, deps)],
  ]);
}

function pass(context: RequestContext, place: Place, forwarder: Forwarder): Promise<ApiResponse> {
  const redirect = slashRedirect(context);
  if (redirect !== undefined) return Promise.resolve(redirect);
  return forwarder.forward(context.request, { ...place, path: `${targetPath(context)}${search(context.request)}` });
}

function passToNode(context: RequestContext, deps: HttpProxyDeps): Promise<ApiResponse> {
  const { scheme, name, port } = splitName(context.info.name);
  const connection = kubeletConnection(name, deps.kubelets);
  if (connection.type === 'local') {
    return connection.kubelet.handle({ ...plainRequest(context.request), path: targetPath(context) });
  }
  const { target } = connection;
  const isKubelet = port === '' || Number(port) === target.port;
  if (isKubelet) return pass(context, target, deps.forwarder);
  return pass(context, { scheme: scheme ?? 'http', host: target.host, port: portNumber(port) }, deps.forwarder);
}

/** Relative links on a page need the slash; upstream asks browsers to come again with it. */
function slashRedirect({ request, info }: RequestContext): ApiResponse | undefined {
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  if (info.rest.length > 0 || request.path.endsWith('/') || !isReading || request.upgrade !== undefined) {
    return undefined;
  }
  const location = `${encodeURI(request.path)}/${search(request)}`;
  return { type: 'bytes', status: 301, headers: { location }, body: [] };
}

function targetPath({ request, info }: RequestContext): string {
  const rest = info.rest.filter((segment) => segment !== '');
  const path = `/${rest.map(encodeURIComponent).join('/')}`;
  return request.path.endsWith('/') && rest.length > 0 ? `${path}/` : path;
}

function search({ query }: ApiRequest): string {
  return query.size === 0 ? '' : `?${query.toString()}`;
}

function podPlace({ info }: RequestContext, deps: HttpProxyDeps): Place {
  const { scheme, name, port } = splitName(info.name);
  // Safe: the view holds Pods.
  const pod = deps.view('', 'pods').get(name, info.namespace) as Pod | undefined;
  if (pod === undefined) throw notFound({ group: '', resource: 'pods', name });
  const host = pod.status?.podIP ?? '';
  if (host === '') throw badRequest('address not allowed');
  const first = pod.spec?.containers.find((container) => (container.ports ?? []).length > 0)?.ports?.[0];
  const fallback = scheme === 'https' ? 443 : 80;
  return {
    scheme: scheme ?? 'http',
    host,
    port: port === '' ? (first?.containerPort ?? fallback) : portNumber(port),
  };
}

function servicePlace({ info }: RequestContext, deps: HttpProxyDeps): Place {
  const { scheme, name, port } = splitName(info.name);
  // Safe: the view holds Services.
  const service = deps.view('', 'services').get(name, info.namespace) as Service | undefined;
  if (service === undefined) throw notFound({ group: '', resource: 'services', name });
  const portName = servicePortName(service, { name, port });
  const found: { host: string; port: number }[] = [];
  for (const object of deps.view('discovery.k8s.io', 'endpointslices').list(info.namespace)) {
    // Safe: the view holds EndpointSlices.
    const slice = object as EndpointSlice;
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
    const target = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
    if (target === undefined) continue;
    for (const { conditions, addresses } of slice.endpoints ?? []) {
      if (conditions?.ready !== false && addresses[0] !== undefined) found.push({ host: addresses[0], port: target });
    }
  }
  const chosen = found[deps.random.int(Math.max(1, found.length))];
  if (chosen === undefined) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return { scheme: scheme ?? 'http', ...chosen };
}

/** Endpoints know ports by name; a number names the service's own port. */
function servicePortName(service: Service, { name, port }: { name: string; port: string }): string {
  const ports = service.spec?.ports ?? [];
  if (port === '') return ports.length === 1 ? (ports[0]?.name ?? '') : '';
  if (!/^\d+$/.test(port)) return port;
  const found = ports.find((candidate) => candidate.port === Number(port));
  if (found === undefined) {
    throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
  }
  return found.name ?? '';
}

/** `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`. */
export function splitName(text: string): { scheme?: 'http' | 'https'; name: string; port: string } {
  const parts = text.split(':');
  const [first = '', second = '', third = ''] = parts;
  if (parts.length === 1) return { name: first, port: '' };
  if (parts.length === 2) return { name: first, port: second };
  if (parts.length === 3 && (first === 'http' || first === 'https' || first === '')) {
    return { ...(first !== '' && { scheme: first }), name: second, port: third };
  }
  throw badRequest(`invalid service request ${JSON.stringify(text)}`);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badRequest(`invalid port ${JSON.stringify(text)}`);
  return port;
}

function plainRequest(request: ApiRequest): ApiRequest {
  const { method, path, query, headers, readBody, signal, upgrade, bodyStream } = request;
  return {
    method,
    path,
    query,
    headers,
    readBody,
    signal,
    ...(upgrade && { upgrade }),
    ...(bodyStream && { bodyStream }),
  };
}
