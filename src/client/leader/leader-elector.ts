import { LEASES } from '#api/generated/resources.ts';
import type { Lease, LeaseSpec } from '#api/generated/types.ts';
import { type Clock, formatMicroTime } from '#machinery/clock/clock.ts';
import { isNotFound } from '#machinery/errors/status-error.ts';
import { type Logger, silentLogger } from '#machinery/log/logger.ts';
import type { Random } from '#machinery/random/random.ts';
import type { Client } from '../client.ts';

// Upstream's defaults.
const LEASE_DURATION_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_PERIOD_MS = 2000;
// Candidates wait up to this much longer than the period, so that they do not all try at once.
const ACQUIRE_JITTER = 1.2;

export interface LeaderElectorOptions {
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Of this candidate; must be unique. */
  readonly identity: string;
  /** Others wait this long after the last renewal that they saw before they take over. */
  readonly leaseDurationMs?: number;
  /** A leader that could not renew for this long stops leading. Less than the lease's duration. */
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  /** Gives the lease back when `run` is stopped, so that another takes over at once. Default: true. */
  readonly releaseOnStop?: boolean;
  /** Called when this candidate leads; the signal fires when it no longer does. */
  readonly onStartedLeading: (signal: AbortSignal) => void;
  readonly onStoppedLeading?: () => void;
  /** Called when another identity, or this one, is seen to lead. */
  readonly onNewLeader?: (identity: string) => void;
}

export interface LeaderElectorDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger;
}

/**
 * Elects one leader among candidates through a Lease. It trusts its own clock for durations only: a lease is over when
 * this process has not seen it change for its duration. There may be two leaders for a moment where clocks run unevenly.
 */
export class LeaderElector {
  readonly #deps: LeaderElectorDeps;
  readonly #options: Required<Omit<LeaderElectorOptions, 'onStoppedLeading' | 'onNewLeader'>> & LeaderElectorOptions;
  readonly #log: Logger;
  #observed: Lease | undefined;
  #observedAtMs = 0;
  #reportedLeader = '';

