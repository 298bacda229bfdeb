import { randomFillSync, randomUUID } from 'node:crypto';
import { SUFFIX_ALPHABET } from './alphabet.ts';
import type { Random } from './random.ts';

// One call of the operating system for this many bytes: a call for each name would cost more than making the object.
const POOL_BYTES = 4096;
const UINT32_RANGE = 2 ** 32;

/** The operating system's randomness. */
export class SystemRandom implements Random {
  readonly #pool = new Uint8Array(POOL_BYTES);
  #next = POOL_BYTES;

  bytes(length: number): Uint8Array {
    if (length > POOL_BYTES / 4) return randomFillSync(new Uint8Array(length));
    if (this.#next + length > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const taken = this.#pool.slice(this.#next, this.#next + length);
    // What was given out may be a secret: the pool does not keep it.
    this.#pool.fill(0, this.#next, this.#next + length);
    this.#next += length;
    return taken;
  }

  float(): number {
    return Math.random();
  }

  int(limit: number): number {
    if (limit <= 1) return 0;
    // Values beyond the last whole multiple of the limit would make small results more likely.
    const bound = UINT32_RANGE - (UINT32_RANGE % limit);
    for (;;) {
      const [a = 0, b = 0, c = 0, d = 0] = this.bytes(4);
      const value = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
      if (value < bound) return value % limit;
    }
  }

  uuid(): string {
    return randomUUID();
  }

  suffix(length: number): string {
    let text = '';
    for (const byte of this.bytes(length)) text += SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length];
    return text;
  }
}
