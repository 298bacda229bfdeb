import type { Clock } from '#machinery/clock/clock.ts';
import { type Change, EMPTY_REVISION, EventHistory, type HistoryLimits } from '../shared/event-history.ts';
import { Snapshots } from '../shared/snapshots.ts';
import { newSortedMap, type SortedMap } from '../shared/sorted-map.ts';
import type { Revision } from '../store.ts';
import type { Disk, DiskRecord } from './disk.ts';

/**
 * What the disk holds, without the values: current keys, history, and which records nobody can ask for any more.
 * It shows the durable head and nothing after it.
 */
export class DurableIndex {
  readonly #current: SortedMap<DiskRecord> = newSortedMap();
  readonly #history: EventHistory<DiskRecord>;
  readonly #snapshots: Snapshots<DiskRecord>;
  // Revisions whose records are to be removed from the disk.
  readonly #garbage: Revision[] = [];
  #revision: Revision;

  /** Reads the whole log; throws a RangeError where it is not one. */
  constructor(deps: { clock: Clock; disk: Disk }, limits: HistoryLimits) {
    const { clock, disk } = deps;
    const compacted = disk.compactedRevision();
    this.#revision = Math.max(compacted, EMPTY_REVISION);
    this.#history = new EventHistory(
      { clock },
      {
        ...limits,
        base: this.#revision,
        isCompacted: compacted > 0,
        valueBytes: (record) => record.valueBytes,
        onDrop: (change) => this.#discard(change),
      },
    );
    this.#snapshots = new Snapshots(this.#history);
    for (const record of disk.records()) this.#load(record);
    const revision = disk.revision();
    if (this.#revision !== revision) {
      throw new RangeError(`the log ends at revision ${this.#revision} and should end at ${revision}`);
    }
  }

  get revision(): Revision {
    return this.#revision;
  }

  get compactedRevision(): Revision {
    return this.#history.compactedRevision;
  }

  get hasGarbage(): boolean {
    return this.#garbage.length > 0;
  }

  get(key: string): DiskRecord | undefined {
    return this.#current.get(key);
  }

  /** The key as it was at a revision that is neither compacted nor after the head. */
  getAt(key: string, revision: Revision): DiskRecord | undefined {
    const past = revision === this.#revision ? undefined : this.#history.find(key, revision);
    return past === undefined ? this.#current.get(key) : past.kv;
  }

  mapAt(revision: Revision): SortedMap<DiskRecord> {
    return this.#snapshots.at(revision, { current: this.#current, revision: this.#revision });
  }

  keepSnapshot(revision: Revision, map: SortedMap<DiskRecord>): void {
    this.#snapshots.keep(revision, map);
  }

  changesAfter(revision: Revision): Change<DiskRecord>[] {
    return this.#history.after(revision);
  }

  /** Takes the next record of the log into account; it is durable. */
  apply(record: DiskRecord): void {
    const previous = this.#current.get(record.key);
    this.#setCurrent(record);
    this.#revision = record.modRevision;
    const { type } = record;
    this.#history.append(previous === undefined ? { type, kv: record } : { type, kv: record, previous });
  }

  compact(revision: Revision): void {
    this.#history.compact(revision);
  }

  /** At most `countMax` revisions to remove, in no order. */
  takeGarbage(countMax: number): Revision[] {
    return this.#garbage.splice(Math.max(this.#garbage.length - countMax, 0));
  }

  /** Takes back what could not be removed. */
  giveBackGarbage(revisions: readonly Revision[]): void {
    this.#garbage.push(...revisions);
  }

  /** Every current record, for whoever must look at all of them once. */
  current(): IterableIterator<DiskRecord> {
    return this.#current.values();
  }

  #load(record: DiskRecord): void {
    if (record.modRevision <= this.#history.compactedRevision) {
      // A removal that was under way when the process ended left some records that nobody can ask for.
      const before = this.#current.get(record.key);
      if (before !== undefined) this.#garbage.push(before.modRevision);
      if (record.type === 'delete') this.#garbage.push(record.modRevision);
      this.#setCurrent(record);
      return;
    }
    if (record.modRevision !== this.#revision + 1) {
      throw new RangeError(`revision ${this.#revision + 1} is missing from the log`);
    }
    this.apply(record);
  }

  #setCurrent(record: DiskRecord): void {
    if (record.type === 'delete') this.#current.delete(record.key);
    else this.#current.set(record.key, record);
  }

  #discard({ type, kv, previous }: Change<DiskRecord>): void {
    if (previous !== undefined) this.#garbage.push(previous.modRevision);
    if (type === 'delete') this.#garbage.push(kv.modRevision);
  }
}
