import { EVENTS } from '#api/generated/resources.ts';
import type { CoreEvent, ObjectReference } from '#api/generated/types.ts';
import { type Clock, formatTime } from '#machinery/clock/clock.ts';
import { isAlreadyExists, isNotFound, StatusError } from '#machinery/errors/status-error.ts';
import { type Logger, silentLogger } from '#machinery/log/logger.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { Random } from '#machinery/random/random.ts';
import type { Client } from '../client.ts';
import { type Correlated, EventCorrelator } from './event-correlator.ts';

// Upstream's numbers (client-go tools/record).
const QUEUE_EVENTS_MAX = 1000;
const TRIES_MAX = 12;
const RETRY_MS = 10_000;
const NANOSECONDS_IN_MS = 1_000_000;

export interface EventRecorderDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  /** Who reports: `kubelet`, `default-scheduler`, `deployment-controller`. */
  readonly component: string;
  /** The node it runs on, where it speaks for one. */
  readonly host?: string;
  readonly log?: Logger;
}

export interface EventDetails {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** What was done or tried. */
  readonly action?: string;
  /** The part of the object it is about: `spec.containers{web}`. */
  readonly fieldPath?: string;
  readonly related?: ObjectReference;
  readonly annotations?: Record<string, string>;
}

/**
 * Records what happened to objects as core/v1 Events, with upstream's correlation. Recording never blocks and never
 * fails: events wait in a bounded queue and are written one after the other; what the server refuses is logged.
 */
export class EventRecorder {
  readonly #deps: EventRecorderDeps;
  readonly #log: Logger;
  readonly #correlator: EventCorrelator;
  readonly #queue: CoreEvent[] = [];
  readonly #closing = new AbortController();
  #writer: Promise<void> | undefined;

  constructor(deps: EventRecorderDeps) {
    this.#deps = deps;
    this.#log = deps.log ?? silentLogger;
    this.#correlator = new EventCorrelator({
      clock: deps.clock,
      nameFor: (event) => this.#newName(event.involvedObject.name ?? ''),
    });
  }

  /** `object`: what it is about, or a reference to it. */
  event(object: KubeObject | ObjectReference, details: EventDetails): void {
    if (this.#closing.signal.aborted) return;
    const reference = { ...referenceTo(object), ...fieldPathOf(details) };
    if (this.#queue.length >= QUEUE_EVENTS_MAX) {
      this.#log.error('unable to record event: too many queued events, dropped event', { reason: details.reason });
      return;
    }
    this.#queue.push(this.#newEvent(reference, details));
    this.#startWriter();
  }

  #startWriter(): void {
    // Cleared from outside: a run that skips everything ends before this assignment.
    this.#writer ??= this.#writeAll().finally(() => {
      this.#writer = undefined;
      if (this.#queue.length > 0) this.#startWriter();
    });
  }

  /** Settles when every event recorded so far was written or given up. */
  async flush(): Promise<void> {
    while (this.#writer !== undefined) await this.#writer;
  }

  /** Takes no more events, gives up retries, and settles when nothing runs any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.flush();
  }

  #newEvent(involvedObject: ObjectReference, details: EventDetails): CoreEvent {
    const { component, host, clock } = this.#deps;
    const { type, reason, message, action, related, annotations } = details;
    const now = formatTime(clock.now());
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: this.#newName(involvedObject.name ?? ''),
        namespace: namespaceOf(involvedObject),
        ...(annotations === undefined ? {} : { annotations }),
      },
      involvedObject,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      type,
      ...(action === undefined ? {} : { action }),
      ...(related === undefined ? {} : { related }),
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }

  /** `NAME.HEX`: the time in nanoseconds. Those that the clock does not have are random, so that names differ. */
  #newName(name: string): string {
    const { clock, random } = this.#deps;
    const nanoseconds = BigInt(Math.floor(clock.now())) * BigInt(NANOSECONDS_IN_MS);
    return `${name}.${(nanoseconds + BigInt(random.int(NANOSECONDS_IN_MS))).toString(16)}`;
  }

  async #writeAll(): Promise<void> {
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      const correlated = this.#correlator.correlate(event);
      if (correlated.type !== 'skip') await this.#write(correlated);
    }
  }

  async #write(correlated: Exclude<Correlated, { type: 'skip' }>): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#closing;
    for (let tries = 1; ; tries++) {
      try {
        await this.#send(correlated);
        return;
      } catch (error) {
        // Only the answer to an earlier try was lost.
        if (tries > 1 && isAlreadyExists(error)) return;
        // The server has answered: asking again changes nothing. Without an answer it may come back.
        const isFinal = error instanceof StatusError || tries >= TRIES_MAX || signal.aborted;
        const { reason, involvedObject } = correlated.event;
        this.#log.warn(isFinal ? 'cannot write event' : 'cannot write event, will retry', {
          reason,
          object: `${involvedObject.namespace ?? ''}/${involvedObject.name ?? ''}`,
          error: String(error),
        });
        if (isFinal) return;
      }
      const delayMs = tries === 1 ? RETRY_MS * this.#deps.random.float() : RETRY_MS;
      await clock.sleep(delayMs, { signal }).catch(() => undefined);
    }
  }

  async #send(correlated: Exclude<Correlated, { type: 'skip' }>): Promise<void> {
    const { client } = this.#deps;
    const { event } = correlated;
    if (correlated.type === 'patch') {
      const { name = '', namespace = '' } = event.metadata;
      try {
        await client.patch(EVENTS, { name, namespace }, { type: 'strategic', body: correlated.patch });
        return;
      } catch (error) {
        // It has expired meanwhile: it starts anew under its old name.
        if (!isNotFound(error)) throw error;
      }
    }
    await client.create(EVENTS, event);
  }
}

function referenceTo(object: KubeObject | ObjectReference): ObjectReference {
  if (!('metadata' in object)) return object;
  const { apiVersion, kind, metadata } = object;
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    apiVersion,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

function fieldPathOf({ fieldPath }: EventDetails): { fieldPath?: string } {
  return fieldPath === undefined ? {} : { fieldPath };
}

/** Events about objects without a namespace are in `default`. */
function namespaceOf({ namespace }: ObjectReference): string {
  return namespace === undefined || namespace === '' ? 'default' : namespace;
}
