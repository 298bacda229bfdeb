import type { Clock, Timer } from '#machinery/clock/clock.ts';
import { Heap } from '#machinery/queue/heap.ts';
import type { PodInfo } from '../core/pod-info.ts';
import type { ClusterEvent, Plugin } from '../framework/plugin.ts';

/** Upstream's `podInitialBackoffSeconds` and `podMaxBackoffSeconds`. */
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 10_000;
/** A pod that no event woke is tried again after this time all the same, in case a hint was wrong. */
const UNSCHEDULABLE_MAX_MS = 5 * 60_000;

type Place = 'active' | 'backoff' | 'unschedulable' | 'inFlight' | 'gated';

/** A pod that waits for a node. */
export interface QueuedPod {
  info: PodInfo;
  place: Place;
  /** Monotonic; decides among pods of one priority. */
  readonly queuedAtMs: number;
  /** Cycles that found no node. */
  attempts: number;
  lastFailureMs: number;
  /** Plugins that rejected it, by name; empty: the cycle failed for another reason. */
  rejectors: ReadonlySet<string>;
}

interface Entry {
  readonly queued: QueuedPod;
  readonly order: number;
}

/**
 * Pods without a node: ready to be tried (most important first), waiting out their back-off, or waiting for an event
 * that may help. Invariant: a pod is in one place; entries of heaps that its place contradicts are skipped.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #plugins: ReadonlyMap<string, Plugin>;
  readonly #onReady: () => void;
  readonly #pods = new Map<string, QueuedPod>();
  readonly #active = new Heap<Entry>(compareEntries);
  readonly #unschedulable = new Set<string>();
  readonly #backoff = new Set<string>();
  /** Events during a cycle or a binding, for pods that come back from it. */
  #eventCount = 0;
  #order = 0;
  #timer: { readonly timer: Timer; readonly atMs: number } | undefined;

  constructor(deps: { clock: Clock; plugins: readonly Plugin[]; onReady: () => void }) {
    this.#clock = deps.clock;
    this.#plugins = new Map(deps.plugins.map((plugin) => [plugin.name, plugin]));
    this.#onReady = deps.onReady;
  }

  get size(): number {
    return this.#pods.size;
  }

  /** How many pods wait where. */
  counts(): Record<Place, number> {
    const counts = { active: 0, backoff: 0, unschedulable: 0, inFlight: 0, gated: 0 };
    for (const { place } of this.#pods.values()) counts[place]++;
    return counts;
  }

  get(uid: string): QueuedPod | undefined {
    return this.#pods.get(uid);
  }

  /** A pod that was seen for the first time, or that changed. A change of its spec or labels may help it. */
  set(info: PodInfo, options: { mayHelp: boolean }): void {
    const known = this.#pods.get(info.uid);
    if (known === undefined) {
      const queued: QueuedPod = {
        info,
        place: 'gated',
        queuedAtMs: this.#clock.monotonic(),
        attempts: 0,
        lastFailureMs: 0,
        rejectors: new Set(),
      };
      this.#pods.set(info.uid, queued);
      this.#activate(queued);
      return;
    }
    known.info = info;
    if (known.place === 'gated') this.#activate(known);
    else if (options.mayHelp && known.place === 'unschedulable') this.#wake(known);
  }

  remove(uid: string): void {
    this.#pods.delete(uid);
    this.#unschedulable.delete(uid);
    this.#backoff.delete(uid);
  }

  /** The next pod to try, now in flight until it is removed or comes back by `failed`. */
  pop(): QueuedPod | undefined {
    for (;;) {
      const entry = this.#active.pop();
      if (entry === undefined) return undefined;
      const { queued } = entry;
      if (queued.place !== 'active' || this.#pods.get(queued.info.uid) !== queued) continue;
      queued.place = 'inFlight';
      return queued;
    }
  }

  /** Marks the state of the cluster that a cycle sees; give it back to `failed`. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** A cycle found no node, or the binding failed (no rejectors). */
  failed(queued: QueuedPod, rejectors: ReadonlySet<string>, seenEvents: number): void {
    if (this.#pods.get(queued.info.uid) !== queued) return;
    queued.attempts++;
    queued.lastFailureMs = this.#clock.monotonic();
    queued.rejectors = rejectors;
    // What happened meanwhile may already have helped.
    if (rejectors.size === 0 || seenEvents !== this.#eventCount) this.#backOff(queued);
    else {
      queued.place = 'unschedulable';
      this.#unschedulable.add(queued.info.uid);
      this.#wakeAt(queued.lastFailureMs + UNSCHEDULABLE_MAX_MS);
    }
  }

  /** Wakes the pods that an event may help, by the hints of the plugins that rejected them. */
  happened(event: ClusterEvent): void {
    this.#eventCount++;
    for (const uid of this.#unschedulable) {
      const queued = this.#pods.get(uid);
      if (queued !== undefined && this.#isHelped(queued, event)) this.#wake(queued);
    }
  }

  close(): void {
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    this.#pods.clear();
    this.#active.clear();
    this.#unschedulable.clear();
    this.#backoff.clear();
  }

  #isHelped(queued: QueuedPod, event: ClusterEvent): boolean {
    for (const name of queued.rejectors) {
      const plugin = this.#plugins.get(name);
      if (plugin?.isHelpedBy === undefined || plugin.isHelpedBy(event, queued.info)) return true;
    }
    return false;
  }

  #wake(queued: QueuedPod): void {
    this.#unschedulable.delete(queued.info.uid);
    this.#backOff(queued);
  }

  #backOff(queued: QueuedPod): void {
    if (this.#readyAtMs(queued) <= this.#clock.monotonic()) {
      this.#activate(queued);
      return;
    }
    queued.place = 'backoff';
    this.#backoff.add(queued.info.uid);
    this.#wakeAt(this.#readyAtMs(queued));
  }

  #readyAtMs(queued: QueuedPod): number {
    if (queued.attempts === 0) return 0;
    return queued.lastFailureMs + Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (queued.attempts - 1));
  }

  #activate(queued: QueuedPod): void {
    this.#backoff.delete(queued.info.uid);
    for (const plugin of this.#plugins.values()) {
      if (plugin.preEnqueue?.(queued.info.pod) !== undefined) {
        queued.place = 'gated';
        return;
      }
    }
    queued.place = 'active';
    this.#active.push({ queued, order: this.#order++ });
    this.#onReady();
  }

  /** One timer, for the earliest end of a back-off or of a wait. */
  #wakeAt(atMs: number): void {
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.max(0, atMs - this.#clock.monotonic());
    const timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#tick();
      },
      delayMs,
      { unref: true },
    );
    this.#timer = { timer, atMs };
  }

  #tick(): void {
    const nowMs = this.#clock.monotonic();
    for (const uid of this.#backoff) {
      const queued = this.#pods.get(uid);
      if (queued === undefined) continue;
      if (this.#readyAtMs(queued) <= nowMs) this.#activate(queued);
      else this.#wakeAt(this.#readyAtMs(queued));
    }
    // Insertion order is the order of failure: the first has waited longest.
    for (const uid of this.#unschedulable) {
      const queued = this.#pods.get(uid);
      if (queued === undefined) continue;
      const atMs = queued.lastFailureMs + UNSCHEDULABLE_MAX_MS;
      if (atMs > nowMs) {
        this.#wakeAt(atMs);
        break;
      }
      this.#unschedulable.delete(uid);
      this.#activate(queued);
    }
  }
}

/** Higher priority first, then who waits longer. */
function compareEntries(a: Entry, b: Entry): number {
  return (
    b.queued.info.priority - a.queued.info.priority || a.queued.queuedAtMs - b.queued.queuedAtMs || a.order - b.order
  );
}
