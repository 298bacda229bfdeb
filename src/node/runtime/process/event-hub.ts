import type { RuntimeEvent } from '../contract.ts';

// A subscriber that falls behind loses the oldest events: they only say "look again".
const BACKLOG_MAX = 10_000;

/** Hands each event to every subscriber that is there. */
export class EventHub {
  readonly #subscribers = new Set<(event: RuntimeEvent) => void>();

  publish(event: RuntimeEvent): void {
    for (const deliver of this.#subscribers) deliver(event);
  }

  /** Sees events from this call on; ends when the signal fires. */
  subscribe(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const backlog: RuntimeEvent[] = [];
    let wake: () => void = () => undefined;
    const deliver = (event: RuntimeEvent): void => {
      backlog.push(event);
      if (backlog.length > BACKLOG_MAX) backlog.shift();
      wake();
    };
    this.#subscribers.add(deliver);
    const stop = (): void => {
      this.#subscribers.delete(deliver);
      wake();
    };
    signal.addEventListener('abort', stop, { once: true });
    return follow({ backlog, signal, stop, sleep: () => new Promise((resolve) => (wake = resolve)) });
  }
}

async function* follow(subscription: {
  backlog: RuntimeEvent[];
  signal: AbortSignal;
  stop: () => void;
  sleep: () => Promise<void>;
}): AsyncGenerator<RuntimeEvent> {
  const { backlog, signal } = subscription;
  try {
    while (!signal.aborted) {
      const event = backlog.shift();
      if (event === undefined) await subscription.sleep();
      else yield event;
    }
  } finally {
    signal.removeEventListener('abort', subscription.stop);
    subscription.stop();
  }
}
