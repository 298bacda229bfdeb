import { badRequest, resourceExpired, StatusError } from '#machinery/errors/status-error.ts';
import { CompactedError, FutureRevisionError } from '#store/errors.ts';
import type { Revision } from '#store/store.ts';
import { candidates, entriesOf } from './candidates.ts';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import type { Entry } from './entry.ts';
import { type WatchHub, tooLargeRevision } from './hub.ts';
import { listPrefix } from './keys.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { Selection } from './selection.ts';
import { newSortedMap, prefixEnd, type SortedMap } from '#store/shared/sorted-map.ts';

export interface ListQuery {
  readonly selection: Selection;
  /** 0: no limit. */
  readonly limit: number;
  /** Empty: from the start. */
  readonly continueToken: string;
  /** Empty: the newest. */
  readonly resourceVersion: string;
  readonly match: 'Exact' | 'NotOlderThan' | undefined;
}

export interface ListPage {
  readonly entries: Entry[];
  /** The revision that this list shows. */
  readonly revision: Revision;
  /** Empty on the last page. */
  readonly continueToken: string;
  readonly remaining: number | undefined;
}

/** Reads a list, or a page of one, from the watch cache at one revision. */
export async function readList(hub: WatchHub, cache: ResourceCache, query: ListQuery): Promise<ListPage> {
  const prefix = listPrefix(cache.prefix, query.selection.namespace);
  const indexed = await readIndexed(hub, cache, query);
  if (indexed !== undefined) return indexed;
  const position = query.continueToken === '' ? undefined : continuePosition(query, prefix);
  const { tree, revision } = await stateFor(hub, cache, { query, position, prefix });
  const { entries, nextKey } = await collect(hub, { tree, prefix, query, startKey: position?.startKey });
  if (nextKey === undefined) return { entries, revision, continueToken: '', remaining: undefined };
  cache.keep(revision, tree);
  const remaining = query.selection.hasSelectors ? undefined : countFrom(tree, prefix, nextKey);
  return { entries, revision, continueToken: encodeContinue(prefix, { revision, startKey: nextKey }), remaining };
}

/** A list of the newest state by an indexed field, where it fits one page. */
async function readIndexed(hub: WatchHub, cache: ResourceCache, query: ListQuery): Promise<ListPage | undefined> {
  const { selection, limit, resourceVersion } = query;
  if (selection.indexed === undefined || query.continueToken !== '' || isExact(query)) return undefined;
  if (resourceVersion === '') await hub.waitForHead();
  else await hub.waitFor(parseRevision(resourceVersion));
  const entries = [...candidates(cache, cache.tree, selection)].filter((entry) => selection.matches(entry.object));
  if (limit > 0 && entries.length > limit) return undefined;
  return { entries, revision: hub.revision, continueToken: '', remaining: undefined };
}

/** A first page of a named version is of exactly that version, unless the client says otherwise. */
function isExact({ match, resourceVersion, limit, continueToken }: ListQuery): boolean {
  if (continueToken !== '' || resourceVersion === '' || /^0+$/.test(resourceVersion)) return false;
  return match === 'Exact' || (match === undefined && limit > 0);
}

