import type { Clock } from '#machinery/clock/clock.ts';
import type { Random } from '#machinery/random/random.ts';
import type { EtcdClient } from './etcd-client.ts';

/** As upstream: a lease serves the keys written within this time (at most a part of the time to live) … */
const REUSE_MAX_SECONDS = 60;
const REUSE_FRACTION = 0.05;
/** … and no more than this many keys. */
const KEYS_MAX = 1000;
const GRANT_TIMEOUT_MS = 10_000;

interface Lease {
  readonly id: number;
  /** Keys with the time to live asked for may join until then. */
  readonly joinUntilMs: number;
  keys: number;
}

/** Leases shared by keys of about the same time to live. Keys live that long at least, and a little longer at most. */
export class LeasePool {
  readonly #deps: { client: EtcdClient; clock: Clock; random: Random };
  readonly #leases = new Map<number, Promise<Lease>>();

  constructor(deps: { client: EtcdClient; clock: Clock; random: Random }) {
    this.#deps = deps;
  }

  /** The id of a lease for one more key. */
  async leaseFor(ttlSeconds: number): Promise<number> {
    for (;;) {
      const promise = this.#leases.get(ttlSeconds) ?? this.#grant(ttlSeconds);
      const lease = await promise;
      const isOpen = lease.keys === 0 || (lease.keys < KEYS_MAX && this.#deps.clock.monotonic() < lease.joinUntilMs);
      if (isOpen) {
        lease.keys++;
        return lease.id;
      }
      if (this.#leases.get(ttlSeconds) === promise) this.#leases.delete(ttlSeconds);
    }
  }

  /** Forgets a lease that etcd does not know any more. */
  forget(ttlSeconds: number): void {
    this.#leases.delete(ttlSeconds);
  }

  #grant(ttlSeconds: number): Promise<Lease> {
    const promise = this.#request(ttlSeconds).catch((error: unknown) => {
      if (this.#leases.get(ttlSeconds) === promise) this.#leases.delete(ttlSeconds);
      throw error;
    });
    this.#leases.set(ttlSeconds, promise);
    return promise;
  }

  async #request(ttlSeconds: number): Promise<Lease> {
    const { client, clock, random } = this.#deps;
    const reuseSeconds = Math.min(REUSE_MAX_SECONDS, Math.floor(ttlSeconds * REUSE_FRACTION));
    const askedAtMs = clock.monotonic();
    // Chosen here, so that no answer needs more than 53 bits.
    const id = 1 + random.int(2 ** 31) * 2 ** 20 + random.int(2 ** 20);
    await client.call(
      'leaseGrant',
      { id, ttl: Math.ceil(ttlSeconds) + reuseSeconds },
      { timeoutMs: GRANT_TIMEOUT_MS, retry: 'refused' },
    );
    return { id, joinUntilMs: askedAtMs + reuseSeconds * 1000, keys: 0 };
  }
}
