import { prefixEnd, type SortedMap } from '#store/shared/sorted-map.ts';

/** The values whose keys start with `prefix`, from `startKey` on, in key order. The map must not change meanwhile. */
export function* valuesOf<V>(map: SortedMap<V>, prefix: string, startKey?: string): Generator<V, void, undefined> {
  const from = startKey !== undefined && startKey > prefix ? startKey : prefix;
  const end = prefixEnd(prefix);
  for (const [key, value] of map.entries(from)) {
    if (key >= end) return;
    yield value;
  }
}
