import type { Clock, Timer } from '#machinery/clock/clock.ts';
import type { Logger } from '#machinery/log/logger.ts';
import type { Revision, Store } from '#store/store.ts';

/** Where upstream's servers say that they are alive, one key an address; they read one another's. */
const PREFIX = '/registry/masterleases/';
/** Upstream's `DefaultEndpointReconcilerTTL` and interval. */
const TTL_SECONDS = 15;
const RENEW_EVERY_MS = 10_000;

export interface EndpointLeasesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Keeps a lease for this server's address while it lives, and tells which servers live: the endpoints of
 * `kubernetes.default` are theirs. Source: upstream's lease endpoint reconciler.
 */
export class EndpointLeases {
  readonly #deps: EndpointLeasesDeps;
  readonly #address: string;
  #timer: Timer | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(address: string, deps: EndpointLeasesDeps) {
    this.#address = address;
    this.#deps = deps;
  }

  /** Takes the lease; afterwards calls `publish` with all addresses at every renewal. */
  async start(publish: (addresses: readonly string[]) => Promise<void>): Promise<void> {
    await this.#renew();
    this.#schedule(publish);
  }

  /** Addresses of the servers that live, in order. */
  async addresses(): Promise<string[]> {
    const { items } = await this.#deps.store.list({ prefix: PREFIX });
    return items.map(({ key }) => key.slice(PREFIX.length)).toSorted();
  }

  /** Gives the lease back, so that nobody is sent to a server that is gone. */
  async close(publish: (addresses: readonly string[]) => Promise<void>): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#renewing;
    try {
      const { kv } = await this.#deps.store.get(this.#key);
      if (kv !== undefined) {
        await this.#deps.store.commit({ key: this.#key, value: undefined, expectedRevision: kv.modRevision });
      }
      const rest = await this.addresses();
      if (rest.length > 0) await publish(rest);
    } catch (error) {
      this.#deps.log.warn('cannot give back the lease of this server', { error: String(error) });
    }
  }

  get #key(): string {
    return PREFIX + this.#address;
  }

  async #renew(): Promise<void> {
    let expectedRevision: Revision = (await this.#deps.store.get(this.#key)).kv?.modRevision ?? 0;
    for (;;) {
      const write = { key: this.#key, value: this.#value(), expectedRevision, ttlSeconds: TTL_SECONDS };
      const result = await this.#deps.store.commit(write);
      if (result.type === 'committed') return;
      // It ran out meanwhile, or another server claims the same address.
      expectedRevision = result.current?.modRevision ?? 0;
    }
  }

  /** As a stock server writes and reads it. */
  #value(): Uint8Array {
    const metadata = { name: this.#address, namespace: 'default', creationTimestamp: null };
    const subsets = [{ addresses: [{ ip: this.#address }] }];
    return Buffer.from(`${JSON.stringify({ kind: 'Endpoints', apiVersion: 'v1', metadata, subsets })}\n`);
  }

  #schedule(publish: (addresses: readonly string[]) => Promise<void>): void {
    if (this.#isClosed) return;
    const renew = async () => {
      try {
        await this.#renew();
        await publish(await this.addresses());
      } catch (error) {
        this.#deps.log.warn('cannot renew the lease of this server', { error: String(error) });
      }
      this.#schedule(publish);
    };
    this.#timer = this.#deps.clock.setTimeout(
      () => {
        this.#renewing = renew();
      },
      RENEW_EVERY_MS,
      { unref: true },
    );
  }
}
