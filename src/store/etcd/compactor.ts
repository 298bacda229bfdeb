import type { Clock, Timer } from '#machinery/clock/clock.ts';
import { integerOf } from '#net/grpc/message-codec.ts';
import type { Revision } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { COMPARE_EQUAL, TARGET_VERSION } from './messages.ts';

/** Upstream's key, outside of every prefix: its version counts compactions, its value is the last one's revision. */
const COMPACT_KEY = Buffer.from('compact_rev_key');
const CALL_TIMEOUT_MS = 10_000;

export interface CompactorDeps {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly compact: (revision: Revision) => Promise<void>;
}

/**
 * Forgets, at every interval, the history of before the last one. All servers on one etcd do this, stock ones included:
 * whoever finds the key's version as it was an interval ago raises it and compacts; the others only learn from it.
 */
export class Compactor {
  readonly #deps: CompactorDeps;
  readonly #everyMs: number;
  #timer: Timer | undefined;
  #version = 0;
  #revision: Revision = 0;
  #isClosed = false;

  constructor(deps: CompactorDeps, everyMs: number) {
    this.#deps = deps;
    this.#everyMs = everyMs;
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** One interval's work; true where this server did the compaction. */
  async compactInTurn(): Promise<boolean> {
    const { client } = this.#deps;
    const response = await client.call(
      'txn',
      {
        compare: [{ result: COMPARE_EQUAL, target: TARGET_VERSION, key: COMPACT_KEY, version: this.#version }],
        success: [{ requestPut: { key: COMPACT_KEY, value: Buffer.from(String(this.#revision)) } }],
        failure: [{ requestRange: { key: COMPACT_KEY } }],
      },
      { timeoutMs: CALL_TIMEOUT_MS, retry: 'refused' },
    );
    const before = this.#revision;
    this.#revision = integerOf(response.header?.revision);
    if (!response.succeeded) {
      this.#version = integerOf(response.responses[0]?.responseRange?.kvs[0]?.version);
      return false;
    }
    this.#version++;
    if (before === 0) return false;
    await this.#deps.compact(before);
    return true;
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer = this.#deps.clock.setTimeout(
      () => {
        // Whatever went wrong is tried again at the next interval, which then forgets more.
        void this.compactInTurn()
          .catch(() => false)
          .finally(() => this.#schedule());
      },
      this.#everyMs,
      { unref: true },
    );
  }
}
