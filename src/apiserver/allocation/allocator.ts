import type { Random } from '#machinery/random/random.ts';

/**
 * Numbers from 0 to size - 1, each owned by at most one holder. Numbers below `bandStart` are left to those who ask for
 * them by name as long as others are free (KEP-3070, KEP-3668).
 */
export class Allocator {
  readonly size: number;
  readonly #bandStart: number;
  /** One bit a number. */
  readonly #taken: Uint8Array;
  #count = 0;

  constructor(options: { size: number; bandStart: number }) {
    this.size = options.size;
    this.#bandStart = options.bandStart;
    this.#taken = new Uint8Array(Math.ceil(options.size / 8));
  }

  get free(): number {
    return this.size - this.#count;
  }

  has(position: number): boolean {
    return ((this.#taken[position >> 3] ?? 0) & (1 << (position & 7))) !== 0;
  }

  /** False where it is taken already. */
  take(position: number): boolean {
    if (position < 0 || position >= this.size || this.has(position)) return false;
    this.#taken[position >> 3] = (this.#taken[position >> 3] ?? 0) | (1 << (position & 7));
    this.#count += 1;
    return true;
  }

  release(position: number): void {
    if (position < 0 || position >= this.size || !this.has(position)) return;
    this.#taken[position >> 3] = (this.#taken[position >> 3] ?? 0) & ~(1 << (position & 7));
    this.#count -= 1;
  }

  /** Takes any free number; `undefined` where the range is full. */
  takeAny(random: Random): number | undefined {
    if (this.free === 0) return undefined;
    const start = this.#bandStart + random.int(Math.max(1, this.size - this.#bandStart));
    const order = [
      [start, this.size],
      [this.#bandStart, start],
      [0, this.#bandStart],
    ] as const;
    for (const [from, to] of order) {
      for (let position = from; position < to; position += 1) if (this.take(position)) return position;
    }
    return undefined;
  }
}

/** Upstream's size of the band for static assignment: a share of the range, within bounds. */
export function bandSize(size: number, { share, min, max }: { share: number; min: number; max: number }): number {
  if (size < min) return 0;
  return Math.min(Math.max(min, Math.floor(size / share)), max);
}
