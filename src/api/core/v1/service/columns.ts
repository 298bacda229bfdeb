import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { formatLabels } from '../../../columns/selector.ts';
import type { Service } from '../../../generated/types.ts';
import type { KindColumn } from '../../../registry/kind.ts';

/** Long lists of addresses are cut in the narrow table. */
const ADDRESS_CHARACTERS_MAX = 16;

export const serviceColumns: readonly KindColumn<Service>[] = [
  nameColumn,
  column(
    'Type',
    'type determines how the Service is exposed. Defaults to ClusterIP. Valid options are ExternalName, ClusterIP, NodePort, and LoadBalancer. "ClusterIP" allocates a cluster-internal IP address for load-balancing to endpoints. Endpoints are determined by the selector or if that is not specified, by manual construction of an Endpoints object or EndpointSlice objects. If clusterIP is "None", no virtual IP is allocated and the endpoints are published as a set of endpoints rather than a virtual IP. "NodePort" builds on ClusterIP and allocates a port on every node which routes to the same endpoints as the clusterIP. "LoadBalancer" builds on NodePort and creates an external load-balancer (if supported in the current cloud) which routes to the same endpoints as the clusterIP. "ExternalName" aliases this service to the specified externalName. Several other fields do not apply to ExternalName services. More info: https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types',
    (service) => service.spec.type ?? '',
  ),
  column(
    'Cluster-IP',
    'clusterIP is the IP address of the service and is usually assigned randomly.',
    (service) => service.spec.clusterIPs?.[0] ?? service.spec.clusterIP ?? '<none>',
  ),
  column(
    'External-IP',
    'externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this service.',
    externalAddress,
  ),
  column('Port(s)', 'The list of ports that are exposed by this service.', portsCell),
  ageColumn,
  column(
    'Selector',
    'Route service traffic to pods with label keys and values matching this selector.',
    (service) => formatLabels(service.spec.selector),
    { wide: true },
  ),
];

function externalAddress(service: Service): string {
  const { type, externalIPs = [], externalName = '' } = service.spec;
  switch (type) {
    case 'ClusterIP':
    case 'NodePort':
      return externalIPs.length > 0 ? externalIPs.join(',') : '<none>';
    case 'LoadBalancer': {
      const balancers = balancerAddresses(service);
      if (externalIPs.length > 0) return [...(balancers === '' ? [] : balancers.split(',')), ...externalIPs].join(',');
      return balancers === '' ? '<pending>' : balancers;
    }
    case 'ExternalName':
      return externalName;
    default:
      return '<unknown>';
  }
}

function balancerAddresses(service: Service): string {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const text = [...new Set(ingress.map(({ ip, hostname }) => ip ?? hostname ?? '').filter((item) => item !== ''))]
    .toSorted()
    .join(',');
  return text.length > ADDRESS_CHARACTERS_MAX && ingress.length > 1
    ? `${text.slice(0, ADDRESS_CHARACTERS_MAX - 3)}...`
    : text;
}

function portsCell(service: Service): string {
  const ports = service.spec.ports ?? [];
  if (ports.length === 0) return '<none>';
  return ports
    .map(({ port, nodePort = 0, protocol = 'TCP' }) =>
      nodePort > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
    )
    .join(',');
}
