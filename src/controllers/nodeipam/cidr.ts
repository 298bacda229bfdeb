/** Splits an IPv4 range into equal parts and hands them out, lowest first. */
export class CidrAllocator {
  readonly #base: number;
  readonly #maskSize: number;
  readonly #count: number;
  readonly #used = new Set<number>();
  /** No part below this one is free. */
  #lowestFree = 0;

  constructor(clusterCidr: string, maskSize: number) {
    const { base, bits } = parseIpv4Cidr(clusterCidr);
    if (maskSize < bits || maskSize > 32) {
      throw new RangeError(`cannot split ${clusterCidr} into parts of /${maskSize}`);
    }
    this.#base = base;
    this.#maskSize = maskSize;
    this.#count = 2 ** (maskSize - bits);
  }

  /** The next free part, or undefined where all are taken. */
  allocate(): string | undefined {
    for (let index = this.#lowestFree; index < this.#count; index++) {
      if (this.#used.has(index)) continue;
      this.#used.add(index);
      this.#lowestFree = index + 1;
      return this.#format(index);
    }
    this.#lowestFree = this.#count;
    return undefined;
  }

  /** Notes a part that is in use; ranges outside the cluster's are none of ours. */
  occupy(cidr: string): void {
    for (const index of this.#indexesOf(cidr)) this.#used.add(index);
  }

  release(cidr: string): void {
    for (const index of this.#indexesOf(cidr)) {
      this.#used.delete(index);
      this.#lowestFree = Math.min(this.#lowestFree, index);
    }
  }

  #indexesOf(cidr: string): number[] {
    if (cidr.includes(':')) return [];
    const { base, bits } = parseIpv4Cidr(cidr);
    const size = 2 ** (32 - this.#maskSize);
    const first = Math.floor((base - this.#base) / size);
    const parts = Math.max(1, 2 ** (this.#maskSize - bits));
    return Array.from({ length: Math.min(parts, this.#count) }, (_, offset) => first + offset).filter(
      (index) => index >= 0 && index < this.#count,
    );
  }

  #format(index: number): string {
    const address = this.#base + index * 2 ** (32 - this.#maskSize);
    const bytes = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256);
    return `${bytes.join('.')}/${this.#maskSize}`;
  }
}

function parseIpv4Cidr(text: string): { base: number; bits: number } {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  if (match === null) throw new RangeError(`cannot parse ${JSON.stringify(text)} as an IPv4 range`);
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match.slice(1).map(Number);
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - bits);
  return { base: Math.floor(address / size) * size, bits };
}
