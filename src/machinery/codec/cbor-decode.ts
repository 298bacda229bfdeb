import { formatTime } from '../clock/clock.ts';
import { CborError } from './cbor-errors.ts';
import { setOwn } from './deep.ts';

const DEPTH_MAX = 64;
const TAG_SELF_DESCRIBED = 55_799;
const TAG_TIME = 0;
const TAG_EPOCH_TIME = 1;
const TAG_BASE64URL = 21;
const TAG_BASE64 = 22;
const TAG_BASE16 = 23;

/**
 * Reads one CBOR item into a JSON value, as Kubernetes' profile (KEP-4222) takes it: texts may be byte or text strings,
 * map keys are texts and stand once, lengths are definite. Integers beyond 2^53 become bigint. Throws `CborError`.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const reader = new CborReader(bytes);
  const value = reader.item(0);
  if (!reader.isAtEnd)
    throw new CborError(`${reader.rest} bytes of extraneous data starting at index ${reader.position}`);
  return value;
}

class CborReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#position;
  }

  get rest(): number {
    return this.#bytes.length - this.#position;
  }

  get isAtEnd(): boolean {
    return this.rest === 0;
  }

  item(depth: number): unknown {
    if (depth > DEPTH_MAX) throw new CborError(`exceeded max nested level ${DEPTH_MAX}`);
    const initial = this.#take(1)[0] ?? 0;
    const major = initial >> 5;
    const info = initial & 0x1f;
    if (major === 7) return this.#simple(info);
    const argument = this.#argument(info);
    switch (major) {
      case 0:
        return argument;
      case 1:
        return negative(argument);
      case 2:
        return this.#take(argument).toString('utf8');
      case 3:
        return utf8(this.#take(argument));
      case 4:
        return this.#array(argument, depth);
      case 5:
        return this.#map(argument, depth);
      default:
        return this.#tagged(argument, depth);
    }
  }

  #array(length: number | bigint, depth: number): unknown[] {
    // Every item is a byte at least: what claims more than there is ends here.
    if (length > this.rest) throw new CborError('unexpected EOF');
    const items: unknown[] = [];
    for (let index = 0; index < length; index += 1) items.push(this.item(depth + 1));
    return items;
  }

  #map(length: number | bigint, depth: number): Record<string, unknown> {
    if (length > this.rest) throw new CborError('unexpected EOF');
    const map: Record<string, unknown> = {};
    for (let index = 0; index < length; index += 1) {
      const key = this.item(depth + 1);
      if (typeof key !== 'string') throw new CborError('cbor: cannot unmarshal a map key that is no string');
      if (Object.hasOwn(map, key)) throw new CborError(`cbor: found duplicate map key ${JSON.stringify(key)}`);
      setOwn(map, key, this.item(depth + 1));
    }
    return map;
  }

  /** Times are texts; bytes with an expected later encoding are that encoding of them. */
  #tagged(tag: number | bigint, depth: number): unknown {
    const start = this.#position;
    const value = this.item(depth + 1);
    switch (tag) {
      case TAG_SELF_DESCRIBED:
        return value;
      case TAG_TIME:
        if (typeof value === 'string') return value;
        break;
      case TAG_EPOCH_TIME:
        if (typeof value === 'number') return timeOf(value);
        break;
      case TAG_BASE64URL:
        return this.#bytesAt(start).toString('base64url');
      case TAG_BASE64:
        return this.#bytesAt(start).toString('base64');
      case TAG_BASE16:
        return this.#bytesAt(start).toString('hex');
      default:
    }
    throw new CborError(`cbor: tag ${tag} is not in use here`);
  }

  #bytesAt(start: number): Buffer {
    const end = this.#position;
    this.#position = start;
    const initial = this.#take(1)[0] ?? 0;
    if (initial >> 5 !== 2) throw new CborError('cbor: an encoding is expected of bytes only');
    const content = this.#take(this.#argument(initial & 0x1f));
    this.#position = end;
    return content;
  }

  #simple(info: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return finite(halfToNumber(this.#take(2).readUInt16BE(0)));
      case 26:
        return finite(this.#take(4).readFloatBE(0));
      case 27:
        return finite(this.#take(8).readDoubleBE(0));
      default:
        throw new CborError(`cbor: simple value ${info} is not in use here`);
    }
  }

  #argument(info: number): number | bigint {
    if (info < 24) return info;
    switch (info) {
      case 24:
        return this.#take(1)[0] ?? 0;
      case 25:
        return this.#take(2).readUInt16BE(0);
      case 26:
        return this.#take(4).readUInt32BE(0);
      case 27: {
        const value = this.#take(8).readBigUInt64BE(0);
        return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
      }
      case 31:
        throw new CborError('cbor: indefinite-length items are not allowed');
      default:
        throw new CborError(`cbor: invalid additional information ${info}`);
    }
  }

  #take(length: number | bigint): Buffer {
    if (length > this.rest) throw new CborError('unexpected EOF');
    const start = this.#position;
    this.#position += Number(length);
    return this.#bytes.subarray(start, this.#position);
  }
}

function negative(argument: number | bigint): number | bigint {
  if (typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER) return -1 - argument;
  const value = -1n - BigInt(argument);
  if (BigInt.asIntN(64, value) !== value) throw new CborError(`cbor: ${value} overflows a 64-bit integer`);
  return value;
}

function utf8(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (Buffer.byteLength(text) !== bytes.length) throw new CborError('cbor: invalid UTF-8 string');
  return text;
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new CborError('cbor: NaN and infinite numbers are not allowed');
  return value;
}

function timeOf(seconds: number): string {
  // The years that RFC 3339 can show.
  if (seconds < YEAR_0_SECONDS || seconds > YEAR_9999_SECONDS) throw new CborError('cbor: a time is out of range');
  return formatTime(seconds * 1000);
}

const YEAR_0_SECONDS = -62_167_219_200;
const YEAR_9999_SECONDS = 253_402_300_799;

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
