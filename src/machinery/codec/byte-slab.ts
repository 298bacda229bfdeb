const SLAB_BYTES = 65_536;
/** Buffers larger than this part of a slab get memory of their own. */
const SLICE_SHARE = 4;

/**
 * Memory for bytes that are kept: slices of slabs that hold nothing else. Node's own pool would mix them with bytes
 * of the moment, and each slice that is kept keeps its whole slab.
 */
export class ByteSlab {
  readonly #slabBytes: number;
  #slab = Buffer.alloc(0);
  #used = 0;

  /** Small slabs suit what is kept for different times: one slice keeps no more than its slab. */
  constructor({ slabBytes = SLAB_BYTES }: { slabBytes?: number } = {}) {
    this.#slabBytes = slabBytes;
  }

  /** The text in UTF-8. */
  encode(text: string): Buffer {
    const length = Buffer.byteLength(text);
    const target = this.#take(length);
    target.write(text, 0, length, 'utf8');
    return target;
  }

  /** A copy of the bytes. */
  copy(bytes: Uint8Array): Buffer {
    const target = this.#take(bytes.length);
    target.set(bytes);
    return target;
  }

  #take(length: number): Buffer {
    if (length > this.#slabBytes / SLICE_SHARE) return Buffer.allocUnsafeSlow(length);
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(this.#slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }
}
