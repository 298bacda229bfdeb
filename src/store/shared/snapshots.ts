import type { Revision } from '../store.ts';
import type { EventHistory, Versioned } from './event-history.ts';
import type { SortedMap } from './sorted-map.ts';

// A kept snapshot makes each later write copy the nodes it changes; a few are enough for the lists under way.
const SNAPSHOTS_MAX = 8;

/** The map of keys at past revisions: the nearest later map that is known, turned back by history. */
export class Snapshots<T extends Versioned> {
  readonly #history: EventHistory<T>;
  // In order of last use, the oldest first.
  readonly #kept = new Map<Revision, SortedMap<T>>();

  constructor(history: EventHistory<T>) {
    this.#history = history;
  }

  /** A map for reading that shows `revision`, which is not compacted and not after the current one. */
  at(revision: Revision, now: { current: SortedMap<T>; revision: Revision }): SortedMap<T> {
    if (revision === now.revision) return now.current;
    const kept = this.#kept.get(revision);
    if (kept !== undefined) return kept;
    let from = now.revision;
    let nearest = now.current;
    for (const [candidate, map] of this.#kept) {
      if (candidate < revision || candidate >= from) continue;
      from = candidate;
      nearest = map;
    }
    const map = nearest.clone();
    this.#history.rewind(map, { from, to: revision });
    this.keep(revision, map);
    return map;
  }

  /** Keeps the map for the next read of this revision, whatever becomes of the original. */
  keep(revision: Revision, map: SortedMap<T>): void {
    const kept = this.#kept.get(revision) ?? map.clone();
    this.#kept.delete(revision);
    this.#kept.set(revision, kept);
    const { compactedRevision } = this.#history;
    for (const candidate of this.#kept.keys()) {
      if (this.#kept.size > SNAPSHOTS_MAX || candidate < compactedRevision) this.#kept.delete(candidate);
    }
  }
}
