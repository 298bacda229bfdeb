import { duplicateValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { ipFamily } from '#machinery/validation/addresses.ts';
import type { Service, ServiceSpec } from '../../../generated/types.ts';
import { checkMessages, type FieldErrors } from '../../../validation/basics.ts';
import { legacyIpMessages } from '../../../validation/ip.ts';

const families = ['IPv4', 'IPv6'];
const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const NOT_AGAIN = 'may not change once set';

/** Headless as these rules mean it: `None` is the one address. */
export function isNone({ clusterIPs = [] }: ServiceSpec): boolean {
  return clusterIPs.length === 1 && clusterIPs[0] === 'None';
}

/** Addresses, families and policy of one service (KEP-563). `known` are addresses that were stored already. */
export function checkClusterIps(
  spec: ServiceSpec,
  { path, known }: { path: FieldPath; known: readonly string[] },
  errors: FieldErrors,
): void {
  if (spec.type === 'ExternalName') return;
  const { clusterIP = '', clusterIPs = [], ipFamilies = [] } = spec;
  const at = path.child('clusterIPs');
  if (clusterIP === '') {
    if (clusterIPs.length > 0) {
      errors.push(invalidValue(at, clusterIPs, 'must be empty when `clusterIP` is not specified'));
    }
  } else if (clusterIPs.length === 0) errors.push(required(at, ''));
  else if (clusterIPs[0] !== clusterIP) errors.push(invalidValue(at, clusterIPs, 'first value must match `clusterIP`'));
  const familiesPath = path.child('ipFamilies');
  for (const [index, family] of ipFamilies.entries()) {
    if (!families.includes(family)) errors.push(notSupported(familiesPath.index(index), family, families));
    if (ipFamilies.indexOf(family) < index) errors.push(duplicateValue(familiesPath.index(index), family));
  }
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy)) {
    errors.push(notSupported(path.child('ipFamilyPolicy'), spec.ipFamilyPolicy, policies));
  }
  if (checkAddresses(clusterIPs, { path: at, known }, errors)) checkFamiliesMatch(spec, at, errors);
}

/** Whether all are addresses, so that their families are worth a look. */
function checkAddresses(
  addresses: readonly string[],
  { path, known }: { path: FieldPath; known: readonly string[] },
  errors: FieldErrors,
): boolean {
  let areGood = true;
  for (const [index, address] of addresses.entries()) {
    if (index === 0 && address === 'None') {
      if (addresses.length === 1) continue;
      errors.push(invalidValue(path, addresses, "'None' must be the first and only value"));
      areGood = false;
      continue;
    }
    if (known.includes(address)) continue;
    const messages = legacyIpMessages(address);
    checkMessages(messages, address, path.index(index), errors);
    areGood &&= messages.length === 0;
  }
  if (addresses.length > 2) errors.push(invalidValue(path, addresses, 'may only hold up to 2 values'));
  return areGood;
}

function checkFamiliesMatch(spec: ServiceSpec, path: FieldPath, errors: FieldErrors): void {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  const found = clusterIPs.map((address) => ipFamily(address));
  if (clusterIPs.length > 1 && !(found.includes('IPv4') && found.includes('IPv6'))) {
    errors.push(invalidValue(path, clusterIPs, 'may specify no more than one IP for each IP family'));
  }
  if (isNone(spec)) return;
  for (const [index, address] of clusterIPs.entries()) {
    const expected = ipFamilies[index];
    if (expected === undefined || !families.includes(expected) || found[index] === expected) continue;
    errors.push(
      invalidValue(
        path.index(index),
        address,
        `expected an ${expected} value as indicated by \`ipFamilies[${index}]\``,
      ),
    );
  }
}

/** The first address and family stay; the second come and, by saying `SingleStack`, go. */
export function checkClusterIpsUpdate(next: Service, current: Service, path: FieldPath, errors: FieldErrors): void {
  const { spec } = next;
  const before = current.spec;
  if (spec.type === 'ExternalName' || before.type === 'ExternalName') return;
  const isHeadless = isNone(spec);
  if (!(isHeadless && isNone(before))) {
    checkStays(
      { next: spec.clusterIPs ?? [], current: before.clusterIPs ?? [], policy: spec.ipFamilyPolicy },
      { path, field: 'clusterIPs', singular: 'clusterIP' },
      errors,
    );
  }
  if (isHeadless || isNone(before)) return;
  checkStays(
    { next: spec.ipFamilies ?? [], current: before.ipFamilies ?? [], policy: spec.ipFamilyPolicy },
    { path, field: 'ipFamilies', singular: 'ipFamily' },
    errors,
  );
}

function checkStays(
  { next, current, policy }: { next: readonly string[]; current: readonly string[]; policy: string | undefined },
  { path, field, singular }: { path: FieldPath; field: 'clusterIPs' | 'ipFamilies'; singular: string },
  errors: FieldErrors,
): void {
  const at = path.child(field);
  if (current.length === next.length) {
    for (const [index, value] of current.entries()) {
      // Upstream reports all families at the first.
      if (value !== next[index])
        errors.push(invalidValue(at.index(field === 'clusterIPs' ? index : 0), next, NOT_AGAIN));
    }
    return;
  }
  if (current.length > next.length && next.length === 0) {
    errors.push(invalidValue(at.index(0), next, `primary ${singular} can not be unset`));
  }
  if (current[0] !== undefined && next[0] !== undefined && next[0] !== current[0]) {
    errors.push(invalidValue(at.index(0), next, NOT_AGAIN));
  }
  if (current.length > next.length && next.length === 1 && policy !== 'SingleStack') {
    const detail = `must be set to 'SingleStack' when releasing the secondary ${singular}`;
    errors.push(invalidValue(path.child('ipFamilyPolicy'), policy, detail));
  }
}
