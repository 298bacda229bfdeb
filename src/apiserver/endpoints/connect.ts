import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { RequestContext } from '../pipeline/types.ts';
import type { ServerCore } from '../server-core.ts';
import { admissionRequest, admitMutating, admitValidating } from './write/admit.ts';

/** The kinds that say how to connect, by `resource/subresource` of the core group. */
const OPTION_KINDS: Readonly<Record<string, string>> = {
  'pods/exec': 'PodExecOptions',
  'pods/attach': 'PodAttachOptions',
  'pods/portforward': 'PodPortForwardOptions',
  'pods/proxy': 'PodProxyOptions',
  'services/proxy': 'ServiceProxyOptions',
  'nodes/proxy': 'NodeProxyOptions',
};

/** Admission of a connection to a pod, service or node; requests for anything else pass. */
export async function admitConnection(
  core: ServerCore,
  context: RequestContext,
  definition: ResourceDefinition,
): Promise<void> {
  const { info, request } = context;
  const kind = info.group === '' ? OPTION_KINDS[`${info.resource}/${info.subresource}`] : undefined;
  if (kind === undefined || !core.admission.some(({ seesEverything }) => seesEverything === true)) return;
  const call = { core, context, definition };
  const admission = admissionRequest(call, {
    operation: 'CONNECT',
    object: connectionOptions(kind, { query: request.query, rest: info.rest }),
    kind,
    isDryRun: false,
  });
  await admitMutating(call, admission);
  await admitValidating(call, admission);
}

/** The query of a connection as an object of its kind. */
function connectionOptions(
  kind: string,
  { query, rest }: { query: URLSearchParams; rest: readonly string[] },
): KubeObject {
  const flag = (name: string) => (isTrue(query.get(name)) ? { [name]: true } : {});
  const container = query.get('container') ?? '';
  const ports = query.getAll('ports').flatMap((list) => list.split(',').map(Number));
  const head = { kind, apiVersion: 'v1', metadata: {} };
  if (kind === 'PodPortForwardOptions') return { ...head, ...(ports.length > 0 && { ports }) };
  if (kind.endsWith('ProxyOptions')) return { ...head, ...(rest.length > 0 && { path: rest.join('/') }) };
  const flags = Object.assign({}, flag('stdin'), flag('stdout'), flag('stderr'), flag('tty'));
  const command = kind === 'PodExecOptions' ? { command: query.getAll('command') } : {};
  return { ...head, ...flags, ...(container !== '' && { container }), ...command };
}

function isTrue(value: string | null): boolean {
  return value !== null && value !== '' && value !== '0' && value !== 'false';
}
