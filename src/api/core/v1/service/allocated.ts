import type { Service, ServiceSpec } from '../../../generated/types.ts';

/** Whether services of this type have an address in the cluster. */
export function needsClusterIp(spec: ServiceSpec): boolean {
  return spec.type === 'ClusterIP' || spec.type === 'NodePort' || spec.type === 'LoadBalancer';
}

/** Whether its ports have a port on every node. */
export function needsNodePort(spec: ServiceSpec): boolean {
  if (spec.type === 'NodePort') return true;
  return spec.type === 'LoadBalancer' && (spec.allocateLoadBalancerNodePorts ?? true);
}

export function needsHealthCheckNodePort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

export function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
}

/** `clusterIP` and the first of `clusterIPs` are two names of one thing: a client may set or change either. */
export function alignClusterIps(next: Service, current: Service | undefined): void {
  const { spec } = next;
  const clusterIp = spec.clusterIP ?? '';
  if (current === undefined) {
    // The plural alone is left for validation to refuse: upstream wants the singular, too.
    if (clusterIp !== '' && spec.clusterIPs === undefined) spec.clusterIPs = [clusterIp];
    return;
  }
  const before = current.spec;
  const sameIps = (spec.clusterIPs ?? []).join() === (before.clusterIPs ?? []).join();
  if (clusterIp !== (before.clusterIP ?? '') && sameIps) {
    if (clusterIp === '') delete spec.clusterIPs;
    else spec.clusterIPs = [clusterIp];
  } else if (clusterIp !== '' && spec.clusterIPs === undefined) {
    spec.clusterIPs = [clusterIp];
  }
}

/** An update that leaves out what the server once allocated keeps it. */
export function keepAllocated(next: Service, current: Service): void {
  const spec = next.spec;
  const before = current.spec;
  if (needsClusterIp(spec) && needsClusterIp(before)) {
    if ((spec.clusterIP ?? '') === '' && before.clusterIP !== undefined) spec.clusterIP = before.clusterIP;
    if (spec.clusterIPs === undefined && before.clusterIPs !== undefined && spec.clusterIP === before.clusterIP) {
      spec.clusterIPs = [...before.clusterIPs];
    }
  }
  if (needsNodePort(spec) && needsNodePort(before)) keepNodePorts(spec, before);
  if (needsHealthCheckNodePort(spec) && needsHealthCheckNodePort(before) && (spec.healthCheckNodePort ?? 0) === 0) {
    if (before.healthCheckNodePort !== undefined) spec.healthCheckNodePort = before.healthCheckNodePort;
  }
  if (needsClusterIp(spec)) {
    if (spec.ipFamilyPolicy === undefined && before.ipFamilyPolicy !== undefined) {
      spec.ipFamilyPolicy = before.ipFamilyPolicy;
    }
    if (spec.ipFamilies === undefined && before.ipFamilies !== undefined) spec.ipFamilies = [...before.ipFamilies];
  }
}

function keepNodePorts(spec: ServiceSpec, before: ServiceSpec): void {
  const known = new Map<string, number>();
  for (const port of before.ports ?? []) {
    if (port.nodePort !== undefined) known.set(`${port.protocol}/${port.port}`, port.nodePort);
  }
  const used = new Set((spec.ports ?? []).map((port) => port.nodePort ?? 0));
  for (const port of spec.ports ?? []) {
    const nodePort = known.get(`${port.protocol}/${port.port}`);
    if ((port.nodePort ?? 0) === 0 && nodePort !== undefined && !used.has(nodePort)) port.nodePort = nodePort;
  }
}

/** A change of type takes away what only the old type had, unless the client changed it in the same update. */
export function dropOtherTypesFields(next: Service, current: Service): void {
  const spec = next.spec;
  const before = current.spec;
  if (needsClusterIp(before) && !needsClusterIp(spec)) {
    if (spec.clusterIP === before.clusterIP) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    delete spec.ipFamilies;
    delete spec.ipFamilyPolicy;
    if (spec.internalTrafficPolicy === before.internalTrafficPolicy) delete spec.internalTrafficPolicy;
  }
  if (needsNodePort(before) && !needsNodePort(spec) && samePorts(spec, before)) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (needsHealthCheckNodePort(before) && !needsHealthCheckNodePort(spec)) {
    if (spec.healthCheckNodePort === before.healthCheckNodePort) delete spec.healthCheckNodePort;
  }
  const wasExternal = before.type === 'NodePort' || before.type === 'LoadBalancer';
  if (wasExternal && spec.type === 'ClusterIP' && spec.externalTrafficPolicy === before.externalTrafficPolicy) {
    delete spec.externalTrafficPolicy;
  }
  if (before.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) {
      delete spec.allocateLoadBalancerNodePorts;
    }
    if (spec.loadBalancerClass === before.loadBalancerClass) delete spec.loadBalancerClass;
  }
}

function samePorts(spec: ServiceSpec, before: ServiceSpec): boolean {
  const text = (ports: ServiceSpec['ports']): string => (ports ?? []).map((port) => port.nodePort ?? 0).join();
  return text(spec.ports) === text(before.ports);
}
