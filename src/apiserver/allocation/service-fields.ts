import type { Service, ServiceSpec } from '#api/generated/types.ts';

export function specOf(service: Service): ServiceSpec {
  return (service.spec ??= {});
}

export function typeOf(service: Service | undefined): string {
  return service?.spec?.type ?? 'ClusterIP';
}

export function needsClusterIp(service: Service | undefined): boolean {
  return service !== undefined && typeOf(service) !== 'ExternalName';
}

export function needsNodePort(service: Service | undefined): boolean {
  if (service === undefined) return false;
  if (typeOf(service) === 'NodePort') return true;
  return typeOf(service) === 'LoadBalancer' && service.spec?.allocateLoadBalancerNodePorts !== false;
}

export function needsHealthCheckNodePort(service: Service | undefined): boolean {
  return typeOf(service) === 'LoadBalancer' && service?.spec?.externalTrafficPolicy === 'Local';
}

/** Addresses that are allocated: none for headless services. */
export function clusterIpsOf(service: Service | undefined): string[] {
  if (!needsClusterIp(service)) return [];
  const { clusterIP = '', clusterIPs = [] } = service?.spec ?? {};
  const all = clusterIPs.length > 0 ? clusterIPs : [clusterIP];
  return all.filter((address) => address !== '' && address !== 'None');
}

/** Every node port the service holds, each once, the health check's included. */
export function nodePortsOf(service: Service | undefined): number[] {
  const { ports = [], healthCheckNodePort = 0 } = service?.spec ?? {};
  const numbers = [...ports.map(({ nodePort = 0 }) => nodePort), healthCheckNodePort];
  return [...new Set(numbers.filter((port) => port !== 0))];
}
