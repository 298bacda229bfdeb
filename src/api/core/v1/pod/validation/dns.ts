import { invalidValue, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isDns1123Subdomain, isIpAddress } from '#machinery/validation/names.ts';
import type { PodDNSConfig, PodSpec } from '../../../../generated/types.ts';
import { checkMessages, checkOneOf, type FieldErrors } from '../../../../validation/basics.ts';

/** What libc's resolver takes. */
const NAMESERVERS_MAX = 3;
const SEARCH_PATHS_MAX = 32;
const SEARCH_CHARACTERS_MAX = 2048;
/** In the order that messages list them. */
const policies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

export function checkDns(spec: PodSpec, path: FieldPath, errors: FieldErrors): void {
  checkOneOf(spec.dnsPolicy, policies, path.child('dnsPolicy'), errors);
  const at = path.child('dnsConfig');
  if (spec.dnsPolicy === 'None') {
    if (spec.dnsConfig === undefined) {
      errors.push(required(at, 'must provide `dnsConfig` when `dnsPolicy` is None'));
      return;
    }
    if ((spec.dnsConfig.nameservers ?? []).length === 0) {
      const detail = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      errors.push(required(at.child('nameservers'), detail));
      return;
    }
  }
  if (spec.dnsConfig !== undefined) checkDnsConfig(spec.dnsConfig, at, errors);
}

function checkDnsConfig(config: PodDNSConfig, path: FieldPath, errors: FieldErrors): void {
  const nameservers = config.nameservers ?? [];
  if (nameservers.length > NAMESERVERS_MAX) {
    const detail = `must not have more than ${NAMESERVERS_MAX} nameservers`;
    errors.push(invalidValue(path.child('nameservers'), nameservers, detail));
  }
  for (const [index, address] of nameservers.entries()) {
    checkMessages(isIpAddress(address), address, path.child('nameservers').index(index), errors);
  }
  const searches = config.searches ?? [];
  const at = path.child('searches');
  if (searches.length > SEARCH_PATHS_MAX) {
    errors.push(invalidValue(at, searches, `must not have more than ${SEARCH_PATHS_MAX} search paths`));
  }
  if (searches.join(' ').length > SEARCH_CHARACTERS_MAX) {
    const detail = `must not have more than ${SEARCH_CHARACTERS_MAX} characters (including spaces) in the search list`;
    errors.push(invalidValue(at, searches, detail));
  }
  for (const [index, search] of searches.entries()) {
    if (search === '.') continue;
    const name = search.endsWith('.') ? search.slice(0, -1) : search;
    // Names of services may begin with an underscore (SRV).
    checkMessages(isDns1123Subdomain(name.replaceAll('_', 'a')), search, at.index(index), errors);
  }
  for (const [index, option] of (config.options ?? []).entries()) {
    if ((option.name ?? '') === '') {
      errors.push(required(path.child('options').index(index), 'must not be empty'));
    }
  }
}
