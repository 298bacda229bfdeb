import { invalidValue } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { type Cidr, formatIp, ipFamily, parseCidr, parseIp } from '#machinery/validation/addresses.ts';
import type { FieldErrors } from './basics.ts';

const IP_MESSAGE = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const CIDR_MESSAGE = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** What is wrong with an address of an older field, as `StrictIPCIDRValidation` has it; none: it may stay as written. */
export function legacyIpMessages(text: string): string[] {
  const family = ipFamily(text);
  if (family === undefined) {
    return ipFamily(withoutLeadingZeros(text)) === undefined ? [IP_MESSAGE] : ['must not have leading 0s'];
  }
  return isMapped(text) ? ['must not be an IPv4-mapped IPv6 address'] : [];
}

/** The same for newer fields, which also want the one canonical text. */
export function canonicalIpMessages(text: string): string[] {
  const messages = legacyIpMessages(text);
  if (messages.length > 0) return messages;
  const canonical = formatIp(parseIp(text) ?? 0n, ipFamily(text) ?? 'IPv4');
  return canonical === text ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

export function legacyCidrMessages(text: string): string[] {
  const cidr = parseCidr(text);
  if (cidr === undefined) {
    const isSloppy = parseCidr(withoutLeadingZeros(text)) !== undefined;
    return [isSloppy ? 'must not have leading 0s in IP or prefix length' : CIDR_MESSAGE];
  }
  if (isMapped(text.slice(0, text.indexOf('/')))) return ['must not have an IPv4-mapped IPv6 address'];
  return networkOf(cidr) === cidr.address ? [] : ['must not have bits set beyond the prefix length'];
}

export function canonicalCidrMessages(text: string): string[] {
  const messages = legacyCidrMessages(text);
  const cidr = parseCidr(text);
  if (messages.length > 0 || cidr === undefined) return messages;
  const canonical = `${formatIp(cidr.address, cidr.family)}/${cidr.prefixLength}`;
  return canonical === text ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

/** Endpoints cannot be at addresses that mean something else on each machine. Loopback is allowed: see the README. */
export function checkEndpointAddress(text: string, path: FieldPath, errors: FieldErrors): void {
  const family = ipFamily(text);
  const address = parseIp(text);
  if (family === undefined || address === undefined) return;
  const refuse = (detail: string): void => void errors.push(invalidValue(path, text, detail));
  const isIn = (cidr: string): boolean => {
    const range = parseCidr(cidr);
    return range?.family === family && networkOf({ ...range, address }) === range.address;
  };
  if (address === 0n) refuse(`may not be unspecified (${text})`);
  if (isIn('169.254.0.0/16') || isIn('fe80::/10')) {
    refuse('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  }
  if (isIn('224.0.0.0/24') || isIn('ff02::/16')) {
    refuse('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
}

/** Services cannot have such addresses, either, nor those of the machine itself. */
export function checkSpecialAddress(text: string, path: FieldPath, errors: FieldErrors): void {
  const family = ipFamily(text);
  const address = parseIp(text) ?? 0n;
  const isLoopback = family === 'IPv4' ? address >> 24n === 127n : address === 1n;
  if (family !== undefined && isLoopback) {
    errors.push(invalidValue(path, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  }
  checkEndpointAddress(text, path, errors);
}

/** The address with the bits of the host cleared. */
export function networkOf({ family, address, prefixLength }: Cidr): bigint {
  const hostBits = BigInt((family === 'IPv4' ? 32 : 128) - prefixLength);
  return (address >> hostBits) << hostBits;
}

/** An IPv4 address written as one of IPv6: `::ffff:1.2.3.4`. */
export function isMapped(text: string): boolean {
  return ipFamily(text) === 'IPv6' && (parseIp(text) ?? 0n) >> 32n === 0xffffn;
}

/** The text as older parsers read it. */
export function withoutLeadingZeros(text: string): string {
  return text.replaceAll(/(^|[./])0+(?=\d)/g, '$1');
}
