/** Hands out the addresses of one IPv4 range in turn, so that a freed one is not used again at once. */
export class AddressPool {
  readonly #base: number;
  readonly #size: number;
  readonly #used = new Set<number>();
  #next = 0;

  constructor(cidr: string) {
    const [address = '', bits = ''] = cidr.split('/');
    const prefix = Number(bits);
    const octets = address.split('.').map(Number);
    if (octets.length !== 4 || !octets.every(Number.isInteger) || !(prefix >= 1 && prefix <= 30)) {
      throw new Error(`cannot simulate addresses of ${cidr}: an IPv4 range of at least four addresses is needed`);
    }
    this.#base = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    // The first is the network's, the second the bridge's, the last the broadcast's.
    this.#size = 2 ** (32 - prefix) - 3;
  }

  take(): string | undefined {
    for (let tries = 0; tries < this.#size; tries += 1) {
      const offset = this.#next;
      this.#next = (this.#next + 1) % this.#size;
      if (this.#used.has(offset)) continue;
      this.#used.add(offset);
      return format(this.#base + offset + 2);
    }
    return undefined;
  }

  free(address: string): void {
    const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
    this.#used.delete(value - this.#base - 2);
  }
}

function format(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
