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
const POLL_MS = 5;
const POLL_MAX_MS = 50;

export interface SharedLockDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Brings the caches to the newest revision. */
  readonly refresh: () => Promise<unknown>;
}

/**
 * One holder at a time among all servers on one store. Whoever gets it sees everything that holders before it wrote. For
 * rare writes that are judged by more than the object they write, such as giving out addresses.
 */
export class SharedLock {
  readonly #deps: SharedLockDeps;
  readonly #key: string;
  /** Writers of this process wait for one another without asking the store. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string, deps: SharedLockDeps) {
    this.#key = PREFIX + name;
    this.#deps = deps;
  }

  /** Runs `work` while holding the lock. `work` calls `stillHeld` before its write: it throws when time has run out. */
  hold<T>(work: (stillHeld: () => void) => Promise<T>): Promise<T> {
    const run = this.#last.then(() => this.#hold(work));
    // The next one's turn comes whatever became of this one.
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #hold<T>(work: (stillHeld: () => void) => Promise<T>): Promise<T> {
    const { store, clock, refresh } = this.#deps;
    const askedAtMs = clock.monotonic();
    const revision = await this.#acquire();
    const heldAtMs = clock.monotonic();
    try {
      await refresh();
      return await work(() => {
        if (clock.monotonic() - heldAtMs > HOLD_MAX_MS) throw busy(clock.monotonic() - askedAtMs);
      });
    } finally {
      // Where this fails the lock runs out by itself.
      await store.commit({ key: this.#key, value: undefined, expectedRevision: revision }).catch(() => undefined);
    }
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
