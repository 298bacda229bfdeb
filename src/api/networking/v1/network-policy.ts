import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { validateLabelSelector } from '#machinery/selectors/validate.ts';
import { cidrContains, parseCidr } from '#machinery/validation/addresses.ts';
import { isPortName, isPortNumber } from '#machinery/validation/names.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { formatLabelSelector } from '../../columns/selector.ts';
import { NETWORK_POLICIES } from '../../generated/resources.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors } from '../../validation/basics.ts';
import { legacyCidrMessages } from '../../validation/ip.ts';

const specPath = new FieldPath('spec');
const protocols = ['TCP', 'UDP', 'SCTP'];
const policyTypes = ['Ingress', 'Egress'];

export const networkPolicies = defineKind(NETWORK_POLICIES, {
  strategy: {
    hasGeneration: true,
    applyDefaults: setDefaults,
    validate: (next) => validate(next, { known: new Set() }),
    validateUpdate: (next, current) => validate(next, { known: cidrsOf(current), current }),
  },
  columns: [
    nameColumn,
    column('Pod-Selector', 'Selects the pods to which this NetworkPolicy object applies.', ({ spec }) =>
      formatLabelSelector(spec?.podSelector ?? {}),
    ),
    ageColumn,
  ],
});

function setDefaults(policy: NetworkPolicy): void {
  const spec = (policy.spec ??= {});
  // Upstream's selector is a value: it is written even when it was left out.
  spec.podSelector ??= {};
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
  }
  if ((spec.policyTypes ?? []).length === 0) {
    spec.policyTypes = (spec.egress ?? []).length === 0 ? ['Ingress'] : ['Ingress', 'Egress'];
  }
}

interface Options {
  /** Ranges that were stored before the rule for them stay usable. */
  readonly known: ReadonlySet<string>;
  readonly current?: NetworkPolicy;
}

function validate({ spec = {} }: Partial<NetworkPolicy>, { known, current }: Options): FieldError[] {
  const errors: FieldErrors = [];
  const path = specPath.child('podSelector');
  if (current === undefined || !deepEqual(current.spec?.podSelector, spec.podSelector)) {
    errors.push(...validateLabelSelector(spec.podSelector ?? {}, path, {}));
  }
  const directions = [
    ...(spec.ingress ?? []).map(({ ports, from }, index) => ({ ports, peers: from, index, side: 'ingress' as const })),
    ...(spec.egress ?? []).map(({ ports, to }, index) => ({ ports, peers: to, index, side: 'egress' as const })),
  ];
  for (const { ports, peers, index, side } of directions) {
    const rule = specPath.child(side).index(index);
    for (const [position, port] of (ports ?? []).entries())
      checkPort(port, rule.child('ports').index(position), errors);
    const peersPath = rule.child(side === 'ingress' ? 'from' : 'to');
    for (const [position, peer] of (peers ?? []).entries()) {
      checkPeer(peer, peersPath.index(position), { known, errors });
    }
  }
  const types = spec.policyTypes ?? [];
  const typesPath = specPath.child('policyTypes');
  if (types.length > policyTypes.length) {
    errors.push(invalidValue(typesPath, types, 'may not specify more than two policyTypes'));
    return errors;
  }
  for (const [index, type] of types.entries()) {
    if (!policyTypes.includes(type)) errors.push(notSupported(typesPath.index(index), type, policyTypes));
  }
  return errors;
}

function checkPort({ protocol, port, endPort }: NetworkPolicyPort, path: FieldPath, errors: FieldErrors): void {
  if (protocol !== undefined && !protocols.includes(protocol)) {
    errors.push(notSupported(path.child('protocol'), protocol, protocols));
  }
  const endPath = path.child('endPort');
  if (port === undefined) {
    if (endPort !== undefined) {
      errors.push(invalidValue(endPath, endPort, 'may not be specified when `port` is not specified'));
    }
  } else if (typeof port === 'number') {
    checkMessages(isPortNumber(port), port, path.child('port'), errors);
    if (endPort === undefined) return;
    if (endPort < port) errors.push(invalidValue(endPath, endPort, 'must be greater than or equal to `port`'));
    checkMessages(isPortNumber(endPort), endPort, endPath, errors);
  } else {
    if (endPort !== undefined) {
      errors.push(invalidValue(endPath, endPort, 'may not be specified when `port` is non-numeric'));
    }
    checkMessages(isPortName(port), port, path.child('port'), errors);
  }
}

function checkPeer(
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  path: FieldPath,
  { known, errors }: { known: ReadonlySet<string>; errors: FieldErrors },
): void {
  if (podSelector !== undefined) errors.push(...validateLabelSelector(podSelector, path.child('podSelector'), {}));
  if (namespaceSelector !== undefined) {
    errors.push(...validateLabelSelector(namespaceSelector, path.child('namespaceSelector'), {}));
  }
  if (ipBlock !== undefined) checkBlock(ipBlock, path.child('ipBlock'), { known, errors });
  const hasSelector = podSelector !== undefined || namespaceSelector !== undefined;
  if (!hasSelector && ipBlock === undefined) errors.push(required(path, 'must specify a peer'));
  else if (hasSelector && ipBlock !== undefined) {
    errors.push(forbiddenValue(path, 'may not specify both ipBlock and another peer'));
  }
}

function checkBlock(
  { cidr, except }: IPBlock,
  path: FieldPath,
  { known, errors }: { known: ReadonlySet<string>; errors: FieldErrors },
): void {
  if ((cidr ?? '') === '') {
    errors.push(required(path.child('cidr'), ''));
    return;
  }
  if (!known.has(cidr)) checkMessages(legacyCidrMessages(cidr), cidr, path.child('cidr'), errors);
  const whole = parseCidr(cidr);
  if (whole === undefined) return;
  for (const [index, text] of (except ?? []).entries()) {
    const at = path.child('except').index(index);
    if (!known.has(text)) checkMessages(legacyCidrMessages(text), text, at, errors);
    const part = parseCidr(text);
    if (part === undefined) continue;
    const isInside = cidrContains(whole, part.address, part.family) && part.prefixLength > whole.prefixLength;
    if (!isInside) errors.push(invalidValue(at, text, 'must be a strict subset of `cidr`'));
  }
}

function cidrsOf({ spec = {} }: Partial<NetworkPolicy>): Set<string> {
  const peers = [
    ...(spec.ingress ?? []).flatMap(({ from = [] }) => from),
    ...(spec.egress ?? []).flatMap(({ to = [] }) => to),
  ];
  return new Set(
    peers.flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock.cidr, ...(ipBlock.except ?? [])])),
  );
}
