import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  notSupported,
  required,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabels } from '#machinery/validation/metadata.ts';
import {
  isCidr,
  isDns1123Label,
  isDns1123Subdomain,
  isIpAddress,
  isPortNumber,
  isQualifiedName,
} from '#machinery/validation/names.ts';
import type { Service, ServicePort, ServiceSpec } from '../../../generated/types.ts';
import { checkMessages, checkOneOf, type FieldErrors } from '../../../validation/basics.ts';
import { checkPortReference } from '../pod/validation/probes.ts';
import { portProtocols } from '../pod/validation/ports.ts';
import { isHeadless, needsClusterIp } from './allocated.ts';

const specPath = new FieldPath('spec');
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const KUBELET_PORT = 10250;
const AFFINITY_SECONDS_MAX = 86400;
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'";

export function validateService(service: Service): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = service;
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') {
    errors.push(required(specPath.child('ports'), ''));
  }
  checkType(spec, ports, errors);
  const portsPath = specPath.child('ports');
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    checkPort(port, portsPath.index(index), { needsName: ports.length > 1, names, errors });
  }
  if (spec.selector !== undefined) errors.push(...validateLabels(spec.selector, specPath.child('selector')));
  checkAffinity(spec, errors);
  checkClusterIps(spec, errors);
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    checkMessages(isIpAddress(address), address, specPath.child('externalIPs').index(index), errors);
  }
  checkOneOf(spec.type, types, specPath.child('type'), errors);
  checkNodePorts(spec, ports, errors);
  checkDuplicatePorts(ports, portsPath, errors);
  checkBalancer(spec, errors);
  checkPolicies(spec, errors);
  return errors;
}

function checkType(spec: ServiceSpec, ports: readonly ServicePort[], errors: FieldErrors): void {
  const noneDetail = `may not be set to 'None' for ${spec.type ?? ''} services`;
  const ipPath = specPath.child('clusterIPs').index(0);
  switch (spec.type) {
    case 'LoadBalancer':
      for (const [index, { port }] of ports.entries()) {
        if (port !== KUBELET_PORT) continue;
        const detail = `may not expose port ${KUBELET_PORT} externally since it is used by kubelet`;
        errors.push(invalidValue(specPath.child('ports').index(index), port, detail));
      }
      if (isHeadless(spec)) errors.push(invalidValue(ipPath, 'None', noneDetail));
      break;
    case 'NodePort':
      if (isHeadless(spec)) errors.push(invalidValue(ipPath, 'None', noneDetail));
      break;
    case 'ExternalName': {
      if ((spec.clusterIPs ?? []).length > 0) {
        errors.push(forbiddenValue(specPath.child('clusterIPs'), 'may not be set for ExternalName services'));
      }
      const name = (spec.externalName ?? '').replace(/\.$/, '');
      if (name === '') errors.push(required(specPath.child('externalName'), ''));
      else checkMessages(isDns1123Subdomain(name), name, specPath.child('externalName'), errors);
      break;
    }
    default:
  }
}

function checkPort(
  port: ServicePort,
  path: FieldPath,
  { needsName, names, errors }: { needsName: boolean; names: Set<string>; errors: FieldErrors },
): void {
  const name = port.name ?? '';
  if (name === '') {
    if (needsName) errors.push(required(path.child('name'), ''));
  } else {
    checkMessages(isDns1123Label(name), name, path.child('name'), errors);
    if (names.has(name)) errors.push(duplicateValue(path.child('name'), name));
    names.add(name);
  }
  checkMessages(isPortNumber(port.port ?? 0), port.port ?? 0, path.child('port'), errors);
  checkOneOf(port.protocol, portProtocols, path.child('protocol'), errors);
  checkPortReference(port.targetPort, path.child('targetPort'), errors);
  if (port.appProtocol !== undefined) {
    checkMessages(isQualifiedName(port.appProtocol), port.appProtocol, path.child('appProtocol'), errors);
  }
}

function checkAffinity(spec: ServiceSpec, errors: FieldErrors): void {
  const path = specPath.child('sessionAffinity');
  checkOneOf(spec.sessionAffinity, ['ClientIP', 'None'], path, errors);
  const configPath = specPath.child('sessionAffinityConfig');
  if (spec.sessionAffinity === 'ClientIP') {
    const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 0;
    if (seconds <= 0 || seconds > AFFINITY_SECONDS_MAX) {
      const detail = `must be greater than 0 and less than ${AFFINITY_SECONDS_MAX}`;
      errors.push(invalidValue(configPath.child('clientIP', 'timeoutSeconds'), seconds, detail));
    }
  } else if (spec.sessionAffinity === 'None' && spec.sessionAffinityConfig !== undefined) {
    errors.push(forbiddenValue(configPath, 'must not be set when session affinity is None'));
  }
}

function checkClusterIps(spec: ServiceSpec, errors: FieldErrors): void {
  if (!needsClusterIp(spec)) return;
  const path = specPath.child('clusterIPs');
  const addresses = spec.clusterIPs ?? [];
  const first = addresses[0];
  if (first === undefined) {
    if ((spec.clusterIP ?? '') !== '') errors.push(required(path, ''));
    return;
  }
  if (first !== spec.clusterIP) errors.push(invalidValue(path, addresses, 'first value must match `clusterIP`'));
  for (const [index, address] of addresses.entries()) {
    if (address === 'None') {
      if (addresses.length > 1)
        errors.push(invalidValue(path.index(index), address, "'None' must be the first and only value"));
      continue;
    }
    checkMessages(isIpAddress(address), address, path.index(index), errors);
  }
  if (addresses.length > 2) {
    errors.push(invalidValue(path, addresses, 'may only hold up to 2 values'));
  }
}

