const SLAB_BYTES = 65_536;
/** Larger buffers get memory of their own. */
const SLICE_BYTES_MAX = 16_384;

/**
 * Memory for bytes that are kept: slices of slabs that hold nothing else. Node's own pool would mix them with bytes
 * of the moment, and each slice that is kept keeps its whole slab.
 */
export class ByteSlab {
  #slab = Buffer.alloc(0);
  #used = 0;

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
    if (length > SLICE_BYTES_MAX) return Buffer.allocUnsafeSlow(length);
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }
}