  constructor(deps: LeaderElectorDeps, options: LeaderElectorOptions) {
    this.#deps = deps;
    this.#log = deps.log ?? silentLogger;
    this.#options = {
      leaseDurationMs: LEASE_DURATION_MS,
      renewDeadlineMs: RENEW_DEADLINE_MS,
      retryPeriodMs: RETRY_PERIOD_MS,
      releaseOnStop: true,
      ...options,
    };
  }

  /** Whether this candidate held the lease when it last looked. */
  get isLeader(): boolean {
    return this.#observed?.spec.holderIdentity === this.#options.identity;
  }

  /** Who holds the lease, as far as this candidate knows. */
  get leader(): string {
    return this.#observed?.spec.holderIdentity ?? '';
  }

  /** Waits for the lease, leads, and settles when leadership is lost or the signal fires. Run it again to try again. */
  async run(signal: AbortSignal): Promise<void> {
    if (!(await this.#acquire(signal))) return;
    const leading = new AbortController();
    this.#options.onStartedLeading(leading.signal);
    try {
      await this.#renewUntilLost(signal);
    } finally {
      leading.abort();
      if (signal.aborted && this.#options.releaseOnStop) await this.#release();
      this.#options.onStoppedLeading?.();
    }
  }

  /** Returns false when the signal fired first. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { retryPeriodMs, renewDeadlineMs } = this.#options;
    while (!signal.aborted) {
      if (await this.#tryWithin(renewDeadlineMs, signal)) return true;
      const { random } = this.#deps;
      await this.#sleep(retryPeriodMs * (1 + random.float() * ACQUIRE_JITTER), signal);
    }
    return false;
  }

  async #renewUntilLost(signal: AbortSignal): Promise<void> {
    const { retryPeriodMs, renewDeadlineMs } = this.#options;
    const { clock } = this.#deps;
    let renewedAtMs = clock.monotonic();
    for (;;) {
      await this.#sleep(retryPeriodMs, signal);
      if (signal.aborted) return;
      const leftMs = renewDeadlineMs - (clock.monotonic() - renewedAtMs);
      if (leftMs > 0 && (await this.#tryWithin(leftMs, signal))) {
        renewedAtMs = clock.monotonic();
      } else if (clock.monotonic() - renewedAtMs >= renewDeadlineMs || this.#isHeldByOther()) {
        if (!signal.aborted) this.#log.warn('lost the lease', { lease: this.#options.name });
        return;
      }
    }
  }

  /** One attempt to get or keep the lease. Whatever goes wrong, or takes longer, is a "no". */
  async #tryWithin(limitMs: number, signal: AbortSignal): Promise<boolean> {
    // Not derived from the signal, which lives on and would remember every attempt.
    const attempt = new AbortController();
    const onAbort = () => attempt.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = this.#deps.clock.setTimeout(onAbort, limitMs, { unref: true });
    try {
      const isHeld = await this.#tryAcquireOrRenew(attempt.signal);
      this.#reportLeader();
      return isHeld;
    } catch (error) {
      if (!signal.aborted) {
        this.#log.warn('cannot get or renew the lease', { lease: this.#options.name, error: String(error) });
      }
      return false;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { namespace, name } = this.#options;
    const { client } = this.#deps;
    // While the lease is known to be ours, no read is needed before the write.
    if (this.isLeader && this.#isValid() && this.#observed !== undefined) {
      try {
        this.#observe(await client.update(LEASES, this.#renewed(this.#observed), { signal }));
        return true;
      } catch (error) {
        if (signal.aborted) throw error;
        this.#log.debug('renewing without a read failed', { lease: name, error: String(error) });
      }
    }
    let current: Lease;
    try {
      current = await client.get(LEASES, { namespace, name }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#observe(await client.create(LEASES, this.#newLease(), { signal }));
      return true;
    }
    if (current.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) this.#observe(current);
    if (this.#isHeldByOther() && this.#isValid()) return false;
    this.#observe(await client.update(LEASES, this.#renewed(current), { signal }));
    return true;
  }

  #newLease(): Lease {
    const { namespace, name } = this.#options;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace },
      spec: { ...this.#claim(), leaseTransitions: 0 },
    };
  }

  /** The lease as this candidate wants it: renewed where it is its own already, else taken over. */
  #renewed(current: Lease): Lease {
    const { spec } = current;
    const isOwn = spec.holderIdentity === this.#options.identity;
    const transitions = spec.leaseTransitions ?? 0;
    const claim = this.#claim();
    const kept = isOwn && spec.acquireTime !== undefined ? { acquireTime: spec.acquireTime } : {};
    return {
      ...current,
      spec: { ...spec, ...claim, ...kept, leaseTransitions: isOwn ? transitions : transitions + 1 },
    };
  }

  #claim(): LeaseSpec {
    const { identity, leaseDurationMs } = this.#options;
    const now = formatMicroTime(this.#deps.clock.now());
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.floor(leaseDurationMs / 1000)),
      acquireTime: now,
      renewTime: now,
    };
  }

  async #release(): Promise<void> {
    const lease = this.#observed;
    if (lease === undefined || !this.isLeader) return;
    const spec = { ...lease.spec, ...this.#claim(), holderIdentity: '', leaseDurationSeconds: 1 };
    try {
      this.#observe(await this.#deps.client.update(LEASES, { ...lease, spec }));
    } catch (error) {
      // Others take over when it runs out.
      this.#log.warn('cannot release the lease', { lease: this.#options.name, error: String(error) });
    }
  }

  #observe(lease: Lease): void {
    this.#observed = lease;
    this.#observedAtMs = this.#deps.clock.monotonic();
  }

  #isHeldByOther(): boolean {
    return this.leader !== '' && !this.isLeader;
  }

  #isValid(): boolean {
    const durationMs = (this.#observed?.spec.leaseDurationSeconds ?? 0) * 1000;
    return this.#observedAtMs + durationMs > this.#deps.clock.monotonic();
  }

  #reportLeader(): void {
    if (this.leader === this.#reportedLeader) return;
    this.#reportedLeader = this.leader;
    if (this.leader !== '') this.#options.onNewLeader?.(this.leader);
  }

  /** Ends early when the signal fires. */
  async #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    await this.#deps.clock.sleep(delayMs, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
