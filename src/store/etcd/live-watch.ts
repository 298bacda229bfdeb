import type { Clock, Timer } from '#machinery/clock/clock.ts';
import { integerOf } from '#net/grpc/message-codec.ts';
import { CompactedError, StoreClosedError, StoreUnavailableError } from '../errors.ts';
import type { Revision, StoreEvent, StoreEventBatch } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import type { KeySpace } from './key-space.ts';
import type { WireEvent, WireKeyValue } from './messages.ts';
import { isProgressTrusted } from './progress-version.ts';
import { type WatchEnd, WatchReader } from './watch-reader.ts';

/** How long events may take before the watch is asked to catch up: they normally follow within a few milliseconds. */
const NUDGE_AFTER_MS = 20;
/** A watch that is this far behind a revision that was read is given up for one at another member. */
const STUCK_AFTER_MS = 2_000;
const CREATE_TIMEOUT_MS = 5_000;
const RECONNECT_MS = 50;
const RECONNECT_MAX_MS = 1_000;
const CALL_TIMEOUT_MS = 2_000;

export interface LiveWatchDeps {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: KeySpace;
  /** Finds the writer's own bytes of a value that it sees come back. */
  readonly written: (key: string, value: Uint8Array) => Uint8Array | undefined;
  readonly onBatch: (batch: StoreEventBatch) => void;
  /** History was compacted before it could be read: what follows begins after `revision`. */
  readonly onGap: (error: CompactedError) => void;
  /** What etcd has is not what it had: nothing is delivered until `restartAt`. */
  readonly onReplaced: () => void;
  /** The watch goes on after an interruption, at a member that may have come from a backup. */
  readonly onResumed: () => void;
}

interface Waiter {
  readonly revision: Revision;
  readonly resolve: () => void;
}

/**
 * The one watch over all keys of the store. It follows the cluster from member to member and delivers every revision
 * once and in order; `reach` tells when it has come to a revision.
 */
