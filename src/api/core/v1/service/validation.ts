import {
  duplicateValue,
  type FieldError,
  forbiddenValue,
  invalidValue,
  required,
} from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabels } from '#machinery/validation/metadata.ts';
import { isDns1123Label, isDns1123Subdomain, isPortNumber, isQualifiedName } from '#machinery/validation/names.ts';
import type { Service, ServicePort, ServiceSpec } from '../../../generated/types.ts';
import { checkMessages, checkOneOf, checkOptionalOneOf, type FieldErrors } from '../../../validation/basics.ts';
import { checkSpecialAddress, legacyCidrMessages, legacyIpMessages } from '../../../validation/ip.ts';
import { portProtocols } from '../pod/validation/ports.ts';
import { checkPortReference } from '../pod/validation/probes.ts';
import { isExternallyAccessible, needsClusterIp, needsHealthCheckNodePort } from './allocated.ts';
import { checkClusterIps, checkClusterIpsUpdate, isNone } from './cluster-ips.ts';

const specPath = new FieldPath('spec');
const annotationsPath = new FieldPath('metadata').child('annotations');
const portsPath = specPath.child('ports');
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const trafficPolicies = ['Cluster', 'Local'];
const distributions = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
const AFFINITY_SECONDS_MAX = 86400;
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'";
const NOT_EXTERNAL_NAME = 'may not be set for ExternalName services';
const HINTS = 'service.kubernetes.io/topology-aware-hints';
const MODE = 'service.kubernetes.io/topology-mode';
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** Everything but the metadata. What was `current` before may keep older forms of addresses. */
export function validateService(service: Service, current?: Service): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = service;
  const before = current?.spec ?? {};
  const ports = spec.ports ?? [];
  checkTopology(service, errors);
  if (ports.length === 0 && !isNone(spec) && spec.type !== 'ExternalName') errors.push(required(portsPath, ''));
  checkType(spec, errors);
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    checkPort(port, portsPath.index(index), { needsName: ports.length > 1, names, errors });
  }
  if (spec.selector !== undefined) errors.push(...validateLabels(spec.selector, specPath.child('selector')));
  checkAffinity(spec, errors);
  checkClusterIps(spec, { path: specPath, known: before.clusterIPs ?? [] }, errors);
  checkExternalIps(spec, before.externalIPs ?? [], errors);
  checkOneOf(spec.type, types, specPath.child('type'), errors);
  checkNodePorts(spec, ports, errors);
  if (ports.length > 1) checkDuplicatePorts(ports, errors);
  checkSourceRanges(service, before.loadBalancerSourceRanges ?? [], errors);
  checkBalancer(spec, errors);
  checkPolicies(spec, errors);
  checkOptionalOneOf(spec.trafficDistribution, distributions, specPath.child('trafficDistribution'), errors);
  return errors;
}

/** Addresses, the balancer's class and the health check's port stay once they are set. */
export function validateServiceUpdate(next: Service, current: Service): FieldError[] {
  const errors: FieldErrors = [];
  const { spec } = next;
  const before = current.spec;
  checkClusterIpsUpdate(next, current, specPath, errors);
  const areBalancers = before.type === 'LoadBalancer' && spec.type === 'LoadBalancer';
  if (areBalancers && before.loadBalancerClass !== spec.loadBalancerClass) {
    const path = specPath.child('loadBalancerClass');
    errors.push(invalidValue(path, spec.loadBalancerClass, 'may not change once set'));
  }
  const haveChecks = needsHealthCheckNodePort(before) && needsHealthCheckNodePort(spec);
  if (haveChecks && (spec.healthCheckNodePort ?? 0) !== (before.healthCheckNodePort ?? 0)) {
    errors.push(forbiddenValue(specPath.child('healthCheckNodePort'), 'field is immutable'));
  }
  errors.push(...validateService(next, current));
  return errors;
}

function checkTopology({ metadata }: Service, errors: FieldErrors): void {
  const { annotations } = metadata;
  const mode = annotations?.[MODE];
  const hints = annotations?.[HINTS];
  if (mode === undefined || hints === undefined || mode === hints) return;
  const detail = `must match annotations[${HINTS}] when both are specified`;
  errors.push(invalidValue(annotationsPath.key(MODE), mode, detail));
}

