import type { CelLibrary } from '../environment.ts';
import { fail } from '../errors.ts';
import { type Cidr, formatIp, ipFamily, parseCidr, parseIp } from '../../validation/addresses.ts';
import { declare, member, overload } from '../library/declaration.ts';
import { BOOL, type CelType, INT, STRING } from '../types/type.ts';
import { CelValue } from '../values/value.ts';
import { CIDR, IP } from './types.ts';

type Family = 'IPv4' | 'IPv6';

export class CelIp extends CelValue {
  readonly family: Family;
  readonly address: bigint;

  constructor(family: Family, address: bigint) {
    super();
    this.family = family;
    this.address = address;
  }

  get type(): CelType {
    return IP;
  }

  /** In bytes; costs are computed from it. */
  get size(): number {
    return this.family === 'IPv4' ? 4 : 16;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelIp && other.family === this.family && other.address === this.address;
  }

  override toString(): string {
    return formatIp(this.address, this.family);
  }
}

export class CelCidr extends CelValue {
  readonly value: Cidr;

  constructor(value: Cidr) {
    super();
    this.value = value;
  }

  get type(): CelType {
    return CIDR;
  }

  /** The bytes that the prefix touches; costs are computed from it. */
  get size(): number {
    return Math.ceil(this.value.prefixLength / 8);
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelCidr && other.toString() === this.toString();
  }

  override toString(): string {
    return `${formatIp(this.value.address, this.value.family)}/${this.value.prefixLength}`;
  }
}

/** `ip('10.0.0.1')`, `cidr('10.0.0.0/8')` and what can be asked of them. */
export const ADDRESSES: CelLibrary = {
  namedTypes: [IP, CIDR],
  functions: [
    declare(
      'ip',
      overload('string_to_ip', [STRING], IP, toIp),
      member('cidr_ip', [CIDR], IP, ({ value }: CelCidr) => new CelIp(value.family, value.address)),
    ),
    declare(
      'isIP',
      overload('is_ip', [STRING], BOOL, (text: string) => typeof readIp(text) !== 'string'),
    ),
    declare(
      'ip.isCanonical',
      overload('ip_is_canonical', [STRING], BOOL, (text: string) => toIp(text).toString() === text),
    ),
    declare(
      'family',
      member('ip_family', [IP], INT, (ip: CelIp) => (ip.family === 'IPv4' ? 4 : 6)),
    ),
    declare(
      'isUnspecified',
      member('ip_is_unspecified', [IP], BOOL, (ip: CelIp) => ip.address === 0n),
    ),
    declare('isLoopback', member('ip_is_loopback', [IP], BOOL, isLoopback)),
    declare('isLinkLocalMulticast', member('ip_is_link_local_multicast', [IP], BOOL, isLinkLocalMulticast)),
    declare('isLinkLocalUnicast', member('ip_is_link_local_unicast', [IP], BOOL, isLinkLocalUnicast)),
    declare('isGlobalUnicast', member('ip_is_global_unicast', [IP], BOOL, isGlobalUnicast)),
    declare(
      'string',
      overload('ip_to_string', [IP], STRING, (ip: CelIp) => ip.toString()),
      overload('cidr_to_string', [CIDR], STRING, (cidr: CelCidr) => cidr.toString()),
    ),
    declare('cidr', overload('string_to_cidr', [STRING], CIDR, toCidr)),
    declare(
      'isCIDR',
      overload('is_cidr', [STRING], BOOL, (text: string) => typeof readCidr(text) !== 'string'),
    ),
    declare(
      'containsIP',
      member('cidr_contains_ip_string', [CIDR, STRING], BOOL, (cidr: CelCidr, text: string) =>
        containsIp(cidr, toIp(text)),
      ),
      member('cidr_contains_ip_ip', [CIDR, IP], BOOL, containsIp),
    ),
    declare(
      'containsCIDR',
      member('cidr_contains_cidr_string', [CIDR, STRING], BOOL, (cidr: CelCidr, text: string) =>
        containsCidr(cidr, toCidr(text)),
      ),
      member('cidr_contains_cidr', [CIDR, CIDR], BOOL, containsCidr),
    ),
    declare(
      'prefixLength',
      member('cidr_prefix_length', [CIDR], INT, (cidr: CelCidr) => cidr.value.prefixLength),
    ),
    declare('masked', member('cidr_masked', [CIDR], CIDR, masked)),
  ],
};

