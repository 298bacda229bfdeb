import { type FieldError, invalidValue, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { parseCidr } from '#machinery/validation/addresses.ts';
import { ageColumn, column, joined, nameColumn } from '../../columns/common.ts';
import { SERVICE_CIDRS } from '../../generated/resources.ts';
import type { ServiceCIDR } from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkMessages, type FieldErrors, IMMUTABLE } from '../../validation/basics.ts';
import { canonicalCidrMessages } from '../../validation/ip.ts';

const cidrsPath = new FieldPath('spec').child('cidrs');

/** Keeps a range while services have addresses of it. */
export const SERVICE_CIDR_FINALIZER = 'networking.k8s.io/service-cidr-finalizer';

export const serviceCidrs = defineKind(SERVICE_CIDRS, {
  strategy: { ...statusRules, validate, validateUpdate },
  columns: [
    nameColumn,
    column('CIDRs', 'The CIDRs that the allocator can use to allocate IPs.', ({ spec }) => joined(spec?.cidrs)),
    ageColumn,
  ],
});

function validate({ spec }: ServiceCIDR): FieldError[] {
  const errors: FieldErrors = [];
  const cidrs = spec?.cidrs ?? [];
  if (cidrs.length === 0) return [required(cidrsPath, 'at least one CIDR required')];
  // Upstream prints the whole spec in its own form here.
  if (cidrs.length > 2) return [invalidValue(cidrsPath, { CIDRs: cidrs }, 'may only hold up to 2 values')];
  for (const [index, cidr] of cidrs.entries()) {
    checkMessages(canonicalCidrMessages(cidr), cidr, cidrsPath.index(index), errors);
  }
  const families = cidrs.map((cidr) => parseCidr(cidr)?.family);
  if (cidrs.length === 2 && families[0] === families[1] && families[0] !== undefined) {
    const detail = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
    errors.push(invalidValue(cidrsPath, cidrs, detail));
  }
  return errors;
}

/** A second family may be added; what is there stays. */
function validateUpdate(next: ServiceCIDR, current: ServiceCIDR): FieldError[] {
  const cidrs = next.spec?.cidrs ?? [];
  const before = current.spec?.cidrs ?? [];
  if (cidrs.length === before.length) {
    return cidrs.flatMap((cidr, index) =>
      cidr === before[index] ? [] : [invalidValue(cidrsPath.index(index), cidr, IMMUTABLE)],
    );
  }
  if (before.length === 1 && cidrs.length === 2) {
    const first = cidrs[0] === before[0] ? [] : [invalidValue(cidrsPath.index(0), cidrs[0], IMMUTABLE)];
    return [...first, ...validate(next)];
  }
  return [invalidValue(cidrsPath, cidrs, IMMUTABLE)];
}
