import type { Pod } from '#api/generated/types.ts';
import { parseTime } from '#machinery/clock/clock.ts';
import { badRequest, genericStatus, internalError, invalid, notFound } from '#machinery/errors/status-error.ts';
import { fieldErrorText, forbiddenValue, invalidValue, type FieldError } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { ApiRequest, ApiResponse, Handler, RequestContext } from '../pipeline/types.ts';
import type { ResourceView } from '../server-parts.ts';
import type { Forwarder } from './forward.ts';
import { kubeletConnection, type KubeletDeps } from './kubelet-connection.ts';

export interface PodStreamDeps {
  readonly pods: ResourceView;
  readonly kubelets: KubeletDeps;
  readonly forwarder: Forwarder;
  /** A WebSocket must be a GET, yet running a command is no reading: asks for `create` too. Throws 403. */
  readonly authorizeCreate: (context: RequestContext) => Promise<void>;
}

/** Handlers of pods/log, exec, attach and portforward: the node's kubelet answers, the server passes on. */
export function podStreamHandlers(deps: PodStreamDeps): Map<string, Handler> {
  return new Map<string, Handler>([
    ['/pods/log', (context) => readLog(context, deps)],
    ['/pods/exec', (context) => openStream(context, 'exec', deps)],
    ['/pods/attach', (context) => openStream(context, 'attach', deps)],
    ['/pods/portforward', (context) => openStream(context, 'portForward', deps)],
  ]);
}

/** An error text of a kubelet is not longer than this. */
const ERROR_BYTES_MAX = 50_000;

async function readLog(context: RequestContext, deps: PodStreamDeps): Promise<ApiResponse> {
  const { query } = context.request;
  const pod = findPod(context, deps);
  validateLogOptions(context);
  const container = chooseContainer(pod, query.get('container') ?? '');
  const nodeName = pod.spec?.nodeName ?? '';
  // Not on any node yet: there is nothing to read, which is no failure.
  if (nodeName === '') return { type: 'bytes', status: 204, headers: {}, body: [] };
  const passed = new URLSearchParams();
  for (const name of ['follow', 'previous', 'timestamps']) if (isTrue(query.get(name))) passed.set(name, 'true');
  for (const name of ['sinceSeconds', 'sinceTime', 'tailLines', 'limitBytes', 'stream']) {
    const value = query.get(name);
    if (value !== null && value !== '') passed.set(name, value);
  }
  const { namespace, name } = context.info;
  const path = `/containerLogs/${namespace}/${name}/${container}`;
  const response = await askKubelet(context.request, { nodeName, path, query: passed, hasUpgrade: false }, deps);
  return logResponse(response, name);
}

async function openStream(
  context: RequestContext,
  action: 'exec' | 'attach' | 'portForward',
  deps: PodStreamDeps,
): Promise<ApiResponse> {
  if (context.info.verb === 'get') await deps.authorizeCreate(context);
  const { request, info } = context;
  const { query } = request;
  const pod = findPod(context, deps);
  const passed = new URLSearchParams();
  let path = `/${action}/${info.namespace}/${info.name}`;
  if (action === 'portForward') {
    const ports = query.getAll('ports');
    if (ports.length > 0) passed.set('port', ports.join(','));
  } else {
    path += `/${chooseContainer(pod, query.get('container') ?? '')}`;
    const flags = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' };
    for (const [given, sent] of Object.entries(flags)) if (isTrue(query.get(given))) passed.set(sent, '1');
    for (const word of action === 'exec' ? query.getAll('command') : []) passed.append('command', word);
  }
  const nodeName = pod.spec?.nodeName ?? '';
  if (nodeName === '') throw badRequest(`pod ${info.name} does not have a host assigned`);
  if (request.upgrade === undefined) throw badRequest('Upgrade request required');
  return askKubelet(request, { nodeName, path, query: passed, hasUpgrade: true }, deps);
}

