import type { Revision, StoreEvent, StoreEventBatch, StoreSubscription, SubscribeOptions } from '../store.ts';

interface Subscriber {
  readonly prefix: string;
  readonly onBatch: (batch: StoreEventBatch) => void;
  readonly onEnd: (error: Error) => void;
  /** Every event up to this revision was delivered, or was not wanted. */
  delivered: Revision;
  isClosed: boolean;
}

/**
 * Hands batches of events to subscribers, one batch after the other even where a subscriber writes from within its
 * callback. Every subscriber is told of every batch, with the events of its prefix only: a batch without events is its
 * news that nothing else happened up to that revision.
 */
export class Subscribers {
  readonly #subscribers = new Set<Subscriber>();
  // Invariant: non-empty only while `deliver` runs further up the stack.
  readonly #queue: StoreEventBatch[] = [];
  #isDelivering = false;

  /** Delivers `history` (the events after `afterRevision`, in batches) at once, and what comes later as it comes. */
  add(options: SubscribeOptions, history: Iterable<StoreEventBatch>): StoreSubscription {
    const { prefix, afterRevision, onBatch, onEnd } = options;
    const subscriber: Subscriber = { prefix, onBatch, onEnd, delivered: afterRevision, isClosed: false };
    this.#subscribers.add(subscriber);
    try {
      for (const batch of history) this.#deliverTo(subscriber, batch);
    } catch (error) {
      // Its history could not be read: there is no subscription.
      this.#remove(subscriber);
      throw error;
    }
    return { close: () => this.#remove(subscriber) };
  }

  /** Returns after every subscriber was called, unless it is called by a subscriber: then that happens right after. */
  deliver(batch: StoreEventBatch): void {
    this.#queue.push(batch);
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const subscriber of this.#subscribers) this.#deliverTo(subscriber, next);
      }
    } finally {
      this.#isDelivering = false;
    }
  }

  /** Ends every subscription. */
  end(error: Error): void {
    for (const subscriber of this.#subscribers) this.#endOne(subscriber, error);
  }

  #deliverTo(subscriber: Subscriber, batch: StoreEventBatch): void {
    if (subscriber.isClosed || batch.revision <= subscriber.delivered) return;
    const events = eventsFor(subscriber, batch.events);
    subscriber.delivered = batch.revision;
    try {
      subscriber.onBatch({ events, revision: batch.revision });
    } catch (error) {
      // A subscriber that threw has lost events: its subscription cannot go on, the others must.
      this.#endOne(subscriber, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #endOne(subscriber: Subscriber, error: Error): void {
    if (subscriber.isClosed) return;
    this.#remove(subscriber);
    subscriber.onEnd(error);
  }

  #remove(subscriber: Subscriber): void {
    subscriber.isClosed = true;
    this.#subscribers.delete(subscriber);
  }
}

function eventsFor({ prefix, delivered }: Subscriber, events: readonly StoreEvent[]): StoreEvent[] {
  return events.filter(({ kv }) => kv.modRevision > delivered && kv.key.startsWith(prefix));
}
