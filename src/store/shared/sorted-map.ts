import sortedBtree from 'sorted-btree';

/**
 * A sorted map with O(1) clones that share structure. Keys are compared by UTF-16 code units, which for the keys that
 * Kubernetes makes (ASCII) is the bytewise order that the contract asks for.
 */
export type SortedMap<V> = sortedBtree.default<string, V>;

export function newSortedMap<V>(): SortedMap<V> {
  return new BTree<string, V>(undefined, compareKeys);
}

// The package is CommonJS with a `default` export: Node imports the object around it, test runners and bundlers the
// class itself. Safe: both forms are that one class.
const BTree = ('default' in sortedBtree ? sortedBtree.default : sortedBtree) as typeof sortedBtree.default;

/** The first string after every string that starts with `prefix`. */
export function prefixEnd(prefix: string): string {
  const last = prefix.length - 1;
  if (last < 0) return '\uffff';
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}

/** The page of `map` that a list asks for, and how many keys there are from its start on. No limit, or 0: all. */
export function pageOf<V>(
  map: SortedMap<V>,
  { prefix, startKey, limit = 0 }: { prefix: string; startKey?: string; limit?: number },
): { entries: [string, V][]; count: number } {
  const low = startKey !== undefined && startKey > prefix ? startKey : prefix;
  const high = prefixEnd(prefix);
  const entries: [string, V][] = [];
  if (low >= high) return { entries, count: 0 };
  map.forRange(low, high, false, (key, value) => {
    entries.push([key, value]);
    return entries.length === limit ? STOP : undefined;
  });
  return { entries, count: entries.length === limit ? map.forRange(low, high, false) : entries.length };
}

/** What ends a `forRange` early. */
const STOP = { break: 0 };

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
