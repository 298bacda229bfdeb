import type { PodInfo } from './pod-info.ts';

/**
 * The pods of a node: immutable for whoever holds it, though adding one costs nothing. Lists that grew out of one another
 * share their items; each sees those that it has itself.
 */
export class PodList {
  static readonly empty = new PodList([], 0);

  /** Invariant: the first `length` items never change. Further ones belong to a longer list. */
  readonly #items: PodInfo[];
  readonly length: number;

  private constructor(items: PodInfo[], length: number) {
    this.#items = items;
    this.length = length;
  }

  with(pod: PodInfo): PodList {
    // Another list that grew out of this one has taken the place already.
    const isTaken = this.#items.length > this.length || this === PodList.empty;
    const items = isTaken ? this.#items.slice(0, this.length) : this.#items;
    items.push(pod);
    return new PodList(items, items.length);
  }

  /** Without the pod, if it is there. */
  without(pod: PodInfo): PodList {
    const items = this.filter((candidate) => candidate !== pod);
    return new PodList(items, items.length);
  }

  /** With `after` in the place of `before`. */
  replaced(before: PodInfo, after: PodInfo): PodList {
    const items = this.#items.slice(0, this.length);
    const position = items.indexOf(before);
    if (position >= 0) items[position] = after;
    return new PodList(items, items.length);
  }

  filter(isWanted: (pod: PodInfo) => boolean): PodInfo[] {
    const found: PodInfo[] = [];
    this.forEach((pod) => {
      if (isWanted(pod)) found.push(pod);
    });
    return found;
  }

  count(isWanted: (pod: PodInfo) => boolean): number {
    let count = 0;
    this.forEach((pod) => {
      if (isWanted(pod)) count++;
    });
    return count;
  }

  forEach(visit: (pod: PodInfo) => void): void {
    for (let index = 0; index < this.length; index++) {
      const pod = this.#items[index];
      if (pod !== undefined) visit(pod);
    }
  }
}
