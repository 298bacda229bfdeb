import { parseQuantity } from '#machinery/quantity/quantity.ts';
import type { Container, PodSpec } from '../../../generated/types.ts';
import { isRestartableInitContainer } from './conditions.ts';

/** What a pod asks of its node, in the units that scheduling counts in. */
export interface PodRequests {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  /** Everything else by resource name: huge pages in bytes, extended resources in whole units. */
  readonly others: Readonly<Record<string, number>>;
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** Amounts by resource name: cpu in thousandths, all else in units. */
type Amounts = Map<string, number>;
type ResourceList = Readonly<Record<string, string>>;

/** The pod's effective requests: the larger of init and main phase, sidecars in both, plus overhead. */
export function podRequests(pod: { spec: PodSpec }): PodRequests {
  return toRequests(podAmounts(pod.spec, 'requests'));
}

/** The pod's effective limits, by the same rules. */
export function podLimits(pod: { spec: PodSpec }): PodRequests {
  return toRequests(podAmounts(pod.spec, 'limits'));
}

/** The containers' requests without pod-level ones and overhead, as quantities. */
export function aggregateContainerRequests(spec: PodSpec): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, amount] of containerAmounts(spec, 'requests')) {
    result[name] = name === 'cpu' ? parseQuantity(`${amount}m`).toString() : formatLike(amount, spec, name);
  }
  return result;
}

/** As upstream computes it: from the pod-level resources where there are any, else from the containers'. */
export function qosClass(pod: { spec: PodSpec }): QosClass {
  const { spec } = pod;
  const parts =
    spec.resources !== undefined && hasComputeResources(spec.resources)
      ? [spec.resources]
      : [...spec.containers, ...(spec.initContainers ?? [])].map((container) => container.resources ?? {});
  const requests: Amounts = new Map();
  const limits: Amounts = new Map();
  let isGuaranteed = true;
  for (const part of parts) {
    addCompute(requests, part.requests);
    const found = addCompute(limits, part.limits);
    if (found < 2) isGuaranteed = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  if (isGuaranteed) {
    for (const [name, amount] of requests) if (limits.get(name) !== amount) isGuaranteed = false;
  }
  return isGuaranteed && requests.size === limits.size ? 'Guaranteed' : 'Burstable';
}

function hasComputeResources(resources: { requests?: ResourceList; limits?: ResourceList }): boolean {
  return addCompute(new Map(), resources.requests) + addCompute(new Map(), resources.limits) > 0;
}

/** Adds cpu and memory above zero; gives how many of the two there were. */
function addCompute(to: Amounts, list: ResourceList | undefined): number {
  let found = 0;
  for (const name of ['cpu', 'memory']) {
    const text = list?.[name];
    const amount = text === undefined ? 0 : resourceAmount(name, text);
    if (amount <= 0) continue;
    to.set(name, (to.get(name) ?? 0) + amount);
    found++;
  }
  return found;
}

function podAmounts(spec: PodSpec, side: 'requests' | 'limits'): Amounts {
  const amounts = containerAmounts(spec, side);
  for (const [name, text] of Object.entries(spec.resources?.[side] ?? {}))
    amounts.set(name, resourceAmount(name, text));
  for (const [name, text] of Object.entries(spec.overhead ?? {})) {
    // A limit that is not set stays unlimited, whatever the overhead.
    if (side === 'limits' && !amounts.has(name)) continue;
    amounts.set(name, (amounts.get(name) ?? 0) + resourceAmount(name, text));
  }
  return amounts;
}

/** Main containers run beside all sidecars; an init container beside the sidecars started before it (KEP-753). */
function containerAmounts(spec: PodSpec, side: 'requests' | 'limits'): Amounts {
  const running: Amounts = new Map();
  for (const container of spec.containers) add(running, container, side);
  const initPeak: Amounts = new Map();
  const sidecars: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const during: Amounts = new Map(sidecars);
    add(during, container, side);
    raise(initPeak, during);
    if (isRestartableInitContainer(container)) {
      add(running, container, side);
      add(sidecars, container, side);
    }
  }
  raise(running, initPeak);
  return running;
}

function add(to: Amounts, container: Container, side: 'requests' | 'limits'): void {
  const list = container.resources?.[side];
  if (list === undefined) return;
  for (const name in list) {
    const text = list[name];
    if (text !== undefined) to.set(name, (to.get(name) ?? 0) + resourceAmount(name, text));
  }
}

function raise(to: Amounts, from: Amounts): void {
  for (const [name, amount] of from) if (amount > (to.get(name) ?? -1)) to.set(name, amount);
}

/** The amount in the unit of its resource: thousandths of a cpu, else whole units, rounded up. */
export function resourceAmount(name: string, text: string): number {
  const cached = name === 'cpu' ? cpuCache : valueCache;
  const known = cached.get(text);
  if (known !== undefined) return known;
  const quantity = parseQuantity(text);
  const amount = name === 'cpu' ? quantity.milliValue() : quantity.value();
  if (cached.size >= CACHE_ENTRIES_MAX) cached.clear();
  cached.set(text, amount);
  return amount;
}

/** The same few quantities come up over and over; the bound keeps hostile input from filling memory. */
const CACHE_ENTRIES_MAX = 4096;
const cpuCache = new Map<string, number>();
const valueCache = new Map<string, number>();

function toRequests(amounts: Amounts): PodRequests {
  const others: Record<string, number> = {};
  for (const [name, amount] of amounts) {
    if (name !== 'cpu' && name !== 'memory' && name !== 'ephemeral-storage') others[name] = amount;
  }
  return {
    cpuMillis: amounts.get('cpu') ?? 0,
    memoryBytes: amounts.get('memory') ?? 0,
    ephemeralStorageBytes: amounts.get('ephemeral-storage') ?? 0,
    others,
  };
}

/** Writes an amount with a binary suffix where the containers used one. */
function formatLike(amount: number, spec: PodSpec, name: string): string {
  const binary = spec.containers.some((container) => container.resources?.requests?.[name]?.endsWith('i') === true);
  if (!binary) return parseQuantity(String(amount)).toString();
  return amount % 1024 === 0 ? parseQuantity(`${amount / 1024}Ki`).toString() : String(amount);
}
