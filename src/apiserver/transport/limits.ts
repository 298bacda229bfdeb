/** What the transport allows one server, connection and request. */
export interface TransportLimits {
  /** Time to send the request's head, against clients that dribble bytes. Upstream allows 32 s. */
  readonly headersTimeoutMs: number;
  /** Time to send head and body. Longer than the 60 s a request may take, so that the pipeline's answer comes first. */
  readonly requestTimeoutMs: number;
  /** An idle keep-alive connection is closed after this. Upstream keeps them 90 s; Go's clients expect no less. */
  readonly keepAliveTimeoutMs: number;
  /** All header lines together; bearer tokens and impersonation fit many times. */
  readonly headerBytesMax: number;
  /** HTTP/2 streams a connection may have open. Upstream's value. */
  readonly streamsPerConnectionMax: number;
  readonly connectionsMax: number;
  /** A reader that accepts no byte for this long is cut off: its answer must not be kept for ever. */
  readonly drainTimeoutMs: number;
  /** Time that `close` gives requests in flight before their sockets are destroyed. */
  readonly closeGraceMs: number;
}

export const DEFAULT_LIMITS: TransportLimits = {
  headersTimeoutMs: 32_000,
  requestTimeoutMs: 90_000,
  keepAliveTimeoutMs: 120_000,
  headerBytesMax: 128 * 1024,
  streamsPerConnectionMax: 250,
  connectionsMax: 20_000,
  drainTimeoutMs: 60_000,
  closeGraceMs: 2_000,
};
