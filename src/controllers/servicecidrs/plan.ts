import type { IPAddress, ServiceCIDR } from '#api/generated/types.ts';
import { SERVICE_CIDR_FINALIZER } from '#api/networking/v1/service-cidr.ts';
import type { Condition } from '#machinery/meta/types.ts';
import { cidrContains, ipFamily, parseCidr, parseIp } from '#machinery/validation/addresses.ts';

/** What is to be done to one ServiceCIDR now. */
export type ServiceCidrAction =
  | { readonly type: 'none' }
  | { readonly type: 'setFinalizers'; readonly finalizers: readonly string[] }
  | { readonly type: 'setReady'; readonly condition: Omit<Condition, 'lastTransitionTime'> };

const DEFAULT_NAME = 'kubernetes';
const STILL_USED =
  'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';

/** A range is guarded while it stands, ready once it is guarded, and let go when none of its addresses is in use. */
export function planServiceCidr(
  range: ServiceCIDR,
  others: { readonly ranges: readonly ServiceCIDR[]; readonly addresses: () => readonly IPAddress[] },
): ServiceCidrAction {
  const { metadata, status } = range;
  const finalizers = metadata.finalizers ?? [];
  const isGuarded = finalizers.includes(SERVICE_CIDR_FINALIZER);
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (metadata.deletionTimestamp === undefined) {
    if (!isGuarded) return { type: 'setFinalizers', finalizers: [...finalizers, SERVICE_CIDR_FINALIZER] };
    if (ready?.status === 'True') return { type: 'none' };
    const message = `Kubernetes ${metadata.name === DEFAULT_NAME ? 'default ' : ''}Service CIDR is ready`;
    return { type: 'setReady', condition: { type: 'Ready', status: 'True', reason: '', message } };
  }
  if (!isGuarded) return { type: 'none' };
  if (!isInUse(range, others)) {
    return { type: 'setFinalizers', finalizers: finalizers.filter((name) => name !== SERVICE_CIDR_FINALIZER) };
  }
  if (ready?.status === 'False') return { type: 'none' };
  return {
    type: 'setReady',
    condition: { type: 'Ready', status: 'False', reason: 'Terminating', message: STILL_USED },
  };
}

/** Whether an address of the range is in use that no other range has. */
function isInUse(
  range: ServiceCIDR,
  { ranges, addresses }: { ranges: readonly ServiceCIDR[]; addresses: () => readonly IPAddress[] },
): boolean {
  const standing = ranges.filter(
    ({ metadata }) => metadata.name !== range.metadata.name && metadata.deletionTimestamp === undefined,
  );
  return addresses().some(({ metadata }) => {
    const address = metadata.name ?? '';
    return contains(range, address) && !standing.some((other) => contains(other, address));
  });
}

export function contains({ spec }: ServiceCIDR, address: string): boolean {
  const family = ipFamily(address);
  const value = parseIp(address);
  if (family === undefined || value === undefined) return false;
  return (spec?.cidrs ?? []).some((text) => {
    const cidr = parseCidr(text);
    return cidr !== undefined && cidrContains(cidr, value, family);
  });
}
