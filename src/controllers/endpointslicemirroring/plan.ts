import type {
  Endpoint,
  EndpointAddress,
  Endpoints,
  EndpointSlice,
  EndpointSubset,
  Service,
} from '#api/generated/types.ts';
import type { AddressType, EndpointGroup } from '../endpointslice/desired.ts';
import { planSlices } from '../endpointslice/plan.ts';
import { MANAGED_BY_LABEL, SERVICE_NAME_LABEL, type SlicePlan } from '../shared/managed-slices.ts';

export const MIRRORING_MANAGER = 'endpointslicemirroring-controller.k8s.io';

const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';

/** `--mirroring-max-endpoints-per-subset`. */
const ADDRESSES_PER_SUBSET_MAX = 1000;

/** What was observed. */
export interface MirrorInput {
  readonly endpoints: Endpoints | undefined;
  readonly service: Service | undefined;
  /** The mirroring controller's slices of the service. */
  readonly slices: readonly EndpointSlice[];
}

/** Brings the slices that mirror Endpoints somebody wrote by hand, for a service without a selector. */
export function planMirror({ endpoints, service, slices }: MirrorInput): SlicePlan {
  if (endpoints === undefined || service === undefined || !isMirrored(endpoints, service)) {
    return { create: [], update: [], delete: slices };
  }
  const labels = {
    ...endpoints.metadata.labels,
    [MANAGED_BY_LABEL]: MIRRORING_MANAGER,
    [SERVICE_NAME_LABEL]: endpoints.metadata.name ?? '',
  };
  return planSlices({ groups: groupsOf(endpoints), slices, owner: endpoints, labels, triggerTime: undefined });
}

function isMirrored(endpoints: Endpoints, service: Service): boolean {
  if (service.spec.selector !== undefined || service.spec.type === 'ExternalName') return false;
  const isLock = endpoints.metadata.annotations?.[LEADER] !== undefined;
  return !isLock && endpoints.metadata.labels?.[SKIP_MIRROR] !== 'true';
}

function groupsOf(endpoints: Endpoints): EndpointGroup[] {
  return (endpoints.subsets ?? []).flatMap((subset) =>
    (['IPv4', 'IPv6'] as const)
      .map((addressType) => ({ addressType, ports: portsOf(subset), endpoints: endpointsOf(subset, addressType) }))
      .filter((group) => group.endpoints.length > 0),
  );
}

function portsOf(subset: EndpointSubset): EndpointGroup['ports'] {
  return (subset.ports ?? []).map((port) => ({
    name: port.name ?? '',
    protocol: port.protocol ?? 'TCP',
    port: port.port,
    ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
  }));
}

function endpointsOf(subset: EndpointSubset, addressType: AddressType): Endpoint[] {
  const describe = (address: EndpointAddress, ready: boolean): Endpoint => ({
    addresses: [address.ip],
    conditions: { ready },
    ...(address.hostname === undefined || address.hostname === '' ? {} : { hostname: address.hostname }),
    ...(address.nodeName === undefined ? {} : { nodeName: address.nodeName }),
    ...(address.targetRef === undefined ? {} : { targetRef: address.targetRef }),
  });
  const all = [
    ...(subset.addresses ?? []).map((address) => describe(address, true)),
    ...(subset.notReadyAddresses ?? []).map((address) => describe(address, false)),
  ];
  const isIpv6 = addressType === 'IPv6';
  return all.filter(({ addresses: [ip = ''] }) => ip.includes(':') === isIpv6).slice(0, ADDRESSES_PER_SUBSET_MAX);
}
