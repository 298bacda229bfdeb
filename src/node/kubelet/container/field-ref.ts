import type { Container, ObjectFieldSelector, Pod, ResourceFieldSelector } from '#api/generated/types.ts';
import { parseQuantity } from '#machinery/quantity/quantity.ts';
import { amount } from '../pod/qos.ts';
import { ContainerConfigError } from './errors.ts';

/** What the node could give at most: the answer where a container has no limit of its own. */
export interface NodeAllocatable {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralBytes: number;
}

export interface PodAddresses {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
}

/** A pod field as the downward API gives it, for variables and files alike. */
export function fieldValue(pod: Pod, ref: ObjectFieldSelector, addresses: PodAddresses): string {
  const path = ref.fieldPath;
  const keyed = /^metadata\.(annotations|labels)\['(.*)'\]$/.exec(path);
  if (keyed !== null) {
    const map = keyed[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[keyed[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name ?? '';
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations ?? {});
    case 'metadata.labels':
      return formatMap(pod.metadata.labels ?? {});
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return addresses.hostIps[0] ?? '';
    case 'status.hostIPs':
      return addresses.hostIps.join(',');
    case 'status.podIP':
      return addresses.podIps[0] ?? '';
    case 'status.podIPs':
      return addresses.podIps.join(',');
    default:
      throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** `key="value"` lines, sorted, with the value escaped as Go quotes strings. */
function formatMap(map: Record<string, string>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

/** A container's request or limit, in units of the divisor and rounded up. */
export function resourceValue(
  container: Container,
  ref: Pick<ResourceFieldSelector, 'resource' | 'divisor'>,
  node: NodeAllocatable,
): string {
  const [kind, ...rest] = ref.resource.split('.');
  const name = rest.join('.');
  if ((kind !== 'limits' && kind !== 'requests') || name === '') {
    throw new ContainerConfigError(`unsupported container resource : ${ref.resource}`);
  }
  const own = container.resources?.[kind]?.[name];
  let millis = amount(own);
  // Without a limit the node is the limit; without a request the limit is the request, which the API server filled in.
  if (own === undefined && kind === 'limits') millis = allocatableMillis(name, node);
  const divisor = parseQuantity(ref.divisor ?? '0');
  const divisorMillis = divisor.isZero ? 1000 : divisor.milliValue();
  return String(Math.ceil(millis / divisorMillis));
}

function allocatableMillis(name: string, node: NodeAllocatable): number {
  if (name === 'cpu') return node.cpuMillis;
  if (name === 'memory') return node.memoryBytes * 1000;
  return name === 'ephemeral-storage' ? node.ephemeralBytes * 1000 : 0;
}
