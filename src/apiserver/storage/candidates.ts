import type { SortedMap } from '#store/shared/sorted-map.ts';
import type { Entry } from './entry.ts';
import { listPrefix } from './keys.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { Selection } from './selection.ts';
import { valuesOf } from './sorted-values.ts';

/**
 * Entries of the current state that a selection may match, by key: those of its namespace, found by an index where it
 * demands an indexed field, and without looking into objects where it demands a name.
 */
export function candidates(cache: ResourceCache, tree: SortedMap<Entry>, selection: Selection): Iterable<Entry> {
  const prefix = listPrefix(cache.prefix, selection.namespace);
  const { indexed } = selection;
  if (indexed !== undefined) return cache.indexed(indexed).filter(({ key }) => key.startsWith(prefix));
  return entriesOf(tree, prefix, { name: selection.name });
}

/** Entries below a prefix from a key on; only those of one name where it is given. */
export function* entriesOf(
  tree: SortedMap<Entry>,
  prefix: string,
  options: { name: string | undefined; startKey?: string | undefined },
): Generator<Entry, void, undefined> {
  const suffix = options.name === undefined ? undefined : `/${options.name}`;
  for (const entry of valuesOf(tree, prefix, options.startKey)) {
    if (suffix === undefined || entry.key.endsWith(suffix)) yield entry;
  }
}
