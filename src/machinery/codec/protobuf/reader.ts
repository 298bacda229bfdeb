import { ProtobufError } from './errors.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const GROUP_START = 3;
export const GROUP_END = 4;
export const FIXED32 = 5;

const TWO_32 = 0x1_0000_0000;

/** Reads the wire format of protobuf from a part of some bytes. Every method throws `ProtobufError` at bad input. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly end: number;
  position: number;
  /** The halves of the number that `varint` read. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  /** Reads a number of up to 64 bits; what it was is told by the methods below. */
  varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift >= 64) throw new ProtobufError('proto: integer overflow');
      const byte = this.position < this.end ? this.#bytes[this.position] : undefined;
      if (byte === undefined) throw new ProtobufError('unexpected EOF');
      this.position += 1;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) break;
    }
    this.#low = low >>> 0;
    this.#high = high >>> 0;
  }

  /** The low 32 bits of the last number, signed. */
  get int32(): number {
    return this.#low | 0;
  }

  /** The last number as a signed one of 64 bits: bigint where a double cannot hold it. */
  get int64(): number | bigint {
    const high = this.#high | 0;
    const value = high * TWO_32 + this.#low;
    return Number.isSafeInteger(value) ? value : BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low));
  }

  get isZero(): boolean {
    return this.#low === 0 && this.#high === 0;
  }

  /** The number and wire type of the next field of a message. */
  tag(message: string): { number: number; wireType: number } {
    this.varint();
    const wireType = this.#low & 7;
    const number = (this.#low >>> 3) | (this.#high << 29) | 0;
    if (wireType === GROUP_END) throw new ProtobufError(`proto: ${message}: wiretype end group for non-group`);
    if (number <= 0) {
      throw new ProtobufError(`proto: ${message}: illegal tag ${number} (wire type ${String(this.int64)})`);
    }
    return { number, wireType };
  }

  /** Reads a length and gives where the bytes end that it counts, without moving behind them. */
  length(): number {
    this.varint();
    if (this.#high >= 0x8000_0000) throw new ProtobufError('proto: negative length found during unmarshaling');
    const length = this.#high * TWO_32 + this.#low;
    if (length > this.end - this.position) throw new ProtobufError('unexpected EOF');
    return this.position + length;
  }

  /** Bytes with a length before them; they are shared with the input. */
  bytes(): Buffer {
    const end = this.length();
    const part = this.#bytes.subarray(this.position, end);
    this.position = end;
    return part;
  }

  text(): string {
    const end = this.length();
    const text = this.#bytes.toString('utf8', this.position, end);
    this.position = end;
    return text;
  }

  /** A reader of the message that stands here; this one moves behind it. */
  message(): WireReader {
    const end = this.length();
    const inner = new WireReader(this.#bytes, this.position, end);
    this.position = end;
    return inner;
  }

  double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.position);
    this.position += 8;
    return value;
  }

  /** Moves behind a field that nobody knows. */
  skip(wireType: number): void {
    let depth = 0;
    for (let type = wireType; ; ) {
      if (type === VARINT) this.varint();
      else if (type === FIXED64) this.#advance(8);
      else if (type === BYTES) this.position = this.length();
      else if (type === FIXED32) this.#advance(4);
      else if (type === GROUP_START) depth += 1;
      else if (type === GROUP_END) {
        if (depth === 0) throw new ProtobufError('proto: unexpected end of group');
        depth -= 1;
      } else throw new ProtobufError(`proto: illegal wireType ${type}`);
      if (depth === 0) return;
      if (this.isAtEnd) throw new ProtobufError('unexpected EOF');
      this.varint();
      type = this.#low & 7;
    }
  }

  #advance(length: number): void {
    this.#need(length);
    this.position += length;
  }

  #need(length: number): void {
    if (length > this.end - this.position) throw new ProtobufError('unexpected EOF');
  }
}
