import type { Service } from '#api/generated/types.ts';
import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { familyOf, type IpFamily } from './address-range.ts';
import { needsClusterIp, specOf, typeOf } from './service-fields.ts';

const specPath = new FieldPath('spec');
const policyPath = specPath.child('ipFamilyPolicy');

/**
 * Settles the families of a service and whether it has one or two, from what the client says and what the cluster has
 * (KEP-563). Changes `service` in place; what it cannot settle comes back as errors.
 */
export function settleFamilies(
  service: Service,
  { old, families }: { old: Service | undefined; families: readonly IpFamily[] },
): FieldError[] {
  if (!needsClusterIp(service) || staysAsItIs(service, old)) return [];
  const spec = specOf(service);
  const isHeadless = spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
  const isFree = isHeadless && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= old?.spec?.ipFamilyPolicy ?? (isFree ? 'RequireDualStack' : 'SingleStack');
  const errors = checkReduction(service, old);
  checkCounts(service, errors);
  inferFamilies(service, { families, errors });
  if (errors.length > 0) return errors;
  const [first = 'IPv4'] = families;
  if (isFree) {
    // Nobody but the owner knows what it points to: any family may come.
    const known = spec.ipFamilies ?? [];
    spec.ipFamilies = known.length === 0 ? [first] : [...known];
    if (spec.ipFamilies.length < 2 && spec.ipFamilyPolicy !== 'SingleStack') {
      spec.ipFamilies = bothFamilies(spec.ipFamilies[0] ?? first);
    }
    return [];
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack' && families.length < 2) {
    const detail = 'this cluster is not configured for dual-stack services';
    errors.push(invalidValue(policyPath, spec.ipFamilyPolicy, detail));
  }
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    if (families.some((known) => known === family)) continue;
    errors.push(invalidValue(specPath.child('ipFamilies').index(index), family, 'not configured on this cluster'));
  }
  if (errors.length > 0) return errors;
  if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = [first];
  if (spec.ipFamilyPolicy !== 'SingleStack' && spec.ipFamilies?.length === 1 && families.length === 2) {
    spec.ipFamilies = bothFamilies(spec.ipFamilies[0] ?? first);
  }
  return [];
}

// A service that takes two families where there are two keeps what it got when the cluster changes.
function staysAsItIs(service: Service, old: Service | undefined): boolean {
  if (old === undefined || typeOf(old) !== typeOf(service)) return false;
  const policies = [service.spec?.ipFamilyPolicy, old.spec?.ipFamilyPolicy ?? 'PreferDualStack'];
  return (
    policies.every((policy) => policy === 'PreferDualStack') &&
    isSame(service.spec?.clusterIPs, old.spec?.clusterIPs) &&
    isSame(service.spec?.ipFamilies, old.spec?.ipFamilies)
  );
}

/** The second address and family go by saying `SingleStack`, and only so. */
function checkReduction(service: Service, old: Service | undefined): FieldError[] {
  if (old === undefined) return [];
  const spec = specOf(service);
  const before = old.spec ?? {};
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (spec.clusterIPs !== undefined && spec.clusterIPs.length > 1 && isSame(spec.clusterIPs, before.clusterIPs)) {
      spec.clusterIPs = spec.clusterIPs.slice(0, 1);
    }
    if (spec.ipFamilies !== undefined && spec.ipFamilies.length > 1 && isSame(spec.ipFamilies, before.ipFamilies)) {
      spec.ipFamilies = spec.ipFamilies.slice(0, 1);
    }
    return [];
  }
  const errors: FieldError[] = [];
  const isReduced = (next: readonly string[] | undefined, current: readonly string[] | undefined): boolean =>
    (next ?? []).length > 0 && (next ?? []).length < (current ?? []).length;
  if (isReduced(spec.clusterIPs, before.clusterIPs)) {
    const detail = "must be 'SingleStack' to release the secondary cluster IP";
    errors.push(invalidValue(policyPath, spec.ipFamilyPolicy, detail));
  }
  if (isReduced(spec.ipFamilies, before.ipFamilies)) {
    const detail = "must be 'SingleStack' to release the secondary IP family";
    errors.push(invalidValue(policyPath, spec.ipFamilyPolicy, detail));
  }
  return errors;
}

function checkCounts(service: Service, errors: FieldError[]): void {
  const { ipFamilyPolicy, clusterIPs = [], ipFamilies = [] } = specOf(service);
  if (ipFamilyPolicy !== 'SingleStack') return;
  const needed = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
  if (clusterIPs.length === 2) {
    errors.push(invalidValue(policyPath, ipFamilyPolicy, `${needed} cluster IPs are specified`));
  }
  if (ipFamilies.length === 2) {
    errors.push(invalidValue(policyPath, ipFamilyPolicy, `${needed} IP families are specified`));
  }
}

/** Addresses that the client chose say which families it wants. */
function inferFamilies(
  service: Service,
  { families, errors }: { families: readonly IpFamily[]; errors: FieldError[] },
): void {
  const spec = specOf(service);
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (address === 'None') return;
    const family = familyOf(address);
    if (family === undefined || index < (spec.ipFamilies ?? []).length) continue;
    if (families.includes(family)) spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    else {
      const path = specPath.child('clusterIPs').index(index);
      errors.push(invalidValue(path, spec.clusterIPs, `${family} is not configured on this cluster`));
    }
  }
}

function bothFamilies(first: string): string[] {
  return first === 'IPv6' ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6'];
}

function isSame(left: readonly string[] = [], right: readonly string[] = []): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}
