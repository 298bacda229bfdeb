import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';
import { CompactedError, StoreClosedError } from '#store/errors.ts';
import type { Revision, Store, StoreEventBatch, StoreSubscription } from '#store/store.ts';

/** Everything of Kubernetes lies below this key. */
export const ROOT = '/registry/';
/** Pauses between attempts to follow the store again. */
const RECOVER_MS = 100;
const RECOVER_MAX_MS = 2_000;
/** How long a health check waits for the store, as upstream's. */
const CHECK_TIMEOUT_MS = 2_000;
/** `/readyz` asks twice, by two names, and others ask for the parts. */
const CHECK_SHARED_MS = 250;

export interface StoreFollowerDeps {
  readonly store: Store;
  readonly executor: Executor;
  readonly log: Logger;
  /** Where the caches are: following goes on from there. */
  readonly revision: () => Revision;
  readonly onBatch: (batch: StoreEventBatch) => void;
  /** The subscription ended; `reload` or a call of `onBatch` comes next, if the store was not closed. */
  readonly onLost: (error: Error) => void;
  /** Reads everything anew, between `head` and what `subscribe` tells from there. Throws where it must be done again. */
  readonly reload: (head: Revision, subscribe: () => Promise<void>) => Promise<void>;
}

/**
 * Keeps one subscription to everything in the store. When it ends, it goes on where the caches are; where the history
 * from there is gone, or is another one, the caches are read anew.
 */
export class StoreFollower {
  readonly #deps: StoreFollowerDeps;
  #subscription: StoreSubscription | undefined;
  #gaps = 0;
  #timer: Disposable | undefined;
  #failure: Error | undefined;
  #mustReload = false;
  #isClosed = false;
  /** The latest check, which serves all who ask within a short time, as upstream limits them. */
  #checked: { readonly result: Promise<string | undefined>; untilMs: number } | undefined;

  constructor(deps: StoreFollowerDeps) {
    this.#deps = deps;
  }

  /** Why the store is not followed; undefined while it is. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** How often the subscription ended: what was read before may lack events. */
  get gaps(): number {
    return this.#gaps;
  }

  async subscribe(afterRevision: Revision): Promise<void> {
    this.#subscription = await this.#deps.store.subscribe({
      prefix: ROOT,
      afterRevision,
      onBatch: this.#deps.onBatch,
      onEnd: (error) => this.#ended(error),
    });
  }

  /** What is wrong with the store, for health checks; undefined where it answers in time and is followed. */
  check(): Promise<string | undefined> {
    const { clock } = this.#deps.executor;
    if (this.#checked === undefined || clock.monotonic() > this.#checked.untilMs) {
      const checked = { result: this.#check(), untilMs: Number.POSITIVE_INFINITY };
      void checked.result.then(() => {
        checked.untilMs = clock.monotonic() + CHECK_SHARED_MS;
      });
      this.#checked = checked;
    }
    return this.#checked.result;
  }

  async #check(): Promise<string | undefined> {
    const { store, executor } = this.#deps;
    const timeout = Promise.withResolvers<never>();
    const fail = () => timeout.reject(new Error(`the store did not answer within ${CHECK_TIMEOUT_MS} ms`));
    const timer = executor.clock.setTimeout(fail, CHECK_TIMEOUT_MS, { unref: true });
    try {
      await Promise.race([store.head(), timeout.promise]);
      return this.#failure?.message;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      timer.cancel();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#subscription?.close();
    this.#timer?.[Symbol.dispose]();
  }

  #ended(error: Error): void {
    if (this.#isClosed) return;
    this.#failure = error;
    this.#subscription = undefined;
    this.#gaps++;
    const { log, onLost } = this.#deps;
    log.error('the store ended the subscription of the watch caches', { error: error.message });
    onLost(error);
    if (error instanceof CompactedError) this.#mustReload = true;
    if (!(error instanceof StoreClosedError)) this.#schedule(0);
  }

  #schedule(attempt: number): void {
    const { executor, log } = this.#deps;
    const delayMs = Math.min(RECOVER_MS * 2 ** attempt, RECOVER_MAX_MS);
    this.#timer?.[Symbol.dispose]();
    this.#timer = executor.clock.setTimeout(
      () => {
        executor.post('watch', () => {
          if (this.#isClosed) return;
          this.#recover().catch((error: unknown) => {
            if (this.#isClosed || error instanceof StoreClosedError) return;
            if (error instanceof CompactedError) this.#mustReload = true;
            log.warn('cannot follow the store yet', { error: String(error) });
            this.#schedule(attempt + 1);
          });
        });
      },
      delayMs,
      { unref: true },
    );
  }

  async #recover(): Promise<void> {
    const { revision, log } = this.#deps;
    const gaps = this.#gaps;
    if (this.#mustReload) await this.#reload();
    else await this.subscribe(revision());
    // It ended again meanwhile, and has been scheduled again.
    if (gaps !== this.#gaps) return;
    this.#mustReload = false;
    this.#failure = undefined;
    log.info('the watch caches follow the store again', { revision: revision() });
  }

  async #reload(): Promise<void> {
    const { store, reload } = this.#deps;
    const head = await store.head();
    this.#subscription?.close();
    try {
      await reload(head, () => this.subscribe(head));
    } catch (error) {
      // Everything is read anew at the next attempt; until then nothing claims to be fresh.
      this.#subscription?.close();
      this.#subscription = undefined;
      throw error;
    }
  }
}
