import type { Clock } from '#machinery/clock/clock.ts';
import { CompactedError, StoreTimeoutError } from '../errors.ts';
import type { Revision, StoreEventBatch } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import type { KeySpace } from './key-space.ts';
import { WatchReader } from './watch-reader.ts';

/** History holds a few minutes; it is given up when nothing of it comes for this long. */
const SILENCE_MAX_MS = 5_000;
/** Histories read at once; each passes all events of a few minutes through this process. */
const HISTORIES_MAX = 4;

/**
 * Events of a prefix after `afterRevision` up to `upTo`, which is the revision of an event. Throws `CompactedError` where they are
 * no longer all kept.
 */
export async function readHistory(
  deps: { client: EtcdClient; clock: Clock; keys: KeySpace },
  { prefix, afterRevision, upTo }: { prefix: string; afterRevision: Revision; upTo: Revision },
): Promise<StoreEventBatch[]> {
  const { client, clock, keys } = deps;
  const batches: StoreEventBatch[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const giveUp = () => reject(new StoreTimeoutError(`etcd did not send its history after revision ${afterRevision}`));
  let timer = clock.setTimeout(giveUp, SILENCE_MAX_MS, { unref: true });
  const reader = new WatchReader(client, {
    range: keys.range,
    // See LiveWatch: what may have been deleted at the compacted revision itself must not be missed.
    startRevision: Math.max(afterRevision, 1),
    onEvents: (wireEvents, revision) => {
      timer.cancel();
      timer = clock.setTimeout(giveUp, SILENCE_MAX_MS, { unref: true });
      // The watch is over all keys, because only then its last event is known; of the others nothing is kept.
      const wanted = wireEvents.filter(({ kv }) => kv !== null && keys.local(kv.key)?.startsWith(prefix) === true);
      const all = wanted.map((wire) => keys.event(wire)).filter((event) => event !== undefined);
      const events = all.filter(({ kv }) => kv.modRevision > afterRevision && kv.modRevision <= upTo);
      if (events.length > 0 || revision >= upTo) batches.push({ events, revision: Math.min(revision, upTo) });
      if (revision >= upTo) resolve();
    },
    onEnd: (end) => {
      if (end.type === 'compacted') reject(new CompactedError(end.revision));
      else reject(end.error);
    },
  });
  try {
    await promise;
  } finally {
    timer.cancel();
    reader.close();
  }
  return batches;
}

/** After a restart many clients come back at once with old revisions: their histories are read a few at a time. */
export class HistoryTurns {
  readonly #reading = new Set<Promise<void>>();

  async take<T>(read: () => Promise<T>): Promise<T> {
    while (this.#reading.size >= HISTORIES_MAX) await Promise.race(this.#reading);
    const reading = read();
    const settled = reading.then(
      () => undefined,
      () => undefined,
    );
    this.#reading.add(settled);
    try {
      return await reading;
    } finally {
      this.#reading.delete(settled);
    }
  }
}