async function askKubelet(
  request: ApiRequest,
  question: { nodeName: string; path: string; query: URLSearchParams; hasUpgrade: boolean },
  deps: PodStreamDeps,
): Promise<ApiResponse> {
  const { nodeName, path, query, hasUpgrade } = question;
  const connection = kubeletConnection(nodeName, deps.kubelets);
  const forwarded: ApiRequest = {
    method: hasUpgrade ? request.method : 'GET',
    path,
    query,
    headers: hasUpgrade ? request.headers : {},
    readBody: request.readBody,
    signal: request.signal,
    ...(request.remoteAddress !== undefined && { remoteAddress: request.remoteAddress }),
    ...(hasUpgrade && request.upgrade !== undefined && { upgrade: request.upgrade }),
  };
  if (connection.type === 'local') return connection.kubelet.handle(forwarded);
  const search = query.size === 0 ? '' : `?${query.toString()}`;
  return deps.forwarder.forward(forwarded, { ...connection.target, path: `${encodeURI(path)}${search}` });
}

/** Log text as it comes; what is not log text becomes a Status. */
async function logResponse(response: ApiResponse, podName: string): Promise<ApiResponse> {
  if (response.type !== 'stream' && response.type !== 'bytes') throw internalError('a kubelet answered no log');
  if (response.status >= 200 && response.status <= 206) {
    const headers = { 'content-type': 'text/plain' };
    return response.type === 'bytes'
      ? { type: 'bytes', status: 200, headers, body: response.body }
      : { type: 'stream', status: 200, headers, body: response.body };
  }
  const text = await readText(response.body);
  switch (response.status) {
    case 500:
      throw internalError(new Error(text));
    case 400:
      throw badRequest(text);
    case 404:
      throw genericStatus(404, 'NotFound', `the server could not find the requested resource ( pods/log ${podName})`, {
        name: podName,
        kind: 'pods/log',
        causes: [],
      });
    default:
      throw genericStatus(response.status, 'Unknown', text);
  }
}

async function readText(body: AsyncIterable<Uint8Array> | readonly Uint8Array[]): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ERROR_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).subarray(0, ERROR_BYTES_MAX).toString().trimEnd();
}

function findPod({ info }: RequestContext, { pods }: PodStreamDeps): Pod {
  // Safe: the view holds Pods.
  const pod = pods.get(info.name, info.namespace) as Pod | undefined;
  if (pod === undefined) throw notFound({ group: '', resource: 'pods', name: info.name });
  return pod;
}

/** The container asked for, or the only one there is. */
export function chooseContainer(pod: Pod, asked: string): string {
  const name = pod.metadata.name ?? '';
  const containers = names(pod.spec?.containers);
  const initContainers = names(pod.spec?.initContainers);
  if (asked !== '') {
    const all = [...containers, ...initContainers, ...names(pod.spec?.ephemeralContainers)];
    if (!all.includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return asked;
  }
  const [only] = containers;
  if (only === undefined) throw badRequest(`a container name must be specified for pod ${name}`);
  if (containers.length === 1) return only;
  const init = initContainers.length === 0 ? '' : ` or one of the init containers: [${initContainers.join(' ')}]`;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${containers.join(' ')}]${init}`,
  );
}

function names(containers: readonly { name: string }[] = []): string[] {
  return containers.map(({ name }) => name);
}

function validateLogOptions({ request, info }: RequestContext): void {
  const { query } = request;
  const errors: FieldError[] = [];
  const number = (name: string) => integerOption(query, name);
  const atLeast = (name: string, least: number, detail: string) => {
    const value = number(name);
    if (value !== undefined && value < least) errors.push(invalidValue(new FieldPath(name), value, detail));
  };
  atLeast('tailLines', 0, 'must be greater than or equal to 0');
  atLeast('limitBytes', 1, 'must be greater than 0');
  const sinceTime = query.get('sinceTime') ?? '';
  if (number('sinceSeconds') !== undefined && sinceTime !== '') {
    const detail = 'at most one of `sinceTime` or `sinceSeconds` may be specified';
    errors.push(forbiddenValue(new FieldPath(''), detail));
  } else {
    atLeast('sinceSeconds', 1, 'must be greater than 0');
  }
  if (sinceTime !== '' && parseTime(sinceTime) === undefined) {
    throw badRequest(`parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse`);
  }
  if (errors.length === 0) return;
  const causes = errors.map((error) => ({ ...error, text: fieldErrorText(error) }));
  throw invalid({ group: '', kind: 'PodLogOptions', name: info.name }, causes);
}

function integerOption(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

/** A query flag as upstream reads it: present and neither `false` nor `0`. */
function isTrue(value: string | null): boolean {
  return value !== null && value.toLowerCase() !== 'false' && value !== '0';
}
