/** A binary heap: `pop` gives the smallest item by `compare`; equal items come in no particular order. */
export class Heap<T> {
  readonly #compare: (a: T, b: T) => number;
  #items: T[] = [];

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#siftUp(this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (last !== undefined && this.#items.length > 0) {
      this.#items[0] = last;
      this.#siftDown(0);
    }
    return first;
  }

  /** Drops every item that `keep` refuses. Costs a rebuild of the heap. */
  retain(keep: (item: T) => boolean): void {
    this.#items = this.#items.filter(keep);
    for (let index = (this.#items.length >> 1) - 1; index >= 0; index -= 1) this.#siftDown(index);
  }

  clear(): void {
    this.#items = [];
  }

  /** Items in no particular order. */
  values(): IterableIterator<T> {
    return this.#items.values();
  }

  #siftUp(start: number): void {
    const items = this.#items;
    // Safe: every index below lies inside the array.
    const item = items[start] as T;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = items[parentIndex] as T;
      if (this.#compare(item, parent) >= 0) break;
      items[index] = parent;
      index = parentIndex;
    }
    items[index] = item;
  }

  #siftDown(start: number): void {
    const items = this.#items;
    const { length } = items;
    // Safe: every index below lies inside the array.
    const item = items[start] as T;
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= length) break;
      const right = childIndex + 1;
      if (right < length && this.#compare(items[right] as T, items[childIndex] as T) < 0) childIndex = right;
      const child = items[childIndex] as T;
      if (this.#compare(child, item) >= 0) break;
      items[index] = child;
      index = childIndex;
    }
    items[index] = item;
  }
}
