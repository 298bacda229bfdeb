import { formatIp, ipFamily, parseCidr, parseIp } from '#machinery/validation/addresses.ts';
import { isMapped, networkOf, withoutLeadingZeros } from './ip.ts';

/** Addresses that are understood, yet not in the form that newer rules ask for. */
export function ipWarnings(path: string, text: string): string[] {
  const plain = withoutLeadingZeros(text);
  const family = ipFamily(plain);
  if (family === undefined) return [];
  const address = parseIp(plain) ?? 0n;
  const isStrict = ipFamily(text) !== undefined;
  if (!isStrict || isMapped(text)) {
    const better = isMapped(plain) ? formatIp(address & 0xffffffffn, 'IPv4') : formatIp(address, family);
    return [
      `${path}: non-standard IP address ${JSON.stringify(text)} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(better)}`,
    ];
  }
  const canonical = formatIp(address, family);
  if (family === 'IPv4' || canonical === text) return [];
  return [
    `${path}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`,
  ];
}

export function cidrWarnings(path: string, text: string): string[] {
  const cidr = parseCidr(withoutLeadingZeros(text));
  if (cidr === undefined) return [];
  const warnings: string[] = [];
  const { family, address, prefixLength } = cidr;
  const network = `${formatIp(networkOf(cidr), family)}/${prefixLength}`;
  const value = JSON.stringify(text);
  if (networkOf(cidr) !== address) {
    const single = `${formatIp(address, family)}/${family === 'IPv4' ? 32 : 128}`;
    warnings.push(
      `${path}: CIDR value ${value} is ambiguous in this context (should be ${JSON.stringify(network)} or ${JSON.stringify(single)}?)`,
    );
  }
  if (parseCidr(text) === undefined || isMapped(text.slice(0, text.indexOf('/')))) {
    warnings.push(
      `${path}: non-standard CIDR value ${value} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(network)}`,
    );
    return warnings;
  }
  const canonical = `${formatIp(address, family)}/${prefixLength}`;
  if (family === 'IPv6' && canonical !== text) {
    warnings.push(
      `${path}: IPv6 CIDR value ${value} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`,
    );
  }
  return warnings;
}
