import { Duplex, Readable, type ReadableOptions, Writable } from 'node:stream';

import { WebSocket } from 'ws';

const BUFFER_BYTES = 256 * 1024;
// Version 5's channel that says: the channel named by the next byte is closed.
const CLOSE_CHANNEL = 255;

/**
 * Kubernetes' channel protocols on one WebSocket: each message begins with the number of its channel, as a byte
 * (`channel.k8s.io`, `v4.…`, `v5.…`) or as a digit before base64 text (`base64.…`). A channel that is not read holds up
 * the socket once its buffer is full.
 */
export class ChannelSocket {
  /** Resolves when the WebSocket is gone; never rejects. */
  readonly closed: Promise<void>;
  readonly #webSocket: WebSocket;
  readonly #isBase64: boolean;
  readonly #hasCloseSignal: boolean;
  readonly #readers = new Map<number, Readable>();
  readonly #fullReaders = new Set<Readable>();

  constructor(webSocket: WebSocket, protocol: string) {
    this.#webSocket = webSocket;
    this.#isBase64 = protocol.includes('base64');
    this.#hasCloseSignal = protocol.startsWith('v5.');
    webSocket.binaryType = 'nodebuffer';
    // Safe: binaryType makes every message one Buffer.
    webSocket.on('message', (data) => this.#receive(data as Buffer));
    this.closed = new Promise((resolve) => {
      webSocket.once('close', () => {
        for (const reader of this.#readers.values()) reader.push(null);
        this.#readers.clear();
        resolve();
      });
    });
  }

  /** What arrives on a channel; ends with the peer's close signal or with the socket. */
  readChannel(channel: number): Readable {
    const reader: Readable = new Readable(this.#reading(channel, () => reader));
    this.#readers.set(channel, reader);
    return reader;
  }

  /** Both directions; there is no half-close towards the client. */
  duplexChannel(channel: number): Duplex {
    const duplex: Duplex = new Duplex({
      ...this.#reading(channel, () => duplex),
      write: (chunk: Buffer, _encoding, done) => this.send(channel, chunk, () => done()),
    });
    this.#readers.set(channel, duplex);
    return duplex;
  }

  writeChannel(channel: number): Writable {
    return new Writable({
      highWaterMark: BUFFER_BYTES,
      write: (chunk: Buffer, _encoding, done) => this.send(channel, chunk, () => done()),
    });
  }

  /** Calls back when the bytes are with the operating system, or the socket is gone. */
  send(channel: number, bytes: Uint8Array, done: () => void = () => undefined): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) {
      done();
      return;
    }
    const message = this.#isBase64
      ? String(channel) + Buffer.from(bytes).toString('base64')
      : Buffer.concat([Buffer.from([channel]), bytes]);
    this.#webSocket.send(message, { binary: !this.#isBase64 }, () => done());
  }

  close(): void {
    this.#webSocket.close(1000);
    if (this.#webSocket.isPaused) this.#webSocket.resume();
  }

  #reading(channel: number, reader: () => Readable): ReadableOptions {
    return {
      highWaterMark: BUFFER_BYTES,
      read: () => this.#release(reader()),
      destroy: (_error, done) => {
        if (this.#readers.get(channel) === reader()) this.#readers.delete(channel);
        this.#release(reader());
        done(null);
      },
    };
  }

  #receive(message: Buffer): void {
    const first = message[0];
    if (first === undefined) return;
    if (this.#hasCloseSignal && first === CLOSE_CHANNEL) {
      const channel = message[1] ?? CLOSE_CHANNEL;
      this.#readers.get(channel)?.push(null);
      this.#readers.delete(channel);
      return;
    }
    const channel = this.#isBase64 ? first - 0x30 : first;
    const reader = this.#readers.get(channel);
    if (reader === undefined) return;
    const bytes = this.#isBase64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    if (bytes.length > 0 && !reader.push(bytes)) {
      this.#fullReaders.add(reader);
      this.#webSocket.pause();
    }
  }

  #release(reader: Readable): void {
    if (this.#fullReaders.delete(reader) && this.#fullReaders.size === 0) this.#webSocket.resume();
  }
}
