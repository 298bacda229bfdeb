import type { Client, WatchEvent, WatchOptions } from '#client/client.ts';
import type { VirtualExecutor } from '#machinery/executor/executor.ts';
import type { KubeObject } from '#machinery/meta/types.ts';

/** A call that is not answered, and a watch that has no event, after this much virtual time has failed. */
export const WAIT_LIMIT_MS = 600_000;

/**
 * Runs a cluster under virtual time on behalf of a test: whatever drives the executor does so in turn, in the order in
 * which it was asked for, so that a run stays replayable however the test mixes its calls.
 */
export class Driver {
  readonly #executor: VirtualExecutor;
  #last: Promise<unknown> = Promise.resolve();
  // Turns that were asked for and have not ended.
  #turns = 0;

  constructor(executor: VirtualExecutor) {
    this.#executor = executor;
  }

  /** Whether others wait for their turn while one runs. */
  get isAwaited(): boolean {
    return this.#turns > 1;
  }

  /** Does `work` when all earlier turns have ended. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#turns += 1;
    const result = this.#last.then(work).finally(() => {
      this.#turns -= 1;
    });
    // A failure is the caller's; the next turn goes ahead.
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Runs the cluster until a promise is settled; time moves only where nothing else can bring that about. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await this.#executor.runUntil(() => isSettled, { limitMs: WAIT_LIMIT_MS, what: 'a call to the cluster' });
    return promise;
  }

  /** Makes a call in its turn and runs the cluster until it is answered. */
  call<T>(work: () => Promise<T>): Promise<T> {
    return this.inTurn(() => this.until(work()));
  }

  /**
   * Waits for what may never come, such as the next event: runs what can run now, and moves time only while nobody else
   * wants a turn.
   */
  async patiently<T>(promise: Promise<T>, what: string): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    const deadlineMs = this.#executor.clock.now() + WAIT_LIMIT_MS;
    while (!isSettled) {
      await this.inTurn(async () => {
        await this.#executor.runUntil(() => isSettled || this.#executor.runnable === 0, { limitMs: 0, what });
        if (isSettled || this.isAwaited) return;
        const limitMs = Math.max(0, deadlineMs - this.#executor.clock.now());
        await this.#executor.runUntil(() => isSettled || this.isAwaited, { limitMs, what });
      });
    }
    return promise;
  }
}

/** A client for a test under virtual time: each call runs the cluster until it is answered. */
export function drivenClient(client: Client, driver: Driver): Client {
  return {
    get: (resource, name, options) => driver.call(() => client.get(resource, name, options)),
    list: (resource, options) => driver.call(() => client.list(resource, options)),
    create: (resource, object, options) => driver.call(() => client.create(resource, object, options)),
    update: (resource, object, options) => driver.call(() => client.update(resource, object, options)),
    patch: (resource, name, patch, options) => driver.call(() => client.patch(resource, name, patch, options)),
    delete: (resource, name, options) => driver.call(() => client.delete(resource, name, options)),
    deleteCollection: (resource, options) => driver.call(() => client.deleteCollection(resource, options)),
    createSubresource: (resource, name, subresource, body, options) =>
      driver.call(() => client.createSubresource(resource, name, subresource, body, options)),
    raw: (request) => driver.call(() => client.raw(request)),
    close: () => client.close(),
    watch: (resource, options) =>
      drivenWatch(client.watch(resource, options), { driver, options, what: `watch of ${resource.resource}` }),
  };
}

/**
 * A watch that a test can simply loop over: waiting for an event runs the cluster. One that is read while the test also
 * makes other calls sees what these bring about, and moves time only while there are none.
 */
async function* drivenWatch<T extends KubeObject>(
  watch: AsyncIterable<WatchEvent<T>>,
  { driver, options, what }: { driver: Driver; options: WatchOptions; what: string },
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const events = watch[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await driver.patiently(events.next(), what);
      if (next.done === true || options.signal.aborted) return;
      yield next.value;
    }
  } finally {
    await events.return?.();
  }
}
