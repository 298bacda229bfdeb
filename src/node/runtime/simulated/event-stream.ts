// A listener that falls this far behind has stopped listening; it starts over and reads everything again.
const BACKLOG_MAX = 10_000;

/** Events for many listeners, each with its own bounded backlog. */
export class EventStream<T> {
  readonly #listeners = new Set<{ backlog: T[]; wake: (() => void) | undefined }>();

  emit(event: T): void {
    for (const listener of this.#listeners) {
      if (listener.backlog.length >= BACKLOG_MAX) this.#listeners.delete(listener);
      else listener.backlog.push(event);
      listener.wake?.();
    }
  }

  async *listen(signal: AbortSignal): AsyncGenerator<T> {
    const listener: { backlog: T[]; wake: (() => void) | undefined } = { backlog: [], wake: undefined };
    this.#listeners.add(listener);
    const onAbort = () => listener.wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const event = listener.backlog.shift();
        if (event !== undefined) {
          yield event;
          continue;
        }
        if (!this.#listeners.has(listener)) return;
        await new Promise<void>((resolve) => {
          listener.wake = resolve;
        });
        listener.wake = undefined;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#listeners.delete(listener);
    }
  }
}
