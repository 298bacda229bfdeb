const START_BYTES = 1024;
const TWO_32 = 0x1_0000_0000;
const HALF_MAX = 65_504;

/** Grows as bytes are appended; knows the heads of CBOR. */
export class ByteBuilder {
  #bytes = Buffer.allocUnsafe(START_BYTES);
  #length = 0;

  /** What was appended. The bytes are the caller's own. */
  take(): Uint8Array {
    const taken = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(taken, 0, 0, this.#length);
    this.#length = 0;
    return taken;
  }

  byte(value: number): void {
    this.#need(1);
    this.#bytes[this.#length++] = value;
  }

  /** A major type with its argument, in the fewest bytes. */
  head(major: number, argument: number): void {
    const type = major << 5;
    this.#need(9);
    const bytes = this.#bytes;
    if (argument < 24) bytes[this.#length++] = type | argument;
    else if (argument < 0x100) {
      bytes[this.#length++] = type | 24;
      bytes[this.#length++] = argument;
    } else if (argument < 0x1_0000) {
      bytes[this.#length++] = type | 25;
      this.#length = bytes.writeUInt16BE(argument, this.#length);
    } else if (argument < TWO_32) {
      bytes[this.#length++] = type | 26;
      this.#length = bytes.writeUInt32BE(argument, this.#length);
    } else {
      bytes[this.#length++] = type | 27;
      this.#length = bytes.writeUInt32BE(Math.floor(argument / TWO_32), this.#length);
      this.#length = bytes.writeUInt32BE(argument % TWO_32, this.#length);
    }
  }

  wideHead(major: number, argument: bigint): void {
    if (argument < BigInt(Number.MAX_SAFE_INTEGER)) {
      this.head(major, Number(argument));
      return;
    }
    this.#need(9);
    this.#bytes[this.#length++] = (major << 5) | 27;
    this.#length = this.#bytes.writeBigUInt64BE(argument, this.#length);
  }

  /** A text as a byte string. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.head(2, length);
    this.#need(length);
    this.#bytes.write(value, this.#length, length, 'utf8');
    this.#length += length;
  }

  /** A float in the fewest bytes that hold it. */
  float(value: number): void {
    this.#need(9);
    const bytes = this.#bytes;
    const half = halfOf(value);
    if (half !== undefined) {
      bytes[this.#length++] = 0xf9;
      this.#length = bytes.writeUInt16BE(half, this.#length);
    } else if (Math.fround(value) === value) {
      bytes[this.#length++] = 0xfa;
      this.#length = bytes.writeFloatBE(value, this.#length);
    } else {
      bytes[this.#length++] = 0xfb;
      this.#length = bytes.writeDoubleBE(value, this.#length);
    }
  }

  #need(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const next = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + length));
    this.#bytes.copy(next, 0, 0, this.#length);
    this.#bytes = next;
  }
}

/** The bits of a 16-bit float that is exactly this number, if there is one. */
function halfOf(value: number): number | undefined {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (magnitude === 0) return sign;
  if (magnitude > HALF_MAX) return undefined;
  // Subnormal numbers count in steps of 2^-24.
  if (magnitude < 2 ** -14) {
    const steps = magnitude * 2 ** 24;
    return Number.isInteger(steps) ? sign | steps : undefined;
  }
  const exponent = Math.floor(Math.log2(magnitude));
  const fraction = (magnitude / 2 ** exponent - 1) * 1024;
  return Number.isInteger(fraction) ? sign | ((exponent + 15) << 10) | fraction : undefined;
}
