import type { Service, ServicePort, ServiceSpec } from '#api/generated/types.ts';

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

/** Clears what the new type does not have, where the client only changed the type (upstream's update of a type). */
export function dropTypeDependentFields(service: Service, old: Service): void {
  const spec = specOf(service);
  if (needsClusterIp(old) && !needsClusterIp(service) && isSame(clusterIpsOf(old), rawClusterIps(service))) {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  }
  const hadPorts = typeOf(old) === 'NodePort' || typeOf(old) === 'LoadBalancer';
  const hasPorts = typeOf(service) === 'NodePort' || typeOf(service) === 'LoadBalancer';
  if (hadPorts && !hasPorts && isSame(portNumbers(old), portNumbers(service))) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  const isSameCheck = spec.healthCheckNodePort === old.spec?.healthCheckNodePort;
  if (needsHealthCheckNodePort(old) && !needsHealthCheckNodePort(service) && isSameCheck) {
    delete spec.healthCheckNodePort;
  }
}

/** Fills in what was allocated before, for clients that send only what they wrote. */
export function keepAllocated(service: Service, old: Service): void {
  const spec = specOf(service);
  if (needsClusterIp(old) && needsClusterIp(service)) {
    if ((spec.clusterIP ?? '') === '' && old.spec?.clusterIP !== undefined) spec.clusterIP = old.spec.clusterIP;
    if ((spec.clusterIPs ?? []).length === 0 && spec.clusterIP === old.spec?.clusterIP && old.spec?.clusterIPs) {
      spec.clusterIPs = [...old.spec.clusterIPs];
    }
  }
  if (needsNodePort(old) && needsNodePort(service)) {
    const key = ({ protocol = 'TCP', port }: ServicePort) => `${protocol}/${port}`;
    const before = new Map((old.spec?.ports ?? []).map((port) => [key(port), port.nodePort]));
    const used = new Set((spec.ports ?? []).map(({ nodePort }) => nodePort));
    for (const port of spec.ports ?? []) {
      const known = before.get(key(port));
      if ((port.nodePort ?? 0) === 0 && known !== undefined && !used.has(known)) port.nodePort = known;
    }
  }
  if (needsHealthCheckNodePort(old) && needsHealthCheckNodePort(service) && old.spec?.healthCheckNodePort) {
    spec.healthCheckNodePort ??= old.spec.healthCheckNodePort;
  }
}

function rawClusterIps({ spec }: Service): string[] {
  const { clusterIP = '', clusterIPs = [] } = spec ?? {};
  return (clusterIPs.length > 0 ? clusterIPs : [clusterIP]).filter((address) => address !== '');
}

function portNumbers({ spec }: Service): number[] {
  return (spec?.ports ?? []).map(({ nodePort = 0 }) => nodePort);
}

function isSame(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}
