import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { formatLabels } from '../../../columns/selector.ts';
import type { Service } from '../../../generated/types.ts';
import type { KindColumn } from '../../../registry/kind.ts';

export const serviceColumns: readonly KindColumn<Service>[] = [
  nameColumn,
  column('Type', 'How the service can be reached.', (service) => service.spec.type ?? ''),
  column(
    'Cluster-IP',
    'The address of the service in the cluster.',
    (service) => service.spec.clusterIPs?.[0] ?? service.spec.clusterIP ?? '<none>',
  ),
  column('External-IP', 'Addresses outside the cluster.', externalAddress),
  column('Port(s)', 'The list of ports that are exposed by this service.', portsCell),
  ageColumn,
  column('Selector', 'Which pods serve.', (service) => formatLabels(service.spec.selector), { wide: true }),
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
  return [...new Set(ingress.map(({ ip, hostname }) => ip ?? hostname ?? '').filter((item) => item !== ''))]
    .toSorted()
    .join(',');
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
