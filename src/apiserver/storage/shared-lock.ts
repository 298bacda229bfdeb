import type { Clock } from '#machinery/clock/clock.ts';
import { timeout } from '#machinery/errors/status-error.ts';
import type { Random } from '#machinery/random/random.ts';
import type { Revision, Store } from '#store/store.ts';

/** Behind all resources; no cache shows it. */
const PREFIX = '/registry/~tiphys/locks/';
/** The lock of a server that died is free after this. */
const TTL_SECONDS = 30;
/** Who held the lock this long must not count on it any more. */
const HOLD_MAX_MS = 20_000;
const WAIT_MAX_MS = 20_000;
const POLL_MS = 2;
const POLL_MAX_MS = 20;
/** Writers of this server join whoever of them holds the lock, for this long; then others may have it. */
const ROUND_MS = 100;
/** How long a server that wants it again leaves it free: about as long as others pause between attempts. */
const FREE_MS = 10;

export interface SharedLockDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Brings the caches to the newest revision. */
  readonly refresh: () => Promise<unknown>;
}

interface Round {
  /** Settles when the lock is held and the caches show what holders before wrote; gives the time it was got. */
  readonly held: Promise<number>;
  /** Writers that have not ended; the round ends with the last one. */
  working: number;
  joinUntilMs: number;
  readonly end: () => void;
}

/**
 * One server at a time among all on one store. Whoever gets it sees everything that holders before it wrote. For writes
 * that are judged by more than the object they write, such as giving out addresses. Writers of one server hold it
 * together: they know of one another.
 */
export class SharedLock {
  readonly #deps: SharedLockDeps;
  readonly #key: string;
  /** The round before this one, until the lock is free again. */
  #last: Promise<void> = Promise.resolve();
  #round: Round | undefined;

  constructor(name: string, deps: SharedLockDeps) {
    this.#key = PREFIX + name;
    this.#deps = deps;
  }

  /** Runs `work` while holding the lock. `work` calls `stillHeld` before its write: it throws when time has run out. */
  async hold<T>(work: (stillHeld: () => void) => Promise<T>): Promise<T> {
    const { clock } = this.#deps;
    const askedAtMs = clock.monotonic();
    if (this.#round === undefined || askedAtMs > this.#round.joinUntilMs) this.#round = this.#start();
    const round = this.#round;
    round.working++;
    try {
      const heldAtMs = await round.held;
      return await work(() => {
        if (clock.monotonic() - heldAtMs > HOLD_MAX_MS) throw busy(clock.monotonic() - askedAtMs);
      });
    } finally {
      round.working--;
      if (round.working === 0) round.end();
    }
  }

  #start(): Round {
    const { store, clock, random, refresh } = this.#deps;
    const over = Promise.withResolvers<void>();
    const acquired = this.#last.then(() => this.#acquire());
    const refreshed = acquired.then(async () => {
      const heldAtMs = clock.monotonic();
      round.joinUntilMs = heldAtMs + ROUND_MS;
      await refresh();
      return heldAtMs;
    });
    const round: Round = {
      held: refreshed,
      working: 0,
      joinUntilMs: Number.POSITIVE_INFINITY,
      end: () => {
        if (this.#round === round) this.#round = undefined;
        over.resolve();
      },
    };
    const release = async () => {
      const revision = await acquired;
      await over.promise;
      await store.commit({ key: this.#key, value: undefined, expectedRevision: revision });
      if (this.#round !== undefined) await clock.sleep(FREE_MS * (0.5 + random.float()));
    };
    // Where this fails the lock runs out by itself; the next one's turn comes whatever became of this one.
    this.#last = release().catch(() => undefined);
    return round;
  }

  async #acquire(): Promise<Revision> {
    const { store, clock, random } = this.#deps;
    const startedAtMs = clock.monotonic();
    const value = Buffer.from(random.uuid());
    for (let attempt = 0; ; attempt++) {
      const result = await store.commit({ key: this.#key, value, expectedRevision: 0, ttlSeconds: TTL_SECONDS });
      if (result.type === 'committed') return result.revision;
      if (clock.monotonic() - startedAtMs > WAIT_MAX_MS) throw busy(WAIT_MAX_MS);
      await clock.sleep(Math.min(POLL_MS * 2 ** Math.min(attempt, 4), POLL_MAX_MS) * (0.5 + random.float()));
    }
  }
}

function busy(ms: number): Error {
  return timeout(`another API server was busy with the same for ${Math.round(ms / 1000)} s`, 1);
}
