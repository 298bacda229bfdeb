import { StatusError, resourceExpired } from '#machinery/errors/status-error.ts';
import { CompactedError } from '#store/errors.ts';
import type { KeyValue, Revision, StoreEvent } from '#store/store.ts';
import type { WatchFrame, WatchSource } from '../pipeline/types.ts';
import { candidates } from './candidates.ts';
import { Change, type FrameForm } from './change.ts';
import type { Entry } from './entry.ts';
import type { WatchHub } from './hub.ts';
import { listPrefix } from './keys.ts';
import { parseRevision } from './list.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { Selection } from './selection.ts';
import { FailedWatch, Watcher } from './watcher.ts';

export interface WatchQuery {
  readonly selection: Selection;
  readonly form: FrameForm;
  /** Empty or `0`: begin with the current state. */
  readonly resourceVersion: string;
  readonly initialEvents: InitialEvents;
  /** Absent where no bookmarks are wanted. */
  readonly bookmark?: (revision: Revision, options: { isInitialEnd: boolean }) => WatchFrame;
}

/**
 * `send`: begin with the current state, not older than the version, and mark its end with a bookmark; `skip`: do not,
 * even where no version is named; `unset`: only where none is.
 */
export type InitialEvents = 'send' | 'skip' | 'unset';

/** A watch whose client can be told between events how far it has seen everything. */
export interface OpenWatch extends WatchSource {
  offerBookmark?(revision: Revision): void;
}

/** Starts a watch. A revision that is gone gives a source whose only frame is the 410. */
export async function openWatch(hub: WatchHub, cache: ResourceCache, query: WatchQuery): Promise<OpenWatch> {
  const requested = query.resourceVersion === '' ? 0 : parseRevision(query.resourceVersion);
  try {
    if (query.resourceVersion === '') await hub.waitForHead();
    if (query.initialEvents === 'send' || (query.initialEvents === 'unset' && requested === 0)) {
      if (requested > hub.revision) await hub.waitFor(requested);
      return openFromState(hub, cache, query);
    }
    const revision = requested === 0 ? hub.revision : requested;
    return await openFromRevision(hub, cache, { query, revision });
  } catch (error) {
    if (error instanceof StatusError) return new FailedWatch(error, query.form);
    throw error;
  }
}

function openFromState(hub: WatchHub, cache: ResourceCache, query: WatchQuery): Watcher {
  const { revision } = hub;
  const initial = candidates(cache, cache.snapshot(), query.selection);
  return register(hub, cache, {
    query,
    afterRevision: revision,
    initial,
    ...(query.initialEvents === 'send' ? { initialEndRevision: revision } : {}),
  });
}

async function openFromRevision(
  hub: WatchHub,
  cache: ResourceCache,
  { query, revision }: { query: WatchQuery; revision: Revision },
): Promise<Watcher> {
  if (revision >= cache.completeAfter) return replay(hub, cache, { query, revision, changes: [] });
  const changes = await readHistory(hub, cache, revision);
  const last = changes.at(-1)?.revision ?? revision;
  if (Math.max(last, hub.revision) < cache.completeAfter) throw tooOld(revision, cache.completeAfter);
  return replay(hub, cache, { query, revision, changes });
}

// No await between reading the ring and registering: nothing is lost or seen twice.
function replay(
  hub: WatchHub,
  cache: ResourceCache,
  { query, revision, changes }: { query: WatchQuery; revision: Revision; changes: readonly Change[] },
): Watcher {
  const watcher = register(hub, cache, { query, afterRevision: revision });
  let last = Math.max(revision, cache.completeAfter);
  for (const change of changes) {
    if (!concerns(cache, query.selection, change.key)) continue;
    watcher.offer(change);
    last = Math.max(last, change.revision);
  }
  for (const change of cache.changesAfter(last)) {
    if (concerns(cache, query.selection, change.key)) watcher.offer(change);
    change.dropFrames();
  }
  return watcher;
}

function concerns(cache: ResourceCache, { namespace }: Selection, key: string): boolean {
  return namespace === '' || key.startsWith(listPrefix(cache.prefix, namespace));
}

/** Changes after `revision` from the store's history, up to at least where the cache's ring begins. */
async function readHistory(hub: WatchHub, cache: ResourceCache, revision: Revision): Promise<Change[]> {
  const events: StoreEvent[] = [];
  const goal = cache.completeAfter;
  let reached: () => void = () => {};
  let fail: (error: Error) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    reached = resolve;
    fail = reject;
  });
  try {
    const subscription = await hub.store.subscribe({
      prefix: `${cache.prefix}/`,
      afterRevision: revision,
      onBatch: (batch) => {
        for (const event of batch.events) events.push(event);
        if (batch.revision >= goal) reached();
      },
      onEnd: fail,
    });
    await done.finally(() => subscription.close());
  } catch (error) {
    if (error instanceof CompactedError) throw tooOld(revision, error.compactedRevision);
    throw error;
  }
  return events.flatMap((event) => changeOf(cache, event));
}

/** None where the event is about values that cannot be read, which no watch shows. */
function changeOf(cache: ResourceCache, { type, kv, previous: before }: StoreEvent): Change[] {
  const entry = type === 'delete' ? undefined : readable(cache, kv);
  const previous = before === undefined ? undefined : readable(cache, before);
  if (entry === undefined && previous === undefined) return [];
  return [new Change({ key: kv.key, revision: kv.modRevision, entry, previous })];
}

function readable(cache: ResourceCache, kv: KeyValue): Entry | undefined {
  try {
    return cache.entryOf(kv);
  } catch {
    // The cache has reported it.
    return undefined;
  }
}

function register(
  hub: WatchHub,
  cache: ResourceCache,
  options: { query: WatchQuery; afterRevision: Revision; initial?: Iterable<Entry>; initialEndRevision?: Revision },
): Watcher {
  const { query, ...start } = options;
  const watcher = new Watcher({
    executor: hub.executor,
    selection: query.selection,
    form: query.form,
    ...start,
    ...(query.bookmark === undefined ? {} : { bookmark: query.bookmark }),
    wake: (awake) => hub.wake(awake),
    onClose: (closed) => cache.watchers.remove(closed),
  });
  cache.watchers.add(watcher);
  return watcher;
}

function tooOld(revision: Revision, oldest: Revision): StatusError {
  return resourceExpired(`too old resource version: ${revision} (${oldest})`);
}