function checkNodePorts(spec: ServiceSpec, ports: readonly ServicePort[], errors: FieldErrors): void {
  const taken = new Set<string>();
  for (const [index, { nodePort = 0, protocol = '' }] of ports.entries()) {
    if (nodePort === 0) continue;
    const path = specPath.child('ports').index(index).child('nodePort');
    if (spec.type === 'ClusterIP') {
      errors.push(forbiddenValue(path, "may not be used when `type` is 'ClusterIP'"));
      continue;
    }
    const key = `${protocol}/${nodePort}`;
    if (taken.has(key)) errors.push(duplicateValue(path, nodePort));
    taken.add(key);
  }
}

function checkDuplicatePorts(ports: readonly ServicePort[], path: FieldPath, errors: FieldErrors): void {
  const taken = new Set<string>();
  for (const [index, { protocol = '', port }] of ports.entries()) {
    const key = `${protocol}/${port}`;
    if (taken.has(key)) {
      // Upstream prints its internal form of a port, reduced to these two fields.
      const value = { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
      errors.push(duplicateValue(path.index(index), value));
    }
    taken.add(key);
  }
}

function checkBalancer(spec: ServiceSpec, errors: FieldErrors): void {
  const isBalancer = spec.type === 'LoadBalancer';
  const rangesPath = specPath.child('loadBalancerSourceRanges');
  if ((spec.loadBalancerSourceRanges ?? []).length > 0 && !isBalancer) {
    errors.push(forbiddenValue(rangesPath, ONLY_LOAD_BALANCER));
  }
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    checkMessages(isCidr(range.trim()), range, rangesPath.index(index), errors);
  }
  const allocatePath = specPath.child('allocateLoadBalancerNodePorts');
  if (isBalancer && spec.allocateLoadBalancerNodePorts === undefined) errors.push(required(allocatePath, ''));
  if (!isBalancer && spec.allocateLoadBalancerNodePorts !== undefined) {
    errors.push(forbiddenValue(allocatePath, ONLY_LOAD_BALANCER));
  }
  if (!isBalancer && spec.loadBalancerClass !== undefined) {
    errors.push(forbiddenValue(specPath.child('loadBalancerClass'), ONLY_LOAD_BALANCER));
  }
}

function checkPolicies(spec: ServiceSpec, errors: FieldErrors): void {
  const isBalancer = spec.type === 'LoadBalancer';
  const isExternal =
    isBalancer || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);
  const external = spec.externalTrafficPolicy ?? '';
  const path = specPath.child('externalTrafficPolicy');
  if (external !== '') {
    if (!isExternal) errors.push(invalidValue(path, external, 'may only be set for externally-accessible services'));
    else if (external !== 'Cluster' && external !== 'Local') {
      errors.push(notSupported(path, external, ['Cluster', 'Local']));
    }
  } else if (isBalancer || spec.type === 'NodePort') errors.push(required(path, ''));
  const checkPort = spec.healthCheckNodePort ?? 0;
  if (checkPort !== 0 && !(isBalancer && external === 'Local')) {
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalidValue(specPath.child('healthCheckNodePort'), checkPort, detail));
  }
  const internalPath = specPath.child('internalTrafficPolicy');
  const internal = spec.internalTrafficPolicy;
  if (internal === undefined) {
    if (needsClusterIp(spec)) errors.push(required(internalPath, ''));
  } else if (internal !== 'Cluster' && internal !== 'Local') {
    errors.push(notSupported(internalPath, internal, ['Cluster', 'Local']));
  }
}

/** Addresses and the balancer's class stay once they are set, unless the type lets go of them. */
export function validateServiceUpdate(next: Service, current: Service): FieldError[] {
  const errors: FieldErrors = [];
  const before = current.spec;
  if (needsClusterIp(before) && needsClusterIp(next.spec)) {
    const first = before.clusterIPs?.[0] ?? before.clusterIP ?? '';
    const nextFirst = next.spec.clusterIPs?.[0] ?? next.spec.clusterIP ?? '';
    if (first !== '' && first !== nextFirst) {
      errors.push(invalidValue(specPath.child('clusterIPs').index(0), next.spec.clusterIPs, 'may not change once set'));
    }
    const second = before.clusterIPs?.[1];
    if (second !== undefined && next.spec.clusterIPs?.[1] !== undefined && next.spec.clusterIPs[1] !== second) {
      errors.push(invalidValue(specPath.child('clusterIPs').index(1), next.spec.clusterIPs, 'may not change once set'));
    }
  }
  if (before.type === 'LoadBalancer' && next.spec.type === 'LoadBalancer') {
    if (before.loadBalancerClass !== next.spec.loadBalancerClass) {
      const path = specPath.child('loadBalancerClass');
      errors.push(invalidValue(path, next.spec.loadBalancerClass, 'may not change once set'));
    }
  }
  errors.push(...validateService(next));
  return errors;
}
