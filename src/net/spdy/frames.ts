import { SpdyError } from './errors.ts';

/** Control frames by number (SPDY draft 3.1, section 2.6). */
export const FRAME = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const FLAG_FIN = 0x01;
export const FLAG_UNIDIRECTIONAL = 0x02;

export const RST_STATUS = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
} as const;

export type Frame =
  | { readonly type: 'control'; readonly kind: number; readonly flags: number; readonly payload: Buffer }
  /** A piece of a data frame, handed on as it arrives; `isLast` with the stream's FIN. */
  | { readonly type: 'data'; readonly streamId: number; readonly bytes: Buffer; readonly isLast: boolean };

const VERSION = 3;
const HEADER_BYTES = 8;
// The largest control frame is a header block; SETTINGS of ours and Go's are a few bytes.
const CONTROL_PAYLOAD_BYTES_MAX = 64 * 1024;

export function controlFrame(kind: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(0x8000 | VERSION);
  header.writeUInt16BE(kind, 2);
  header.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([header, payload]);
}

export function dataFrame(streamId: number, bytes: Uint8Array, flags: number): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  frame.writeUInt32BE(streamId);
  frame.writeUInt32BE(((flags << 24) | bytes.length) >>> 0, 4);
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

/** Payload of frames that are a list of 32-bit numbers. */
export function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32BE(value >>> 0, index * 4));
  return bytes;
}

/** Cuts a byte stream into frames. It holds back at most one control frame; data is never held. */
export class FrameParser {
  /** The beginning of a header or control frame that is not complete yet. */
  #pending: Buffer = Buffer.alloc(0);
  /** What is still to come of the data frame at hand. */
  #data: { streamId: number; left: number; isLast: boolean } | undefined;

  /** Throws `SpdyError` at the first thing that is not SPDY/3.1; frames before it have been yielded. */
  *push(chunk: Buffer): Generator<Frame> {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = Buffer.alloc(0);
    for (;;) {
      if (this.#data !== undefined) {
        if (rest.length === 0) return;
        const bytes = rest.subarray(0, this.#data.left);
        rest = rest.subarray(bytes.length);
        yield this.#dataPiece(this.#data, bytes);
        continue;
      }
      if (rest.length < HEADER_BYTES) break;
      const length = rest.readUInt32BE(4) & 0xffffff;
      const flags = rest.readUInt8(4);
      const first = rest.readUInt32BE(0);
      if (first < 0x80000000) {
        rest = rest.subarray(HEADER_BYTES);
        const data = { streamId: first, left: length, isLast: (flags & FLAG_FIN) !== 0 };
        if (length === 0) yield this.#dataPiece(data, rest.subarray(0, 0));
        else this.#data = data;
        continue;
      }
      if (((first >>> 16) & 0x7fff) !== VERSION) throw new SpdyError('protocol', 'not SPDY version 3');
      if (length > CONTROL_PAYLOAD_BYTES_MAX) throw new SpdyError('limit', 'control frame is too large');
      if (rest.length < HEADER_BYTES + length) break;
      const payload = rest.subarray(HEADER_BYTES, HEADER_BYTES + length);
      rest = rest.subarray(HEADER_BYTES + length);
      yield { type: 'control', kind: first & 0xffff, flags, payload };
    }
    // A copy: a view would keep the whole chunk alive.
    this.#pending = Buffer.from(rest);
  }

  #dataPiece(data: { streamId: number; left: number; isLast: boolean }, bytes: Buffer): Frame {
    const left = data.left - bytes.length;
    this.#data = left === 0 ? undefined : { ...data, left };
    return { type: 'data', streamId: data.streamId, bytes, isLast: left === 0 && data.isLast };
  }
}
