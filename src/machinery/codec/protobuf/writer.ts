const START_BYTES = 16 * 1024;
/** Most objects are smaller; the few that are not leave no memory behind. */
const KEPT_BYTES_MAX = 256 * 1024;
const TWO_32 = 0x1_0000_0000;

/**
 * Writes the wire format of protobuf from its end to its beginning: the length of a message is known when it is due.
 * So whoever writes a message writes its last field first, and a field's value before its tag.
 */
export class WireWriter {
  #bytes = Buffer.allocUnsafeSlow(START_BYTES);
  /** Where the next byte goes before; everything from here to the end is written. */
  #position = START_BYTES;

  /** Bytes written so far; the difference of two marks is the length of what was written between them. */
  get mark(): number {
    return this.#bytes.length - this.#position;
  }

  /** What was written, for as long as nothing else is. */
  view(): Buffer {
    return this.#bytes.subarray(this.#position);
  }

  /** Forgets what was written. Memory for one large message is given back. */
  reset(): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafeSlow(START_BYTES);
    this.#position = this.#bytes.length;
  }

  byte(value: number): void {
    if (this.#position === 0) this.#grow(1);
    this.#position -= 1;
    this.#bytes[this.#position] = value;
  }

  /** A number from 0 to 2^53 - 1. */
  varint(value: number): void {
    if (value < 0x80) {
      this.byte(value);
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
    this.#need(length);
    this.#position -= length;
    let at = this.#position;
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[at] = rest;
  }

  /** A signed integer of up to 64 bits. */
  integer(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(value);
      return;
    }
    const bits = BigInt.asUintN(64, BigInt(value));
    this.#wide(Number(bits & 0xffff_ffffn), Number(bits >> 32n));
  }

  text(value: string): void {
    const { length } = value;
    if (length <= 64 && this.#shortText(value, length)) return;
    const size = Buffer.byteLength(value);
    this.#need(size);
    this.#position -= size;
    this.#bytes.write(value, this.#position, size, 'utf8');
    this.varint(size);
  }

  bytes(value: Uint8Array): void {
    this.raw(value);
    this.varint(value.length);
  }

  /** Bytes as they are, without a length. */
  raw(value: Uint8Array): void {
    this.#need(value.length);
    this.#position -= value.length;
    this.#bytes.set(value, this.#position);
  }

  double(value: number): void {
    this.#need(8);
    this.#position -= 8;
    this.#bytes.writeDoubleLE(value, this.#position);
  }

  /** Most texts are short and ASCII: quicker by hand than by a call out of the engine. */
  #shortText(value: string, length: number): boolean {
    this.#need(length);
    const bytes = this.#bytes;
    let at = this.#position;
    for (let index = length - 1; index >= 0; index -= 1) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[--at] = code;
    }
    this.#position = at;
    this.varint(length);
    return true;
  }

  #wide(low: number, high: number): void {
    const digits: number[] = [];
    let rest = high;
    let current = low;
    while (rest > 0 || current >= 0x80) {
      digits.push((current & 0x7f) | 0x80);
      current = Math.floor(current / 0x80) + (rest % 0x80) * (TWO_32 / 0x80);
      rest = Math.floor(rest / 0x80);
    }
    digits.push(current);
    this.raw(Uint8Array.from(digits));
  }

  #need(length: number): void {
    if (this.#position < length) this.#grow(length);
  }

  #grow(length: number): void {
    const written = this.mark;
    const size = Math.max(this.#bytes.length * 2, written + length);
    const next = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(next, size - written, this.#position);
    this.#bytes = next;
    this.#position = size - written;
  }
}
