/** `protocol`: the peer broke SPDY's rules; `limit`: it asked for more than it may have; `closed`: the connection is gone. */
export class SpdyError extends Error {
  readonly code: 'protocol' | 'limit' | 'closed';

  constructor(code: SpdyError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SpdyError';
    this.code = code;
  }
}
