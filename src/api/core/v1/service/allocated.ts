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

/** Whether clients outside the cluster can reach it by something of its own. */
export function isExternallyAccessible({ type, externalIPs = [] }: ServiceSpec): boolean {
  return type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && externalIPs.length > 0);
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

/** Ports are the same by name, whatever else the client changed of them. */
function keepNodePorts(spec: ServiceSpec, before: ServiceSpec): void {
  const known = new Map<string, number>();
  for (const { name = '', nodePort = 0 } of before.ports ?? []) known.set(name, nodePort);
  const given = new Set((spec.ports ?? []).map(({ nodePort = 0 }) => nodePort));
  const used = new Set([...known.values()].filter((nodePort) => given.has(nodePort)));
  for (const port of spec.ports ?? []) {
    if ((port.nodePort ?? 0) !== 0) continue;
    const nodePort = known.get(port.name ?? '') ?? 0;
    if (nodePort === 0 || used.has(nodePort)) continue;
    port.nodePort = nodePort;
    used.add(nodePort);
  }
}

/** A change of type takes away what only the old type had, unless the client changed it in the same update. */
export function dropOtherTypesFields(next: Service, current: Service): void {
  const spec = next.spec;
  const before = current.spec;
  if (before.type !== 'ExternalName' && spec.type === 'ExternalName') dropClusterIps(spec, before);
  const hadNodePorts = before.type === 'NodePort' || before.type === 'LoadBalancer';
  const hasNodePorts = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  if (hadNodePorts && !hasNodePorts && hasNoNewPorts(spec, before)) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (needsHealthCheckNodePort(before) && !needsHealthCheckNodePort(spec)) {
    if (spec.healthCheckNodePort === before.healthCheckNodePort) delete spec.healthCheckNodePort;
  }
  if (before.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) {
      delete spec.allocateLoadBalancerNodePorts;
    }
    if (spec.loadBalancerClass === before.loadBalancerClass) delete spec.loadBalancerClass;
  }
  if (isExternallyAccessible(before) && !isExternallyAccessible(spec)) {
    if (spec.externalTrafficPolicy === before.externalTrafficPolicy) delete spec.externalTrafficPolicy;
  }
  if (spec.type !== 'LoadBalancer') next.status = { ...next.status, loadBalancer: {} };
}

function dropClusterIps(spec: ServiceSpec, before: ServiceSpec): void {
  if (spec.clusterIP === before.clusterIP && isSame(spec.clusterIPs, before.clusterIPs)) {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  }
  if (isSame(spec.ipFamilies, before.ipFamilies)) delete spec.ipFamilies;
  if (spec.ipFamilyPolicy === before.ipFamilyPolicy) delete spec.ipFamilyPolicy;
}

function isSame(left: readonly string[] = [], right: readonly string[] = []): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

/** Ports may come, go and change as long as no new number is asked for. */
function hasNoNewPorts(spec: ServiceSpec, before: ServiceSpec): boolean {
  const known = new Set((before.ports ?? []).map(({ nodePort = 0 }) => nodePort));
  return (spec.ports ?? []).every(({ nodePort = 0 }) => nodePort === 0 || known.has(nodePort));
}
