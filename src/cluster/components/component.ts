import type { Client } from '#client/client.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Logger } from '#machinery/log/logger.ts';

/** What every component that runs alone is given. */
export interface ComponentDeps {
  readonly client: Client;
  readonly executor: Executor;
  readonly log: Logger;
}

export interface RunningComponent {
  /** Settles when nothing of it runs any more. */
  stop(): Promise<void>;
}

/** A component of which there may be several, one of them at work. */
export interface ElectedComponent extends RunningComponent {
  /** Settles when the lease went to somebody else: the process must then end, as its state is no longer the truth. */
  readonly lost: Promise<void>;
}

/** Stops what was started, the latest first, however many of them fail. */
export class Closers {
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  add(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  async closeAll(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) {
      await close().catch((error: unknown) => this.#log.error('a part did not stop', { error }));
    }
  }
}
