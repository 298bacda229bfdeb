import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  status,
} from '@grpc/grpc-js';

import type { Clock } from '#machinery/clock/clock.ts';
import { CLIENT_CLOSED, EtcdError, etcdError } from './etcd-errors.ts';
import { type EtcdMessageName, etcdMessages, UNARY, type UnaryName, type UnaryResponses, WATCH } from './messages.ts';

/** PEM texts; only for `https` endpoints. */
export interface EtcdTls {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface EtcdClientOptions {
  /** `http://host:port` or `https://host:port`, at least one. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
}

export interface CallOptions {
  /** For all attempts together. */
  readonly timeoutMs: number;
  /**
   * `always`: a read, or whatever may happen twice. `refused`: only where no member took the request, because an attempt
   * that got lost may still be carried out later.
   */
  readonly retry: 'always' | 'refused';
}

export type WatchStream = ClientDuplexStream<object, unknown>;

interface Member {
  readonly endpoint: string;
  readonly client: Client;
}

// Watches answer with whole batches; a list's page holds up to 500 objects of up to 1.5 MB.
const MESSAGE_BYTES_MAX = 2 ** 31 - 1;
// etcd refuses pings more often than every 5 s.
const KEEPALIVE_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;
/** When no member took a request for this long, requests fail without a second round. */
const GONE_AFTER_MS = 4_000;
const BACKOFF_MS = 50;
const BACKOFF_MAX_MS = 1_000;
/** An attempt gets at least this long, however many members are left to ask. */
const ATTEMPT_MIN_MS = 1_000;

/** Calls an etcd cluster: one member as long as it answers, else the next. Every call ends in bounded time. */
export class EtcdClient {
  readonly #clock: Clock;
  readonly #members: readonly Member[];
  readonly #metadata = new Metadata();
  readonly #calls = new Set<ClientUnaryCall>();
  #current = 0;
  /** Since when no member took a request. */
  #refusedSinceMs: number | undefined;
  #isClosed = false;

  constructor(options: EtcdClientOptions, deps: { clock: Clock }) {
    if (options.endpoints.length === 0) throw new Error('no etcd endpoint is given');
    this.#clock = deps.clock;
    this.#members = options.endpoints.map((endpoint) => newMember(endpoint, options.tls));
    // A member that is cut off from its leader refuses at once instead of waiting.
    this.#metadata.set('hasleader', 'true');
  }

  get endpoints(): string[] {
    return this.#members.map(({ endpoint }) => endpoint);
  }

