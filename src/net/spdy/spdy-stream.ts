import { Duplex } from 'node:stream';

import { RST_STATUS } from './frames.ts';
import type { SpdyHeaders } from './header-block.ts';

/** What a stream needs of its connection. */
export interface StreamLink {
  readonly id: number;
  readonly headers: SpdyHeaders;
  reply(): void;
  reset(status: number): void;
  send(bytes: Uint8Array, done: () => void): void;
  sendEnd(done: () => void): void;
  /** The reader took what was buffered. */
  wantsMore(): void;
  gone(): void;
}

// What one slow stream may hold before the connection is no longer read.
const BUFFER_BYTES = 256 * 1024;

/**
 * One stream of a connection. Ending the writable side sends FIN; destroying before that sends RST. When the connection is lost it
 * closes without 'end', so that `pipeline` reports a premature close; it emits no 'error' of its own.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  /** Resolves to whether the peer accepted the stream (or, for the peer's streams, at once). */
  readonly replied: Promise<boolean>;
  readonly #link: StreamLink;
  #settleReply: (isAccepted: boolean) => void = () => undefined;
  #hasEnded = false;
  #isCut = false;

  constructor(link: StreamLink) {
    super({ readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: BUFFER_BYTES, allowHalfOpen: true });
    this.#link = link;
    this.id = link.id;
    this.headers = link.headers;
    this.replied = new Promise((resolve) => {
      this.#settleReply = resolve;
    });
  }

  /** Tells the peer that its stream is wanted. */
  accept(): void {
    this.#link.reply();
    this.#settleReply(true);
  }

  refuse(): void {
    this.#reset(RST_STATUS.refusedStream);
  }

  /** For the connection: false when the buffer is full. */
  receive(bytes: Buffer): boolean {
    if (this.#hasEnded || this.destroyed) return true;
    return this.push(bytes);
  }

  receiveEnd(): void {
    if (this.#hasEnded || this.destroyed) return;
    this.#hasEnded = true;
    this.push(null);
  }

  receiveReply(_headers: SpdyHeaders): void {
    this.#settleReply(true);
  }

  /**
   * The peer wants no more of the stream: it reads as ended, because Go's servers close a finished connection by
   * resetting its streams. Writes from now on go nowhere.
   */
  receiveReset(): void {
    this.#isCut = true;
    this.#settleReply(false);
    this.receiveEnd();
    if (this.readableEnded) this.destroy();
    else this.once('end', () => this.destroy());
  }

  /** The connection was lost: closes without 'end'. */
  receiveLoss(): void {
    if (this.#hasEnded) {
      this.receiveReset();
      return;
    }
    this.#isCut = true;
    this.destroy();
  }

  override _read(): void {
    this.#link.wantsMore();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#isCut) done();
    else this.#link.send(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#isCut) done();
    else this.#link.sendEnd(done);
  }

  override _destroy(_error: Error | null, done: (error?: Error | null) => void): void {
    // After our FIN a reset would only frighten the peer; what it still sends is ignored.
    if (!this.#isCut && !this.writableFinished) this.#link.reset(RST_STATUS.cancel);
    this.#settleReply(false);
    this.#link.gone();
    // Errors are the owner's, who passed them to destroy().
    done();
  }

  #reset(status: number): void {
    this.#link.reset(status);
    this.#isCut = true;
    this.destroy();
  }
}