/** The address, or why there is none. */
function readIp(text: string): CelIp | string {
  const [bare = '', zone] = text.split('%', 2);
  const family = ipFamily(bare);
  const address = family === undefined ? undefined : parseIp(bare);
  if (family === undefined || address === undefined || zone === '') {
    return `IP Address ${JSON.stringify(text)} parse error during conversion from string: ${parseProblem(text)}`;
  }
  if (zone !== undefined) return `IP address ${JSON.stringify(text)} with zone value is not allowed`;
  if (isMapped(family, address)) return `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`;
  return new CelIp(family, address);
}

function parseProblem(text: string): string {
  const quoted = JSON.stringify(text);
  if (/^[^.:]*$/.test(text)) return `ParseAddr(${quoted}): unable to parse IP`;
  return `ParseAddr(${quoted}): ${text.includes(':') ? 'each colon-separated field must have at least one digit' : fieldProblem(text)}`;
}

function fieldProblem(text: string): string {
  if (/[^0-9.]/.test(text)) return 'unexpected character';
  const fields = text.split('.');
  if (fields.some((field) => field.length > 1 && field.startsWith('0')))
    return 'IPv4 field has octet with leading zero';
  if (fields.some((field) => Number(field) > 255)) return 'IPv4 field has value >255';
  if (fields.some((field) => field === '')) return 'IPv4 field must have at least one digit';
  return fields.length > 4 ? 'IPv4 address too long' : 'IPv4 address too short';
}

function isMapped(family: Family, address: bigint): boolean {
  return family === 'IPv6' && address >> 32n === 0xffffn;
}

function readCidr(text: string): CelCidr | string {
  const value = parseCidr(text);
  const prefix = 'network address parse error during conversion from string: ';
  if (value === undefined) return `${prefix}netip.ParsePrefix(${JSON.stringify(text)}): ${prefixProblem(text)}`;
  if (isMapped(value.family, value.address)) return `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`;
  return new CelCidr(value);
}

function prefixProblem(text: string): string {
  const slash = text.lastIndexOf('/');
  if (slash === -1) return "no '/'";
  const address = readIp(text.slice(0, slash));
  if (typeof address === 'string') return parseProblem(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  return /^(?:0|[1-9][0-9]*)$/.test(bits)
    ? 'prefix length out of range'
    : `bad bits after slash: ${JSON.stringify(bits)}`;
}

function toIp(text: string): CelIp {
  const ip = readIp(text);
  return typeof ip === 'string' ? fail(ip) : ip;
}

function toCidr(text: string): CelCidr {
  const cidr = readCidr(text);
  return typeof cidr === 'string' ? fail(`network address parse error during conversion from string: ${cidr}`) : cidr;
}

/** The leading bits of an address. */
function leading(address: bigint, family: Family, bits: number): bigint {
  return address >> BigInt((family === 'IPv4' ? 32 : 128) - bits);
}

function isLoopback({ family, address }: CelIp): boolean {
  return family === 'IPv4' ? leading(address, family, 8) === 127n : address === 1n;
}

function isLinkLocalMulticast({ family, address }: CelIp): boolean {
  if (family === 'IPv4') return leading(address, family, 24) === 0xe00000n;
  return (leading(address, family, 16) & 0xff0fn) === 0xff02n;
}

function isLinkLocalUnicast({ family, address }: CelIp): boolean {
  if (family === 'IPv4') return leading(address, family, 16) === 0xa9fen;
  return leading(address, family, 10) === 0x3fan;
}

function isMulticast({ family, address }: CelIp): boolean {
  return family === 'IPv4' ? leading(address, family, 4) === 0xen : leading(address, family, 8) === 0xffn;
}

function isGlobalUnicast(ip: CelIp): boolean {
  if (ip.address === 0n || (ip.family === 'IPv4' && ip.address === 0xffff_ffffn)) return false;
  return !isLoopback(ip) && !isMulticast(ip) && !isLinkLocalUnicast(ip);
}

function containsIp({ value }: CelCidr, ip: CelIp): boolean {
  const { family, address, prefixLength } = value;
  return family === ip.family && leading(address, family, prefixLength) === leading(ip.address, family, prefixLength);
}

function containsCidr(outer: CelCidr, inner: CelCidr): boolean {
  const { family, address, prefixLength } = inner.value;
  return outer.value.prefixLength <= prefixLength && containsIp(outer, new CelIp(family, address));
}

function masked({ value }: CelCidr): CelCidr {
  const hostBits = BigInt((value.family === 'IPv4' ? 32 : 128) - value.prefixLength);
  return new CelCidr({ ...value, address: (value.address >> hostBits) << hostBits });
}