  /** Answers, or throws the last attempt's `EtcdError`. */
  async call<N extends UnaryName>(name: N, request: object, options: CallOptions): Promise<UnaryResponses[N]> {
    const endsAtMs = this.#clock.monotonic() + options.timeoutMs;
    for (let attempt = 0; ; attempt++) {
      const at = this.#current;
      const leftMs = Math.max(endsAtMs - this.#clock.monotonic(), 1);
      const membersLeft = options.retry === 'always' ? Math.max(this.#members.length - attempt, 1) : 1;
      const timeoutMs = Math.min(leftMs, Math.max(leftMs / membersLeft, ATTEMPT_MIN_MS));
      try {
        const response = await this.callMember(at, name, { request, timeoutMs });
        this.#refusedSinceMs = undefined;
        return response;
      } catch (error) {
        if (!(error instanceof EtcdError) || !error.isTransient) throw error;
        this.leave(at);
        const pauseMs = this.#pauseAfter(attempt);
        const hasTime = this.#clock.monotonic() + pauseMs < endsAtMs && !this.#isGone(error, attempt);
        if (this.#isClosed || !hasTime || !(options.retry === 'always' || error.isRefused)) throw error;
        await this.#clock.sleep(pauseMs);
      }
    }
  }

  /** One attempt at one member. */
  callMember<N extends UnaryName>(
    index: number,
    name: N,
    { request, timeoutMs }: { request: object; timeoutMs: number },
  ): Promise<UnaryResponses[N]> {
    const { client, endpoint } = this.#member(index);
    const { path, request: requestName, response } = UNARY[name];
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(closedError(endpoint));
      const call = client.makeUnaryRequest(
        path,
        etcdMessages.codec(requestName).encode,
        etcdMessages.codec(response).decode,
        request,
        this.#metadata,
        { deadline: this.#clock.now() + timeoutMs },
        (error, value) => {
          this.#calls.delete(call);
          if (error !== null) reject(etcdError(error, endpoint));
          // Safe: the codec made it from the message that UnaryResponses describes.
          else resolve(value as UnaryResponses[N]);
        },
      );
      this.#calls.add(call);
    });
  }

  /** A watch stream at the member that is in use now, and that member's index. */
  openWatch(): { stream: WatchStream; member: number; endpoint: string } {
    const member = this.#current;
    const { client, endpoint } = this.#member(member);
    if (this.#isClosed) throw closedError(endpoint);
    const codec = (name: EtcdMessageName) => etcdMessages.codec(name);
    const stream = client.makeBidiStreamRequest(
      WATCH.path,
      codec(WATCH.request).encode,
      codec(WATCH.response).decode,
      this.#metadata,
    );
    return { stream, member, endpoint };
  }

  /** Turns to the next member, unless somebody did already. */
  leave(index: number): void {
    if (index === this.#current) this.#current = (index + 1) % this.#members.length;
  }

  /** Calls under way fail. */
  close(): void {
    this.#isClosed = true;
    for (const call of this.#calls) call.cancel();
    for (const { client } of this.#members) client.close();
  }

  // The other members are asked at once, a member that was asked before only after a pause that grows.
  #pauseAfter(attempt: number): number {
    const round = Math.floor((attempt + 1) / this.#members.length);
    if (round === 0) return 0;
    return Math.min(BACKOFF_MS * 2 ** (round - 1), BACKOFF_MAX_MS);
  }

  // While nobody has answered for a while, one round of asking is enough: callers need not wait for what is not there.
  #isGone(error: EtcdError, attempt: number): boolean {
    if (!error.isRefused) return false;
    const nowMs = this.#clock.monotonic();
    this.#refusedSinceMs ??= nowMs;
    return attempt + 1 >= this.#members.length && nowMs - this.#refusedSinceMs > GONE_AFTER_MS;
  }

  #member(index: number): Member {
    const member = this.#members[index];
    if (member === undefined) throw new Error(`there is no member ${index}`);
    return member;
  }
}

function newMember(endpoint: string, tls: EtcdTls | undefined): Member {
  const url = parseEndpoint(endpoint);
  const hostname = url.isTls ? new URL(endpoint).hostname.replace(/^\[|\]$/g, '') : '';
  const isAddress = isIP(hostname) !== 0;
  const client = new Client(url.target, url.isTls ? tlsCredentials(tls, hostname) : credentials.createInsecure(), {
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.enable_retries': 0,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.initial_reconnect_backoff_ms': BACKOFF_MS,
    'grpc.min_reconnect_backoff_ms': BACKOFF_MS,
    'grpc.max_reconnect_backoff_ms': BACKOFF_MAX_MS,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    // gRPC would name the address in the handshake, which Node refuses; the certificate is checked against it all the same.
    ...(isAddress ? { 'grpc.ssl_target_name_override': 'localhost' } : {}),
  });
  return { endpoint, client };
}

/** Throws for anything but `http://host:port`, `https://host:port` and `unix:///path`, as kube-apiserver takes them. */
export function parseEndpoint(endpoint: string): { target: string; isTls: boolean } {
  if (endpoint.startsWith('unix://')) return { target: endpoint, isTls: false };
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw new Error(`cannot use "${endpoint}" as an etcd server: it must be like http://127.0.0.1:2379`);
  }
  const port = url.port === '' ? '2379' : url.port;
  return { target: `${url.hostname}:${port}`, isTls: url.protocol === 'https:' };
}

function tlsCredentials({ ca, certificate, key }: EtcdTls = {}, hostname: string): ChannelCredentials {
  const pem = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(pem(ca), pem(key), pem(certificate), {
    checkServerIdentity: (_, peer) => checkServerIdentity(hostname, peer),
  });
}

function closedError(endpoint: string): EtcdError {
  return new EtcdError({ code: status.FAILED_PRECONDITION, text: CLIENT_CLOSED, endpoint });
}
