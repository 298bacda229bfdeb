import type { Duplex } from 'node:stream';

import { SpdyError } from './errors.ts';
import {
  controlFrame,
  dataFrame,
  FLAG_FIN,
  FLAG_UNIDIRECTIONAL,
  FRAME,
  type Frame,
  FrameParser,
  RST_STATUS,
  words,
} from './frames.ts';
import { HeaderDecoder, HeaderEncoder, type SpdyHeaders } from './header-block.ts';
import { SpdyStream } from './spdy-stream.ts';

export interface SpdyConnectionOptions {
  readonly role: 'client' | 'server';
  /** Called for each stream the peer opens. Not calling `reply` or `refuse` leaves the peer waiting. */
  readonly onStream?: (stream: SpdyStream) => void;
}

// One port-forward connection of a browser's parallel requests takes two streams each.
const STREAMS_MAX = 2048;
// Answers to pings and refused streams that the peer does not read.
const CONTROL_BACKLOG_BYTES_MAX = 1024 * 1024;
// Split, so that streams of one connection take turns.
const DATA_FRAME_BYTES_MAX = 64 * 1024;

/**
 * One end of a SPDY/3.1 connection over any byte stream. The window of what is sent is unbounded, because Go's client
 * never opens it: back-pressure is the byte stream's, in both directions. A stream that is not read therefore holds up
 * its whole connection once its buffer is full.
 */
export class SpdyConnection {
  /** Resolves when the byte stream is gone; never rejects. */
  readonly closed: Promise<void>;
  readonly #transport: Duplex;
  readonly #options: SpdyConnectionOptions;
  readonly #parser = new FrameParser();
  readonly #encoder = new HeaderEncoder();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, SpdyStream>();
  /** Streams whose buffers are full; the transport is not read while there are any. */
  readonly #fullStreams = new Set<SpdyStream>();
  #drainWaiters: (() => void)[] = [];
  #nextStreamId: number;
  #lastPeerStreamId = 0;
  #isClosing = false;
  /** Whether the peer counts windows, as Go does not and browsers once did. */
  #peerCountsWindows = false;

