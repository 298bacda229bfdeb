import { isIPv4, isIPv6 } from 'node:net';

export type IpFamily = 'IPv4' | 'IPv6';

/** More addresses than this are never handed out of one range: upstream's cap for IPv6. */
const ADDRESSES_MAX = 65_536;

/** The addresses of a service range by their position in it; 0 is the first after the network's own. */
export class AddressRange {
  readonly family: IpFamily;
  /** As configured: `10.96.0.0/16`. */
  readonly cidr: string;
  /** Number of usable addresses. */
  readonly size: number;
  readonly #base: bigint;

  /** Throws a RangeError where the text is no range of at least two usable addresses. */
  constructor(cidr: string) {
    const [address = '', prefixText = ''] = cidr.split('/');
    const family = familyOf(address);
    const bits = family === 'IPv6' ? 128 : 32;
    const prefix = Number(prefixText);
    if (family === undefined || prefixText === '' || !Number.isInteger(prefix) || prefix < 0 || prefix > bits - 2) {
      throw new RangeError(`${cidr} is not an address range`);
    }
    const hostBits = BigInt(bits - prefix);
    const network = (parseAddress(address) >> hostBits) << hostBits;
    // The network's address is never used, nor IPv4's last one, which is the broadcast address.
    const usable = (1n << hostBits) - (family === 'IPv4' ? 2n : 1n);
    this.family = family;
    this.cidr = `${formatAddress(network, family)}/${prefix}`;
    this.size = usable > BigInt(ADDRESSES_MAX) ? ADDRESSES_MAX : Number(usable);
    this.#base = network + 1n;
  }

  at(position: number): string {
    return formatAddress(this.#base + BigInt(position), this.family);
  }

  /** `undefined` where the address is not in the range. */
  positionOf(address: string): number | undefined {
    if (familyOf(address) !== this.family) return undefined;
    const position = parseAddress(address) - this.#base;
    return position < 0n || position >= BigInt(this.size) ? undefined : Number(position);
  }
}

export function familyOf(address: string): IpFamily | undefined {
  if (isIPv4(address)) return 'IPv4';
  return isIPv6(address) ? 'IPv6' : undefined;
}

function parseAddress(address: string): bigint {
  if (isIPv4(address)) {
    return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  }
  // The URL parser spells an address in one way, without embedded IPv4 parts.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  return [...front, ...zeros, ...back].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

function formatAddress(value: bigint, family: IpFamily): string {
  if (family === 'IPv4') return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((value >> shift) & 65_535n).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