/** A resourceVersion that a client sent; a 400 where it is none. */
export function parseRevision(text: string): Revision {
  if (/^\d{1,20}$/.test(text)) return Number(text);
  const detail = `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw badRequest(`invalid resource version: resourceVersion: ${detail}`);
}

function continuePosition(query: ListQuery, prefix: string): { revision: Revision | undefined; startKey: string } {
  if (query.resourceVersion !== '' && query.resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  return decodeContinue(prefix, query.continueToken);
}

interface StateQuery {
  readonly query: ListQuery;
  readonly position: { revision: Revision | undefined; startKey: string } | undefined;
  readonly prefix: string;
}

async function stateFor(
  hub: WatchHub,
  cache: ResourceCache,
  { query, position, prefix }: StateQuery,
): Promise<{ tree: SortedMap<Entry>; revision: Revision }> {
  const requested = query.resourceVersion === '' ? 0 : parseRevision(query.resourceVersion);
  const past = position?.revision ?? (isExact(query) ? requested : undefined);
  if (past !== undefined) {
    if (past > hub.revision) await hub.waitFor(past);
    return {
      tree: (await rewind(hub, cache, past)) ?? (await readHistory(hub, cache, { revision: past, position, prefix })),
      revision: past,
    };
  }
  if (query.resourceVersion === '') await hub.waitForHead();
  else if (requested > hub.revision) await hub.waitFor(requested);
  return { tree: cache.snapshot(), revision: hub.revision };
}

/** Takes back what changed since; a busy resource may have changed a hundred thousand times. */
async function rewind(
  { executor }: WatchHub,
  cache: ResourceCache,
  revision: Revision,
): Promise<SortedMap<Entry> | undefined> {
  const past = cache.at(revision);
  if (past === undefined) return undefined;
  const { tree, undone } = past;
  for (const { key, previous } of undone) {
    if (executor.shouldPause()) await executor.pause('request');
    if (previous === undefined) tree.delete(key);
    else tree.set(key, previous);
  }
  return tree;
}

// What memory has forgotten, the store's history may still know.
async function readHistory(
  hub: WatchHub,
  cache: ResourceCache,
  options: { revision: Revision; position: { startKey: string } | undefined; prefix: string },
): Promise<SortedMap<Entry>> {
  try {
    const { items } = await hub.store.list({ prefix: options.prefix, revision: options.revision });
    const tree = newSortedMap<Entry>();
    for (const kv of items) {
      if (hub.executor.shouldPause()) await hub.executor.pause('request');
      tree.set(kv.key, cache.entryOf(kv));
    }
    return tree;
  } catch (error) {
    if (error instanceof FutureRevisionError) throw tooLargeRevision(options.revision, hub.revision);
    if (!(error instanceof CompactedError)) throw error;
    throw expiredList(options);
  }
}

function expiredList({
  position,
  prefix,
}: {
  position: { startKey: string } | undefined;
  prefix: string;
}): StatusError {
  if (position === undefined) return resourceExpired('The resourceVersion for the provided list is too old.');
  const { status } = resourceExpired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list ' +
      'without the continue parameter, or use the continue token in this response to retrieve the remainder of the ' +
      'results. Continuing with the provided token results in an inconsistent list - objects that were created, ' +
      'modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  const token = encodeContinue(prefix, { revision: undefined, startKey: position.startKey });
  return new StatusError({ ...status, metadata: { continue: token } });
}

async function collect(
  hub: WatchHub,
  { tree, prefix, query, startKey }: CollectOptions,
): Promise<{ entries: Entry[]; nextKey: string | undefined }> {
  const { selection, limit } = query;
  const entries: Entry[] = [];
  for (const entry of entriesOf(tree, prefix, { name: selection.name, startKey })) {
    // The tree is a snapshot: what is written meanwhile does not show.
    if (hub.executor.shouldPause()) await hub.executor.pause('request');
    if (selection.hasSelectors && !selection.matches(entry.object)) continue;
    if (limit > 0 && entries.length === limit) {
      // The next page starts right after the last key of this one, as upstream's token says it.
      return { entries, nextKey: `${entries[limit - 1]?.key ?? ''}\0` };
    }
    entries.push(entry);
  }
  return { entries, nextKey: undefined };
}

interface CollectOptions {
  readonly tree: SortedMap<Entry>;
  readonly prefix: string;
  readonly query: ListQuery;
  readonly startKey: string | undefined;
}

function countFrom(tree: SortedMap<Entry>, prefix: string, startKey: string): number {
  // Without a callback the tree counts whole leaves.
  return tree.forRange(startKey, prefixEnd(prefix), false);
}