  /** `head` is what was read from the transport along with the upgrade. */
  constructor(transport: Duplex, options: SpdyConnectionOptions, head: Uint8Array = new Uint8Array()) {
    this.#transport = transport;
    this.#options = options;
    this.#nextStreamId = options.role === 'client' ? 1 : 2;
    this.closed = new Promise((resolve) => transport.once('close', () => resolve()));
    transport.on('data', (chunk: Buffer) => this.#receive(chunk));
    transport.on('drain', () => this.#onDrain());
    transport.on('end', () => this.#onEnd());
    // The close that follows is what ends the streams; the cause is the peer's or the network's.
    transport.on('error', () => transport.destroy());
    transport.once('close', () => this.#onClose());
    if (head.length > 0) this.#receive(Buffer.from(head));
  }

  /** Opens a stream; data may be written at once, the peer's refusal ends it. */
  openStream(headers: SpdyHeaders): SpdyStream {
    if (this.#isClosing || this.#transport.destroyed) throw new SpdyError('closed', 'connection is closed');
    const id = this.#nextStreamId;
    this.#nextStreamId += 2;
    const stream = this.#addStream(id, headers);
    // Priority and credential slot, which nobody uses, are the two zero bytes.
    this.#write(
      controlFrame(FRAME.synStream, 0, Buffer.concat([words(id, 0), Buffer.alloc(2), this.#encoder.encode(headers)])),
    );
    return stream;
  }

  /** Sends what is written, then closes. Streams still open are cut. */
  close(): void {
    if (this.#isClosing || this.#transport.destroyed) return;
    this.#isClosing = true;
    this.#write(controlFrame(FRAME.goAway, 0, words(this.#lastPeerStreamId, 0)));
    this.#transport.end();
    // What the peer still sends is discarded, so that its end, and with it the close, is noticed.
    this.#transport.resume();
  }

  destroy(): void {
    this.#transport.destroy();
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosing) return;
    try {
      for (const frame of this.#parser.push(chunk)) {
        if (frame.type === 'data') this.#onData(frame);
        else this.#onControl(frame.kind, frame.flags, frame.payload);
        if (this.#transport.destroyed) return;
      }
    } catch (error) {
      if (!(error instanceof SpdyError)) throw error;
      // Status 1 is PROTOCOL_ERROR.
      this.#write(controlFrame(FRAME.goAway, 0, words(this.#lastPeerStreamId, 1)));
      this.#transport.destroy();
    }
  }

  #onData(frame: Extract<Frame, { type: 'data' }>): void {
    const stream = this.#streams.get(frame.streamId);
    // Streams that were reset here may still have data on the way.
    if (stream === undefined) return;
    if (frame.bytes.length > 0) {
      if (!stream.receive(frame.bytes)) this.#hold(stream);
      if (this.#peerCountsWindows) this.#writeControl(FRAME.windowUpdate, words(frame.streamId, frame.bytes.length));
    }
    if (frame.isLast) stream.receiveEnd();
  }

  #onControl(kind: number, flags: number, payload: Buffer): void {
    switch (kind) {
      case FRAME.synStream:
        this.#onSynStream(flags, payload);
        break;
      case FRAME.synReply:
      case FRAME.headers: {
        const stream = this.#streams.get(readWord(payload, 0) & 0x7fffffff);
        const headers = this.#decoder.decode(payload.subarray(4));
        if (kind === FRAME.synReply) stream?.receiveReply(headers);
        if ((flags & FLAG_FIN) !== 0) stream?.receiveEnd();
        break;
      }
      case FRAME.rstStream:
        this.#streams.get(readWord(payload, 0) & 0x7fffffff)?.receiveReset();
        break;
      case FRAME.ping:
        // Our own pings would have the other parity; we send none.
        if (readWord(payload, 0) % 2 === (this.#options.role === 'server' ? 1 : 0)) {
          this.#writeControl(FRAME.ping, payload);
        }
        break;
      case FRAME.settings:
      case FRAME.windowUpdate:
        this.#peerCountsWindows = true;
        break;
      case FRAME.goAway:
      default:
        // After a GOAWAY streams run to their end; unknown frames are to be ignored.
        break;
    }
  }

  #onSynStream(flags: number, payload: Buffer): void {
    const id = readWord(payload, 0) & 0x7fffffff;
    readWord(payload, 1);
    const headers = this.#decoder.decode(payload.subarray(10));
    const isPeerId = id % 2 === (this.#options.role === 'server' ? 1 : 0);
    if (!isPeerId || id <= this.#lastPeerStreamId) {
      // A second SYN_STREAM for one id is an error of the stream, an id that runs backwards one of the session.
      throw new SpdyError('protocol', `bad stream id ${id}`);
    }
    this.#lastPeerStreamId = id;
    const { onStream } = this.#options;
    if (onStream === undefined || this.#streams.size >= STREAMS_MAX) {
      this.#writeControl(FRAME.rstStream, words(id, RST_STATUS.refusedStream));
      return;
    }
    const stream = this.#addStream(id, headers);
    if ((flags & FLAG_FIN) !== 0) stream.receiveEnd();
    if ((flags & FLAG_UNIDIRECTIONAL) !== 0) stream.end();
    onStream(stream);
  }

  #addStream(id: number, headers: SpdyHeaders): SpdyStream {
    const stream = new SpdyStream({
      id,
      headers,
      reply: () => this.#writeControl(FRAME.synReply, Buffer.concat([words(id), this.#encoder.encode({})])),
      reset: (status) => this.#writeControl(FRAME.rstStream, words(id, status)),
      send: (bytes, done) => this.#sendData(id, bytes, done),
      sendEnd: (done) => this.#sendEnd(id, done),
      wantsMore: () => this.#release(stream),
      gone: () => {
        this.#streams.delete(id);
        this.#release(stream);
      },
    });
    this.#streams.set(id, stream);
    return stream;
  }

  #sendData(id: number, bytes: Uint8Array, done: () => void): void {
    let canWrite = true;
    for (let start = 0; start < bytes.length; start += DATA_FRAME_BYTES_MAX) {
      canWrite = this.#write(dataFrame(id, bytes.subarray(start, start + DATA_FRAME_BYTES_MAX), 0));
    }
    if (canWrite) done();
    else this.#drainWaiters.push(done);
  }

  #sendEnd(id: number, done: () => void): void {
    this.#write(dataFrame(id, new Uint8Array(), FLAG_FIN));
    done();
  }

  #hold(stream: SpdyStream): void {
    this.#fullStreams.add(stream);
    this.#transport.pause();
  }

  #release(stream: SpdyStream): void {
    if (this.#fullStreams.delete(stream) && this.#fullStreams.size === 0) this.#transport.resume();
  }

  #writeControl(kind: number, payload: Buffer): void {
    this.#write(controlFrame(kind, 0, payload));
    if (this.#transport.writableLength > CONTROL_BACKLOG_BYTES_MAX + this.#transport.writableHighWaterMark) {
      this.#transport.destroy();
    }
  }

  #write(bytes: Buffer): boolean {
    if (this.#transport.destroyed || !this.#transport.writable) return true;
    return this.#transport.write(bytes);
  }

  #onDrain(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const done of waiters) done();
  }

  #onEnd(): void {
    // Neither end of SPDY goes on after the other's half is closed.
    this.#transport.end();
    for (const stream of this.#streams.values()) stream.receiveReset();
  }

  #onClose(): void {
    this.#onDrain();
    for (const stream of this.#streams.values()) stream.receiveLoss();
    this.#streams.clear();
    this.#fullStreams.clear();
  }
}

function readWord(payload: Buffer, index: number): number {
  if (payload.length < index * 4 + 4) throw new SpdyError('protocol', 'frame is too short');
  return payload.readUInt32BE(index * 4);
}
