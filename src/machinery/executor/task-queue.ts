/** A first-in first-out queue without per-item allocation; `shift` is constant time. */
export class TaskQueue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes the item at `offset` from the head; the order of the others stays. */
  takeAt(offset: number): T | undefined {
    if (offset === 0) return this.shift();
    return this.#items.splice(this.#head + offset, 1)[0];
  }
}
