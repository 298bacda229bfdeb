import { Duplex } from 'node:stream';

import { WebSocket } from 'ws';

const BUFFER_BYTES = 256 * 1024;

/**
 * The binary messages of a WebSocket as one byte stream, as kubectl carries SPDY for port-forward. Message borders mean
 * nothing. There is no half-close: ending it closes the WebSocket.
 */
export class WebSocketDuplex extends Duplex {
  readonly #webSocket: WebSocket;

  constructor(webSocket: WebSocket) {
    super({ readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: BUFFER_BYTES, allowHalfOpen: true });
    this.#webSocket = webSocket;
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data) => {
      // Safe: binaryType makes every message one Buffer.
      if (!this.destroyed && !this.readableEnded && !this.push(data as Buffer)) webSocket.pause();
    });
    webSocket.once('close', () => {
      if (!this.destroyed) this.push(null);
      this.once('end', () => this.destroy());
      if (this.readableEnded) this.destroy();
    });
  }

  override _read(): void {
    if (this.#webSocket.isPaused) this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) {
      done();
      return;
    }
    // The callback runs once the bytes are with the operating system: that is the back-pressure.
    this.#webSocket.send(chunk, { binary: true }, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#webSocket.close(1000);
    done();
  }

  override _destroy(_error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.close(1000);
    // A paused socket would never see the peer's answer to the close.
    if (this.#webSocket.isPaused) this.#webSocket.resume();
    done();
  }
}
