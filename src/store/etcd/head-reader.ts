import type { Revision } from '../store.ts';

/**
 * Asks for the newest revision on behalf of many readers at once. A reader may only use an answer to a question that
 * was asked after the reader came: so those who come while one is under way share the next.
 */
export class HeadReader {
  readonly #ask: () => Promise<Revision>;
  #current: Promise<Revision> | undefined;
  #next: Promise<Revision> | undefined;

  constructor(ask: () => Promise<Revision>) {
    this.#ask = ask;
  }

  read(): Promise<Revision> {
    if (this.#next !== undefined) return this.#next;
    if (this.#current === undefined) return this.#start();
    const next = this.#current.then(
      () => this.#start(),
      () => this.#start(),
    );
    this.#next = next;
    return next;
  }

  #start(): Promise<Revision> {
    this.#next = undefined;
    const current = this.#ask().finally(() => {
      if (this.#current === current) this.#current = undefined;
    });
    this.#current = current;
    return current;
  }
}
