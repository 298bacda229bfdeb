import type { Clock } from '#machinery/clock/clock.ts';
import { integerOf } from '#net/grpc/message-codec.ts';
import { StoreUnavailableError, ValueTooLargeError } from '../errors.ts';
import { type CommitResult, type KeyValue, type Revision, type StoreWrite, VALUE_BYTES_MAX } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { EtcdError, storeErrorOf } from './etcd-errors.ts';
import type { KeySpace } from './key-space.ts';
import type { LeasePool } from './lease-pool.ts';
import { COMPARE_EQUAL, TARGET_MOD, type WireTxnResponse } from './messages.ts';

/** For all attempts of a write. Members give up after 7 s, and their word is better than silence. */
const WRITE_TIMEOUT_MS = 10_000;
const RETRY_PAUSE_MS = 50;
const LEASE_ATTEMPTS = 3;

export interface WriterDeps {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: KeySpace;
  readonly leases: LeasePool;
}

/** Writes one key in one transaction: if its last revision is the expected one, else what it is now. */
export class EtcdWriter {
  readonly #deps: WriterDeps;
  /** Values on their way, by key. */
  readonly #pending = new Map<string, Set<Uint8Array>>();

  constructor(deps: WriterDeps) {
    this.#deps = deps;
  }

  /** The answer, and the revision that etcd was at. Throws as `Store.commit` does. */
  async write(write: StoreWrite): Promise<{ result: CommitResult; revision: Revision }> {
    const { key, value, expectedRevision } = write;
    if (value !== undefined && value.length > VALUE_BYTES_MAX) {
      throw new ValueTooLargeError(key, value.length, VALUE_BYTES_MAX);
    }
    // etcd would "delete" what is not there.
    if (value === undefined && expectedRevision === 0) return this.#conflict(key);
    try {
      const response = await this.#transact(write);
      const revision = integerOf(response.header?.revision);
      const result = response.succeeded ? this.#committed(response, revision) : this.#conflictOf(response);
      return { result, revision };
    } catch (error) {
      throw storeErrorOf(error, { key, bytes: value?.length ?? 0, limit: VALUE_BYTES_MAX });
    }
  }

  /** Makes `written` find this value, from before it is sent until the watch has brought it back. */
  remember({ key, value }: StoreWrite): Disposable {
    if (value === undefined) return { [Symbol.dispose]: () => undefined };
    const values = this.#pending.get(key) ?? new Set();
    this.#pending.set(key, values.add(value));
    return {
      [Symbol.dispose]: () => {
        values.delete(value);
        if (values.size === 0 && this.#pending.get(key) === values) this.#pending.delete(key);
      },
    };
  }

  /** The bytes that a writer of this process handed over for `key`, if `value` equals them. */
  written(key: string, value: Uint8Array): Uint8Array | undefined {
    for (const candidate of this.#pending.get(key) ?? []) {
      if (candidate.length === value.length && Buffer.compare(candidate, value) === 0) return candidate;
    }
    return undefined;
  }

  /**
   * A lost answer leaves open whether the write happened. A write that expects a revision may be sent again: only one of
   * the two can find that revision. A creation may not, because the first one could still arrive after the second was
   * undone.
   */
  async #transact(write: StoreWrite): Promise<WireTxnResponse> {
    const { client, clock } = this.#deps;
    const endsAtMs = clock.monotonic() + WRITE_TIMEOUT_MS;
    const mayRepeat = write.expectedRevision > 0;
    const timeoutMs = mayRepeat && client.endpoints.length > 1 ? WRITE_TIMEOUT_MS / 2 : WRITE_TIMEOUT_MS;
    let lost: EtcdError | undefined;
    for (let attempt = 0, leaseAttempt = 1; ; attempt++) {
      try {
        const request = await this.#request(write);
        const leftMs = Math.max(endsAtMs - clock.monotonic(), 1);
        const options = { timeoutMs: Math.min(timeoutMs, leftMs), retry: 'refused' as const };
        const response = await client.call('txn', request, options);
        if (lost === undefined || response.succeeded) return response;
        // The lost attempt may be the one that it is in conflict with.
        throw new StoreUnavailableError(`cannot tell whether "${write.key}" was written: ${lost.message}`, {
          cause: lost,
        });
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (error.isLeaseGone && leaseAttempt++ < LEASE_ATTEMPTS) {
          this.#deps.leases.forget(write.ttlSeconds ?? 0);
          continue;
        }
        // What was refused was tried often enough by the client.
        const isOver = error.isRefused || !mayRepeat || clock.monotonic() + RETRY_PAUSE_MS >= endsAtMs;
        if (isOver) throw lost ?? error;
        lost ??= error;
        await clock.sleep(Math.min(RETRY_PAUSE_MS * 2 ** attempt, 1000));
      }
    }
  }

  async #request({ key, value, expectedRevision, ttlSeconds }: StoreWrite): Promise<object> {
    const remote = this.#deps.keys.remote(key);
    const lease = ttlSeconds === undefined || value === undefined ? 0 : await this.#deps.leases.leaseFor(ttlSeconds);
    const success =
      value === undefined
        ? { requestDeleteRange: { key: remote, prevKv: true } }
        : { requestPut: { key: remote, value, lease, prevKv: expectedRevision > 0 } };
    return {
      compare: [{ result: COMPARE_EQUAL, target: TARGET_MOD, key: remote, modRevision: expectedRevision }],
      success: [success],
      failure: [{ requestRange: { key: remote } }],
    };
  }

  #committed({ responses: [response] }: WireTxnResponse, revision: Revision): CommitResult {
    const wire = response?.responsePut?.prevKv ?? response?.responseDeleteRange?.prevKvs[0];
    if (wire === undefined || wire === null) return { type: 'committed', revision };
    return { type: 'committed', revision, previous: this.#deps.keys.keyValue(wire) };
  }

  #conflictOf({ responses: [response] }: WireTxnResponse): CommitResult {
    const [wire] = response?.responseRange?.kvs ?? [];
    return conflictWith(wire === undefined ? undefined : this.#deps.keys.keyValue(wire));
  }

  async #conflict(key: string): Promise<{ result: CommitResult; revision: Revision }> {
    const { client, keys } = this.#deps;
    try {
      const options = { timeoutMs: WRITE_TIMEOUT_MS, retry: 'always' as const };
      const { kvs, header } = await client.call('range', { key: keys.remote(key) }, options);
      const [wire] = kvs;
      const result = conflictWith(wire === undefined ? undefined : keys.keyValue(wire));
      return { result, revision: integerOf(header?.revision) };
    } catch (error) {
      throw storeErrorOf(error);
    }
  }
}

function conflictWith(current: KeyValue | undefined): CommitResult {
  return current === undefined ? { type: 'conflict' } : { type: 'conflict', current };
}
