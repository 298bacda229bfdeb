/** A cache bounded by the bytes of its values; the least recently used go first. */
export class ByteLru<K, V> {
  readonly #maxBytes: number;
  readonly #sizeOf: (value: V, key: K) => number;
  /** Invariant: iteration order is from least to most recently used. */
  readonly #entries = new Map<K, { value: V; bytes: number }>();
  #bytes = 0;

  constructor(options: { maxBytes: number; sizeOf: (value: V, key: K) => number }) {
    this.#maxBytes = options.maxBytes;
    this.#sizeOf = options.sizeOf;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of all values, as `sizeOf` counts them. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Reads without counting as a use. */
  peek(key: K): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** A value larger than the whole cache is not kept. */
  set(key: K, value: V): void {
    this.delete(key);
    const bytes = this.#sizeOf(value, key);
    if (bytes > this.#maxBytes) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: K): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#bytes -= entry.bytes;
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
