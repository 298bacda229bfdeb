import { type ServiceError, status } from '@grpc/grpc-js';
import {
  CompactedError,
  StoreClosedError,
  StoreError,
  StoreFullError,
  StoreTimeoutError,
  StoreUnavailableError,
  ValueTooLargeError,
} from '../errors.ts';
import type { Revision } from '../store.ts';

/** A failed call to an etcd member. */
export class EtcdError extends Error {
  /** gRPC's status code. */
  readonly code: number;
  /** What the member, or the connection to it, said. */
  readonly text: string;
  readonly endpoint: string;

  constructor(init: { code: number; text: string; endpoint: string }, options?: ErrorOptions) {
    super(`${init.endpoint}: ${init.text}`, options);
    this.name = 'EtcdError';
    this.code = init.code;
    this.text = init.text;
    this.endpoint = init.endpoint;
  }

  /** Another attempt, or another member, may do better. */
  get isTransient(): boolean {
    if (this.code === status.UNAVAILABLE || this.code === status.DEADLINE_EXCEEDED) return true;
    if (this.code === status.CANCELLED || this.code === status.INTERNAL) return true;
    return this.code === status.UNKNOWN && !this.text.startsWith('etcdserver:');
  }

  /** The request was certainly not carried out, and never will be. */
  get isRefused(): boolean {
    if (!this.isTransient) return true;
    return this.code === status.UNAVAILABLE && REFUSED.some((start) => this.text.startsWith(start));
  }

  get isCompacted(): boolean {
    return this.text.includes('required revision has been compacted');
  }

  get isFuture(): boolean {
    return this.text.includes('required revision is a future revision');
  }

  get isLeaseGone(): boolean {
    return this.text.includes('requested lease not found');
  }
}

/** After the store gave up its connections. */
export const CLIENT_CLOSED = 'the client is closed';

/** What says that no member took the request: the client found none, or the member knew no leader. */
const REFUSED = ['No connection established', 'Name resolution failed', 'etcdserver: no leader'];

const TOO_LARGE = ['etcdserver: request is too large', 'message larger than max'];

export function etcdError(error: ServiceError, endpoint: string): EtcdError {
  return new EtcdError({ code: error.code, text: error.details, endpoint }, { cause: error });
}

/** The store's error for a failed call; what it does not recognise stays as it is. */
export function storeErrorOf(error: unknown, context: { key?: string; bytes?: number; limit?: number } = {}): unknown {
  if (!(error instanceof EtcdError)) return error;
  const { text } = error;
  if (text === CLIENT_CLOSED) return new StoreClosedError();
  if (TOO_LARGE.some((part) => text.includes(part))) {
    return new ValueTooLargeError(context.key ?? '', context.bytes ?? 0, context.limit ?? 0);
  }
  if (text.includes('database space exceeded')) return new StoreFullError(text, { cause: error });
  if (error.code === status.DEADLINE_EXCEEDED) {
    return new StoreTimeoutError(`etcd did not answer in time (${error.endpoint})`, { cause: error });
  }
  // Upstream shows etcd's own words.
  if (text.startsWith('etcdserver:')) return new StoreUnavailableError(text, { cause: error });
  if (error.isTransient) return new StoreUnavailableError(`etcd: ${error.message}`, { cause: error });
  return new StoreError('Etcd', `etcd: ${error.message}`, { cause: error });
}

/** For reads of a past revision that the member no longer has. */
export function compactedError(known: Revision, required: Revision): CompactedError {
  return new CompactedError(Math.max(known, required + 1));
}
