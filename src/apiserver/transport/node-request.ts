import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { ApiRequest } from '../pipeline/types.ts';
import { readBody } from './request-body.ts';

/** What TLS found out about the client, once a connection. */
export interface PeerIdentity {
  readonly certificate?: Uint8Array;
  readonly certificateError?: string;
  readonly remoteAddress?: string;
}

export interface NodeRequestParts {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
  readonly peer: PeerIdentity;
  readonly upgrade?: { readonly message: IncomingMessage; readonly socket: Duplex; readonly head: Uint8Array };
}

/** A request from a socket. Query and signal are made when somebody asks: most requests need neither. */
export class NodeRequest implements ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly upgrade?: { readonly message: IncomingMessage; readonly socket: Duplex; readonly head: Uint8Array };
  readonly #search: string;
  readonly #body: Readable;
  readonly #peer: PeerIdentity;
  #query: URLSearchParams | undefined;
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;

  /** Throws a URIError where the path is not decodable. */
  constructor(parts: NodeRequestParts) {
    const { target } = parts;
    const mark = target.indexOf('?');
    const rawPath = mark < 0 ? target : target.slice(0, mark);
    this.method = parts.method;
    this.path = rawPath.includes('%') ? decodeURIComponent(rawPath) : rawPath;
    this.#search = mark < 0 ? '' : target.slice(mark + 1);
    this.headers = parts.headers;
    this.#body = parts.body;
    this.#peer = parts.peer;
    if (parts.upgrade !== undefined) this.upgrade = parts.upgrade;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#search);
    return this.#query;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#abortReason !== undefined) this.#abort.abort(this.#abortReason);
    }
    return this.#abort.signal;
  }

  get remoteAddress(): string {
    return this.#peer.remoteAddress ?? '';
  }

  // An absent certificate is an undefined property here; readers test the value, not the key.
  get clientCertificate(): Uint8Array {
    // Safe: the contract's optional property reads as undefined where there is none.
    return this.#peer.certificate as Uint8Array;
  }

  get clientCertificateError(): string {
    // Safe: as above.
    return this.#peer.certificateError as string;
  }

  readonly readBody = (limitBytes: number): Promise<Uint8Array> =>
    readBody(this.#body, { announced: this.headers['content-length'], limitBytes });

  readonly bodyStream = (): AsyncIterable<Uint8Array> => this.#body;

  /** The client is gone or the server stops. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    this.#abort?.abort(reason);
  }
}
