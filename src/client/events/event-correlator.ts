import type { CoreEvent } from '#api/generated/types.ts';
import { type Clock, formatTime } from '#machinery/clock/clock.ts';
import { ByteLru } from '#machinery/lru/byte-lru.ts';
import { TokenBucket } from '../queue/token-bucket.ts';

// Upstream's numbers (client-go tools/record).
const CACHE_ENTRIES_MAX = 4096;
const SIMILAR_EVENTS_MAX = 10;
const SIMILAR_INTERVAL_MS = 600_000;
const SPAM_BURST = 25;
const SPAM_PER_SECOND = 1 / 300;
const COMBINED_PREFIX = '(combined from similar events): ';

/** What becomes of an event: nothing, a new object, or one more occurrence of an object that is there. */
export type Correlated =
  | { readonly type: 'skip' }
  | { readonly type: 'create'; readonly event: CoreEvent }
  | { readonly type: 'patch'; readonly event: CoreEvent; readonly patch: Partial<CoreEvent> };

interface Aggregate {
  /** The different messages of late, in the order they came. */
  readonly messages: Set<string>;
  readonly lastAtMs: number;
}

interface Observation {
  readonly name: string;
  readonly firstTimestamp: string;
  readonly count: number;
}

/**
 * Keeps a component from flooding the server: the same event again counts up the first one, many events that differ in
 * their message only become one, and a source that has too much to say about one object is not heard for a while.
 */
export class EventCorrelator {
  readonly #clock: Clock;
  readonly #nameFor: (event: CoreEvent) => string;
  readonly #aggregates = lru<Aggregate>();
  readonly #observations = lru<Observation>();
  readonly #buckets = lru<TokenBucket>();

  /** `nameFor` makes the name of a new event object. */
  constructor(deps: { clock: Clock; nameFor: (event: CoreEvent) => string }) {
    this.#clock = deps.clock;
    this.#nameFor = deps.nameFor;
  }

  correlate(event: CoreEvent): Correlated {
    const { event: aggregated, key } = this.#aggregate(event);
    const observed = this.#observe(aggregated, key);
    return this.#isSpam(observed.event) ? { type: 'skip' } : observed;
  }

  #aggregate(event: CoreEvent): { event: CoreEvent; key: string } {
    const key = aggregateKey(event);
    const nowMs = this.#clock.now();
    const before = this.#aggregates.get(key);
    const isRecent = before !== undefined && nowMs - before.lastAtMs <= SIMILAR_INTERVAL_MS;
    const messages = isRecent ? before.messages : new Set<string>();
    messages.add(event.message ?? '');
    this.#aggregates.set(key, { messages, lastAtMs: nowMs });
    if (messages.size < SIMILAR_EVENTS_MAX) return { event, key: eventKey(event) };
    for (const oldest of messages) {
      messages.delete(oldest);
      break;
    }
    const now = formatTime(nowMs);
    const combined: CoreEvent = {
      ...event,
      metadata: { ...event.metadata, name: this.#nameFor(event) },
      message: `${COMBINED_PREFIX}${event.message ?? ''}`,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
    };
    return { event: combined, key };
  }

  #observe(event: CoreEvent, key: string): Exclude<Correlated, { type: 'skip' }> {
    const before = this.#observations.get(key);
    const count = (before?.count ?? 0) + 1;
    const name = before?.name ?? event.metadata.name ?? '';
    const firstTimestamp = before?.firstTimestamp ?? event.firstTimestamp ?? '';
    this.#observations.set(key, { name, firstTimestamp, count });
    if (before === undefined) return { type: 'create', event };
    const { lastTimestamp = '', message = '' } = event;
    const observed: CoreEvent = { ...event, metadata: { ...event.metadata, name }, firstTimestamp, count };
    return { type: 'patch', event: observed, patch: { count, lastTimestamp, message } };
  }

  #isSpam(event: CoreEvent): boolean {
    const key = spamKey(event);
    const bucket =
      this.#buckets.get(key) ??
      new TokenBucket({ clock: this.#clock }, { perSecond: SPAM_PER_SECOND, burst: SPAM_BURST });
    this.#buckets.set(key, bucket);
    return !bucket.tryTake();
  }
}

function lru<V>(): ByteLru<string, V> {
  return new ByteLru<string, V>({ maxBytes: CACHE_ENTRIES_MAX, sizeOf: () => 1 });
}

/** Who says something about which object. */
function spamKey({ source, involvedObject }: CoreEvent): string {
  const { kind, namespace, name, uid, apiVersion } = involvedObject;
  return JSON.stringify([source?.component, source?.host, kind, namespace, name, uid, apiVersion]);
}

/** The same but for the message. */
function aggregateKey(event: CoreEvent): string {
  const { type, reason, reportingComponent, reportingInstance } = event;
  return JSON.stringify([spamKey(event), type, reason, reportingComponent, reportingInstance]);
}

/** The same event. */
function eventKey(event: CoreEvent): string {
  const { type, reason, message, involvedObject } = event;
  return JSON.stringify([spamKey(event), involvedObject.fieldPath, type, reason, message]);
}
