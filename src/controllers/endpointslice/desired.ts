import { isPodReady } from '#api/core/v1/pod/conditions.ts';
import type { Endpoint, EndpointPort, Node, Pod, Service } from '#api/generated/types.ts';
import { endpointHostname, isEndpointPod, podAddress, targetPortOf } from '../endpoints/pod-addresses.ts';

export type AddressType = 'IPv4' | 'IPv6';

/** The endpoints that share one list of ports; they go into slices of their own. */
export interface EndpointGroup {
  readonly addressType: AddressType;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** The endpoints a service should have, grouped by address family and ports. */
export function desiredGroups(input: {
  readonly service: Service;
  readonly pods: readonly Pod[];
  readonly nodeOf: (name: string) => Node | undefined;
}): EndpointGroup[] {
  const { service } = input;
  const groups = new Map<string, { addressType: AddressType; ports: EndpointPort[]; endpoints: Endpoint[] }>();
  const includeTerminating = true;
  for (const addressType of addressTypesOf(service)) {
    for (const pod of input.pods) {
      if (!isEndpointPod(pod, { includeTerminating })) continue;
      const address = podAddress(pod, addressType);
      const nodeName = pod.spec.nodeName ?? '';
      const node = nodeName === '' ? undefined : input.nodeOf(nodeName);
      // An endpoint on a node that is gone is left out, unless the service wants unready addresses.
      if (address === undefined || (nodeName !== '' && node === undefined && !publishesAll(service))) continue;
      const ports = portsFor(pod, service);
      const key = groupKey(addressType, ports);
      let group = groups.get(key);
      if (group === undefined) {
        group = { addressType, ports, endpoints: [] };
        groups.set(key, group);
      }
      group.endpoints.push(endpointOf({ pod, service, node, address }));
    }
  }
  return [...groups.values()];
}

function publishesAll(service: Service): boolean {
  return service.spec.publishNotReadyAddresses === true;
}

/** The families of a service; where it names none, that of its cluster IP. */
export function addressTypesOf(service: Service): AddressType[] {
  const families = service.spec.ipFamilies ?? [];
  if (families.length > 0) return families.map((family) => (family === 'IPv6' ? 'IPv6' : 'IPv4'));
  return [service.spec.clusterIP?.includes(':') === true ? 'IPv6' : 'IPv4'];
}

function portsFor(pod: Pod, service: Service): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPortOf(pod, port);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        protocol: port.protocol ?? 'TCP',
        port: number,
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

/** One text for an address family and a list of ports, whatever their order. */
export function groupKey(addressType: string, ports: readonly EndpointPort[]): string {
  const texts = ports.map(
    (port) => `${port.name ?? ''}|${port.protocol ?? 'TCP'}|${port.port ?? ''}|${port.appProtocol ?? ''}`,
  );
  return `${addressType};${texts.toSorted().join(';')}`;
}

function endpointOf(parts: { pod: Pod; service: Service; node: Node | undefined; address: string }): Endpoint {
  const { pod, service, node, address } = parts;
  const isServing = isPodReady(pod);
  const isTerminating = pod.metadata.deletionTimestamp !== undefined;
  const zone = node?.metadata.labels?.[ZONE_LABEL];
  const hostname = endpointHostname(pod, service);
  const { namespace, name, uid } = pod.metadata;
  return {
    addresses: [address],
    conditions: {
      ready: publishesAll(service) || (isServing && !isTerminating),
      serving: isServing,
      terminating: isTerminating,
    },
    targetRef: { kind: 'Pod', namespace: namespace ?? '', name: name ?? '', uid: uid ?? '' },
    ...(hostname === undefined ? {} : { hostname }),
    ...((pod.spec.nodeName ?? '') === '' ? {} : { nodeName: pod.spec.nodeName ?? '' }),
    ...(zone === undefined ? {} : { zone }),
  };
}
