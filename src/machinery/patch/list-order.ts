import { deepEqual } from '../codec/deep.ts';

/** How items of a list are told apart: by a field, or by their value. */
export function sameItem(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  if (mergeKey === undefined) return deepEqual(a, b);
  return deepEqual(fieldOf(a, mergeKey), fieldOf(b, mergeKey));
}

export function fieldOf(item: unknown, name: string): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined;
  // Safe: an object that is no array is read by its own keys.
  return Object.hasOwn(item, name) ? (item as Record<string, unknown>)[name] : undefined;
}

interface ListOrder {
  /** Items that the patch speaks of come in this order… */
  readonly patchOrder: readonly unknown[];
  /** …and the others keep this order, interleaved as well as can be. */
  readonly liveOrder: readonly unknown[];
  readonly mergeKey: string | undefined;
}

/** The order of a merged list, as strategic merge patch defines it. */
export function orderMerged(merged: readonly unknown[], { patchOrder, liveOrder, mergeKey }: ListOrder): unknown[] {
  const indexIn = (list: readonly unknown[], item: unknown): number =>
    list.findIndex((candidate) => sameItem(candidate, item, mergeKey));
  const sortBy = (list: readonly unknown[], items: readonly unknown[]): unknown[] =>
    items
      .map((item) => ({ item, rank: indexIn(list, item) }))
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  const named = sortBy(
    patchOrder,
    merged.filter((item) => indexIn(patchOrder, item) >= 0),
  );
  const others = sortBy(
    liveOrder,
    merged.filter((item) => indexIn(patchOrder, item) < 0),
  );
  const result: unknown[] = [];
  let next = 0;
  for (const item of named) {
    const place = indexIn(liveOrder, item);
    while (next < others.length) {
      const rank = indexIn(liveOrder, others[next]);
      if (place < 0 || rank < 0 || rank >= place) break;
      result.push(others[next]);
      next += 1;
    }
    result.push(item);
  }
  return [...result, ...others.slice(next)];
}
