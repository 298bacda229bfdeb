import type { Container, PersistentVolumeClaim, Pod, Service } from '#api/generated/types.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { parseQuantity, quantityOf, type Quantity } from '#machinery/quantity/quantity.ts';

/** Amounts by quota resource name: `pods`, `requests.cpu`, `count/deployments.apps`. */
export type Amounts = Map<string, Quantity>;

export interface CountedResource {
  readonly group: string;
  readonly resource: string;
}

const ONE = quantityOf(1);
/** Resources that quotas may also name without `count/`. */
const PLAIN_COUNTS = new Set(['configmaps', 'replicationcontrollers', 'resourcequotas', 'secrets', 'services', 'pods']);
const COMPUTE = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** What one object counts for. Nothing for pods that have ended. */
export function usageOf(counted: CountedResource, object: KubeObject): Amounts {
  const { group, resource } = counted;
  const isPod = group === '' && resource === 'pods';
  const usage: Amounts = new Map([[`count/${group === '' ? resource : `${resource}.${group}`}`, ONE]]);
  // Safe: the resource says what kind the object is.
  if (isPod) addPod(usage, object as Pod);
  else if (group === '' && PLAIN_COUNTS.has(resource)) usage.set(resource, ONE);
  if (group === '' && resource === 'services') addService(usage, object as Service);
  if (group === '' && resource === 'persistentvolumeclaims') addClaim(usage, object as PersistentVolumeClaim);
  return usage;
}

export function addAmounts(sum: Amounts, more: Amounts): void {
  for (const [name, value] of more) sum.set(name, sum.get(name)?.add(value) ?? value);
}

export function isPodEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function addPod(usage: Amounts, pod: Pod): void {
  if (isPodEnded(pod)) return;
  usage.set('pods', ONE);
  const requests = podTotal(pod, 'requests');
  const limits = podTotal(pod, 'limits');
  for (const [name, value] of requests) {
    usage.set(`requests.${name}`, value);
    if (COMPUTE.has(name) || name.startsWith('hugepages-')) usage.set(name, value);
  }
  for (const [name, value] of limits) if (COMPUTE.has(name)) usage.set(`limits.${name}`, value);
}

/** Containers and sidecars add up; init containers count where one alone needs more. */
function podTotal({ spec }: Pod, which: 'requests' | 'limits'): Amounts {
  const total: Amounts = new Map();
  const amounts = (container: Container) => quantities(container.resources?.[which]);
  for (const container of spec?.containers ?? []) addAmounts(total, amounts(container));
  const sidecars: Amounts = new Map();
  const initial: Amounts = new Map();
  for (const container of spec?.initContainers ?? []) {
    const isSidecar = container.restartPolicy === 'Always';
    if (isSidecar) addAmounts(sidecars, amounts(container));
    const peak: Amounts = new Map(sidecars);
    if (!isSidecar) addAmounts(peak, amounts(container));
    for (const [name, value] of peak) if ((initial.get(name)?.compare(value) ?? -1) < 0) initial.set(name, value);
  }
  addAmounts(total, sidecars);
  for (const [name, value] of initial) if ((total.get(name)?.compare(value) ?? -1) < 0) total.set(name, value);
  addAmounts(total, quantities(spec?.overhead));
  return total;
}

function addService(usage: Amounts, service: Service): void {
  const type = service.spec?.type ?? 'ClusterIP';
  const ports = service.spec?.ports?.length ?? 0;
  if (type === 'LoadBalancer') usage.set('services.loadbalancers', ONE);
  const usesPorts =
    type === 'NodePort' || (type === 'LoadBalancer' && service.spec?.allocateLoadBalancerNodePorts !== false);
  if (usesPorts) usage.set('services.nodeports', quantityOf(ports));
}

function addClaim(usage: Amounts, claim: PersistentVolumeClaim): void {
  usage.set('persistentvolumeclaims', ONE);
  const storage = claim.spec?.resources?.requests?.['storage'];
  if (storage !== undefined) usage.set('requests.storage', parseQuantity(storage));
  const storageClass =
    claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec?.storageClassName;
  if (storageClass === undefined || storageClass === '') return;
  const prefix = `${storageClass}.storageclass.storage.k8s.io/`;
  usage.set(`${prefix}persistentvolumeclaims`, ONE);
  if (storage !== undefined) usage.set(`${prefix}requests.storage`, parseQuantity(storage));
}

function quantities(list: Readonly<Record<string, string>> | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
}