export class LiveWatch {
  readonly #deps: LiveWatchDeps;
  /** Invariant: every event up to this revision was delivered, and none after it. */
  #position: Revision;
  /** The last position that was an event's; 0 before the first. */
  #eventPosition: Revision = 0;
  /** The last event delivered: whoever resumes from it must find it there again. */
  #last: WireEvent | undefined;
  #isResuming = false;
  /** Set while the history is known to be another one, and not yet where it is to be followed from. */
  #isReplaced = false;
  #reader: WatchReader | undefined;
  #isProgressTrusted = false;
  #hasConnected = false;
  #failures = 0;
  #retry: Timer | undefined;
  #createTimer: Timer | undefined;
  #waiters: Waiter[] = [];
  #nudging: Promise<void> | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  constructor(position: Revision, deps: LiveWatchDeps) {
    this.#deps = deps;
    this.#position = position;
    this.#connect();
  }

  get position(): Revision {
    return this.#position;
  }

  get eventPosition(): Revision {
    return this.#eventPosition;
  }

  /** Waits a little for the watch to come to `revision`, and does not mind when it does not. */
  async follow(revision: Revision, timeoutMs: number): Promise<void> {
    if (this.#position < revision) await this.#wait(revision, timeoutMs);
  }

  /**
   * Resolves when every event up to `revision` was delivered. Revisions of keys that are not the store's bring no event:
   * then the watch is moved on. Throws `StoreUnavailableError` where it cannot be done in time.
   */
  async reach(revision: Revision, timeoutMs: number): Promise<void> {
    if (this.#position >= revision || (await this.#wait(revision, NUDGE_AFTER_MS))) return;
    const endsAtMs = this.#deps.clock.monotonic() + timeoutMs;
    while (this.#deps.clock.monotonic() < endsAtMs) {
      const reader = this.#reader;
      await this.#nudge();
      const leftMs = endsAtMs - this.#deps.clock.monotonic();
      if (await this.#wait(revision, Math.min(STUCK_AFTER_MS, Math.max(leftMs, 1)))) return;
      if (reader !== undefined && reader === this.#reader) this.#restart(reader);
    }
    throw new StoreUnavailableError(
      `the watch on etcd is at revision ${this.#position} and does not come to ${revision}`,
      this.#failure === undefined ? {} : { cause: this.#failure },
    );
  }

  /** Makes an event of the store's own, so that the position becomes one of an event. */
  async advance(): Promise<Revision> {
    const { client, keys } = this.#deps;
    const request = { key: keys.progressKey, value: Buffer.alloc(0) };
    const { header } = await client.call('put', request, { timeoutMs: CALL_TIMEOUT_MS, retry: 'always' });
    return Number(header?.revision ?? 0);
  }

  /** Follows another history than before, from after `revision`. */
  restartAt(revision: Revision): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#createTimer?.cancel();
    this.#position = revision;
    this.#eventPosition = 0;
    this.#last = undefined;
    this.#isReplaced = false;
    this.#hasConnected = false;
    this.#failures = 0;
    this.#release();
    this.#reconnect();
  }

  close(): void {
    this.#isClosed = true;
    this.#reader?.close();
    this.#retry?.cancel();
    this.#createTimer?.cancel();
    for (const waiter of this.#waiters) waiter.resolve();
  }

  #connect(): void {
    if (this.#isClosed || this.#isReplaced) return;
    const { client, clock, keys } = this.#deps;
    this.#isProgressTrusted = false;
    this.#isResuming = this.#hasConnected;
    try {
      const reader: WatchReader = new WatchReader(client, {
        range: keys.range,
        // A deletion at the very revision that history was compacted to is gone, and no error tells: so a watch is resumed
        // from what it has seen. etcd lets watches of the past wait up to 100 ms, so the first one does without.
        startRevision: this.#hasConnected ? this.#position : this.#position + 1,
        onCreated: () => this.#created(reader),
        onEvents: (events, revision) => this.#deliver(events, revision),
        onProgress: (revision) => this.#progressed(revision),
        onEnd: (end) => this.#ended(reader, end),
      });
      this.#reader = reader;
      const timer = clock.setTimeout(() => this.#restart(reader), CREATE_TIMEOUT_MS, { unref: true });
      this.#createTimer = timer;
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#reconnect();
    }
  }

  #created(reader: WatchReader): void {
    this.#createTimer?.cancel();
    if (this.#isResuming) this.#deps.onResumed();
    this.#hasConnected = true;
    this.#failures = 0;
    this.#failure = undefined;
    this.#deps.client
      .callMember(reader.member, 'status', { request: {}, timeoutMs: CALL_TIMEOUT_MS })
      .then(({ version }) => {
        if (reader === this.#reader) this.#isProgressTrusted = isProgressTrusted(version);
      })
      // Without an answer the member stays untrusted, which costs a write now and then.
      .catch(() => undefined);
  }

  #deliver(wireEvents: readonly WireEvent[], revision: Revision): void {
    if (this.#isResuming && !this.#resumes(wireEvents)) return this.#replaced();
    this.#isResuming = false;
    if (revision <= this.#position) return;
    const { keys, written } = this.#deps;
    const events: StoreEvent[] = [];
    for (const wire of wireEvents) {
      const event = keys.event(wire, written);
      if (event !== undefined && event.kv.modRevision > this.#position) events.push(event);
    }
    this.#position = revision;
    this.#eventPosition = revision;
    this.#last = wireEvents.at(-1);
    this.#deps.onBatch({ events, revision });
    this.#release();
  }

  /**
   * Whether the first events after a resumption begin with what was seen last. A backup that was restored may have come
   * past that revision meanwhile. Of a deletion nothing may be left, so that only a put proves anything.
   */
  #resumes(wireEvents: readonly WireEvent[]): boolean {
    const { type: lastType, kv: last = null } = this.#last ?? {};
    if (last === null || lastType !== 0 || integerOf(last.modRevision) !== this.#position) return true;
    return wireEvents.some(({ type, kv }) => type === 0 && kv !== null && isSame(kv, last));
  }

  #replaced(): void {
    this.#isReplaced = true;
    this.#reader?.close();
    this.#reader = undefined;
    this.#position = 0;
    this.#deps.onReplaced();
  }

  #progressed(revision: Revision): void {
    if (!this.#isProgressTrusted || revision <= this.#position) return;
    this.#position = revision;
    this.#deps.onBatch({ events: [], revision });
    this.#release();
  }

  #release(): void {
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.revision <= this.#position);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#position);
    for (const waiter of ready) waiter.resolve();
  }

  async #wait(revision: Revision, timeoutMs: number): Promise<boolean> {
    if (this.#position < revision) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiter: Waiter = { revision, resolve };
      this.#waiters.push(waiter);
      const timer = this.#deps.clock.setTimeout(resolve, timeoutMs, { unref: true });
      await promise;
      timer.cancel();
      if (this.#position < revision) this.#waiters = this.#waiters.filter((other) => other !== waiter);
    }
    if (this.#isClosed) throw new StoreClosedError();
    return this.#position >= revision;
  }

  // One at a time, for all who wait.
  #nudge(): Promise<void> {
    if (this.#isProgressTrusted && this.#reader !== undefined) {
      this.#reader.requestProgress();
      return Promise.resolve();
    }
    this.#nudging ??= this.advance()
      .then(
        () => undefined,
        (error: unknown) => {
          this.#failure = error instanceof Error ? error : new Error(String(error));
        },
      )
      .finally(() => {
        this.#nudging = undefined;
      });
    return this.#nudging;
  }

  #restart(reader: WatchReader): void {
    if (reader !== this.#reader || this.#isClosed) return;
    reader.close();
    this.#ended(reader, { type: 'failed', error: new Error(`the watch at ${reader.endpoint} does not move`) });
  }

  #ended(reader: WatchReader, end: WatchEnd): void {
    if (this.#isClosed || (this.#reader !== reader && this.#reader !== undefined)) return;
    this.#createTimer?.cancel();
    this.#reader = undefined;
    if (end.type === 'compacted') {
      // What lies between is lost to the watch: whoever follows it must read anew.
      this.#position = Math.max(this.#position, end.revision);
      this.#deps.onGap(new CompactedError(end.revision));
    } else {
      this.#failure = end.error;
      this.#deps.client.leave(reader.member);
    }
    this.#reconnect();
  }

  #reconnect(): void {
    if (this.#isClosed || this.#isReplaced) return;
    const delayMs = this.#failures === 0 ? 0 : Math.min(RECONNECT_MS * 2 ** (this.#failures - 1), RECONNECT_MAX_MS);
    this.#failures++;
    this.#retry?.cancel();
    this.#retry = this.#deps.clock.setTimeout(() => this.#connect(), delayMs, { unref: true });
  }
}

function isSame(one: WireKeyValue, other: WireKeyValue): boolean {
  if (integerOf(one.modRevision) !== integerOf(other.modRevision)) return false;
  return Buffer.compare(one.key, other.key) === 0 && Buffer.compare(one.value, other.value) === 0;
}
