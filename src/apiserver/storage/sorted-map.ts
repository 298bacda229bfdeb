import sortedBtree from 'sorted-btree';

/** A sorted map with O(1) clones that share structure; keys in the order of their code units. */
export type SortedMap<V> = sortedBtree.default<string, V>;

export function newSortedMap<V>(entries?: [string, V][]): SortedMap<V> {
  return new sortedBtree.default<string, V>(entries, compareKeys);
}

/** The first string after every string that starts with `prefix`; `prefix` is not empty. */
export function prefixEnd(prefix: string): string {
  const last = prefix.length - 1;
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}

/** The values whose keys start with `prefix`, from `startKey` on, in key order. The map must not change meanwhile. */
export function* valuesOf<V>(map: SortedMap<V>, prefix: string, startKey?: string): Generator<V, void, undefined> {
  const from = startKey !== undefined && startKey > prefix ? startKey : prefix;
  const end = prefixEnd(prefix);
  for (const [key, value] of map.entries(from)) {
    if (key >= end) return;
    yield value;
  }
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