function checkType(spec: ServiceSpec, errors: FieldErrors): void {
  if (spec.type === 'LoadBalancer' || spec.type === 'NodePort') {
    if (!isNone(spec)) return;
    const detail = `may not be set to 'None' for ${spec.type} services`;
    errors.push(invalidValue(specPath.child('clusterIPs').index(0), 'None', detail));
  } else if (spec.type === 'ExternalName') {
    if ((spec.clusterIPs ?? []).length > 0)
      errors.push(forbiddenValue(specPath.child('clusterIPs'), NOT_EXTERNAL_NAME));
    if ((spec.ipFamilies ?? []).length > 0)
      errors.push(forbiddenValue(specPath.child('ipFamilies'), NOT_EXTERNAL_NAME));
    if (spec.ipFamilyPolicy !== undefined) {
      errors.push(forbiddenValue(specPath.child('ipFamilyPolicy'), NOT_EXTERNAL_NAME));
    }
    // A full name may end in a dot.
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(required(specPath.child('externalName'), ''));
    else checkMessages(isDns1123Subdomain(name), name, specPath.child('externalName'), errors);
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
  checkOneOf(spec.sessionAffinity, ['ClientIP', 'None'], specPath.child('sessionAffinity'), errors);
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

function checkExternalIps(spec: ServiceSpec, known: readonly string[], errors: FieldErrors): void {
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    const at = specPath.child('externalIPs').index(index);
    const messages = known.includes(address) ? [] : legacyIpMessages(address);
    if (messages.length > 0) checkMessages(messages, address, at, errors);
    else checkSpecialAddress(address, at, errors);
  }
}

function checkNodePorts(spec: ServiceSpec, ports: readonly ServicePort[], errors: FieldErrors): void {
  if (spec.type === 'ClusterIP') {
    for (const [index, { nodePort = 0 }] of ports.entries()) {
      if (nodePort === 0) continue;
      const path = portsPath.index(index).child('nodePort');
      errors.push(forbiddenValue(path, "may not be used when `type` is 'ClusterIP'"));
    }
  }
  const taken = new Set<string>();
  for (const [index, { nodePort = 0, protocol = '' }] of ports.entries()) {
    if (nodePort === 0) continue;
    const key = `${protocol}/${nodePort}`;
    if (taken.has(key)) errors.push(duplicateValue(portsPath.index(index).child('nodePort'), nodePort));
    taken.add(key);
  }
}

function checkDuplicatePorts(ports: readonly ServicePort[], errors: FieldErrors): void {
  const taken = new Set<string>();
  for (const [index, { protocol = '', port }] of ports.entries()) {
    const key = `${protocol}/${port}`;
    if (taken.has(key)) {
      // Upstream prints its internal form of a port, reduced to these two fields.
      const value = { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
      errors.push(duplicateValue(portsPath.index(index), value));
    }
    taken.add(key);
  }
}

/** The ranges of clients that the balancer lets in: a field, or an annotation from before there was one. */
function checkSourceRanges(service: Service, known: readonly string[], errors: FieldErrors): void {
  const { spec, metadata } = service;
  const isBalancer = spec.type === 'LoadBalancer';
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const annotation = metadata.annotations?.[SOURCE_RANGES];
  if (ranges.length > 0) {
    // The path really begins with a capital.
    const path = specPath.child('LoadBalancerSourceRanges');
    if (!isBalancer) errors.push(forbiddenValue(path, ONLY_LOAD_BALANCER));
    for (const [index, range] of ranges.entries()) {
      if (known.includes(range)) continue;
      const text = range.trim();
      checkMessages(legacyCidrMessages(text), text, path.index(index), errors);
    }
  } else if (annotation !== undefined) {
    const path = annotationsPath.key(SOURCE_RANGES);
    if (!isBalancer) errors.push(forbiddenValue(path, ONLY_LOAD_BALANCER));
    if (annotation.trim() === '') return;
    for (const range of annotation.split(',')) {
      const text = range.trim();
      checkMessages(legacyCidrMessages(text), text, path, errors);
    }
  }
}

function checkBalancer(spec: ServiceSpec, errors: FieldErrors): void {
  const isBalancer = spec.type === 'LoadBalancer';
  if (!isBalancer && spec.allocateLoadBalancerNodePorts !== undefined) {
    errors.push(forbiddenValue(specPath.child('allocateLoadBalancerNodePorts'), ONLY_LOAD_BALANCER));
  }
  if (isBalancer && spec.allocateLoadBalancerNodePorts === undefined) {
    errors.push(required(new FieldPath('allocateLoadBalancerNodePorts'), ''));
  }
  if (spec.loadBalancerClass === undefined) return;
  const path = specPath.child('loadBalancerClass');
  if (isBalancer) checkMessages(isQualifiedName(spec.loadBalancerClass), spec.loadBalancerClass, path, errors);
  else errors.push(forbiddenValue(path, ONLY_LOAD_BALANCER));
}

function checkPolicies(spec: ServiceSpec, errors: FieldErrors): void {
  const external = spec.externalTrafficPolicy ?? '';
  const path = specPath.child('externalTrafficPolicy');
  if (isExternallyAccessible(spec)) checkOneOf(external, trafficPolicies, path, errors);
  else if (external !== '') {
    errors.push(invalidValue(path, external, 'may only be set for externally-accessible services'));
  }
  const port = spec.healthCheckNodePort ?? 0;
  if (port !== 0) {
    const portPath = specPath.child('healthCheckNodePort');
    if (needsHealthCheckNodePort(spec)) checkMessages(isPortNumber(port), port, portPath, errors);
    else {
      const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
      errors.push(invalidValue(portPath, port, detail));
    }
  }
  const internalPath = specPath.child('internalTrafficPolicy');
  if (spec.internalTrafficPolicy !== undefined) {
    checkOptionalOneOf(spec.internalTrafficPolicy, trafficPolicies, internalPath, errors);
  } else if (needsClusterIp(spec)) errors.push(required(internalPath, ''));
}
