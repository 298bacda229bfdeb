/** IP addresses and CIDRs. */

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const V4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const IP_MESSAGE = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const CIDR_MESSAGE = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** `IsValidIP`: strict text forms; no zone, no leading zeros in IPv4. */
export function isIpAddress(text: string): string[] {
  return ipFamily(text) === undefined ? [IP_MESSAGE] : [];
}

/** `IsValidCIDR`. */
export function isCidr(text: string): string[] {
  return parseCidr(text) === undefined ? [CIDR_MESSAGE] : [];
}

export function ipFamily(text: string): 'IPv4' | 'IPv6' | undefined {
  if (V4.test(text)) return 'IPv4';
  return isV6(text) ? 'IPv6' : undefined;
}

export interface Cidr {
  readonly family: 'IPv4' | 'IPv6';
  /** The address as a number, host bits included. */
  readonly address: bigint;
  readonly prefixLength: number;
}

export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const host = text.slice(0, slash);
  const lengthText = text.slice(slash + 1);
  const family = ipFamily(host);
  if (family === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const prefixLength = Number(lengthText);
  const address = parseIp(host);
  if (address === undefined || prefixLength > (family === 'IPv4' ? 32 : 128)) return undefined;
  return { family, address, prefixLength };
}

/** The address as a number; `undefined` where the text is none. */
export function parseIp(text: string): bigint | undefined {
  const family = ipFamily(text);
  if (family === undefined) return undefined;
  return family === 'IPv4' ? parseV4(text) : parseV6(text);
}

/** The canonical text of an address (RFC 5952 for IPv6). */
export function formatIp(address: bigint, family: 'IPv4' | 'IPv6'): string {
  if (family === 'IPv4') {
    return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 255n)).join('.');
  }
  const groups = Array.from({ length: 8 }, (_, index) => Number((address >> BigInt(16 * (7 - index))) & 0xffffn));
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.length < 2) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}

/** Whether an address lies in a range. */
export function cidrContains(cidr: Cidr, address: bigint, family: 'IPv4' | 'IPv6'): boolean {
  if (family !== cidr.family) return false;
  const hostBits = BigInt((family === 'IPv4' ? 32 : 128) - cidr.prefixLength);
  return address >> hostBits === cidr.address >> hostBits;
}

/** RFC 4291, section 2.2: eight groups, one run of zeros as `::`, the last two groups perhaps as IPv4; no zone. */
function isV6(text: string): boolean {
  const lastColon = text.lastIndexOf(':');
  if (lastColon < 0) return false;
  const tail = text.slice(lastColon + 1);
  const isDotted = tail.includes('.');
  if (isDotted && !V4.test(tail)) return false;
  const plain = isDotted ? `${text.slice(0, lastColon + 1)}0:0` : text;
  const halves = plain.split('::');
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 1 ? groups.length === 8 : halves.length === 2 && groups.length < 8;
}

function parseV4(text: string): bigint {
  return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function parseV6(text: string): bigint {
  const dotted = /^(.*:)([0-9.]+)$/.exec(text);
  let plain = text;
  if (dotted?.[1] !== undefined && dotted[2]?.includes('.') === true) {
    const low = parseV4(dotted[2]);
    plain = `${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}
