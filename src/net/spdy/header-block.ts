import { headerDictionary } from './dictionary.ts';
import { SpdyError } from './errors.ts';
import { Inflate } from './inflate.ts';

/** Names are in lower case; several values of one name are joined by a zero byte, as on the wire. */
export type SpdyHeaders = Readonly<Record<string, string>>;

// kubectl sends a few hundred bytes; Go's framer has the same order of limit.
const HEADER_BLOCK_BYTES_MAX = 64 * 1024;
const STORED_BLOCK_BYTES_MAX = 0xffff;
// 32 KiB window, no preset dictionary, check bits.
const ZLIB_HEADER = Buffer.from([0x78, 0x01]);

/** Packs header blocks of one connection and direction. */
export class HeaderEncoder {
  #isFirst = true;

  /**
   * The zlib stream is made of stored blocks: headers of a few dozen bytes, sent once a stream, are not worth a
   * compressor's memory for each connection. Any inflater reads them.
   */
  encode(headers: SpdyHeaders): Buffer {
    const plain = encodePairs(headers);
    const parts: Buffer[] = this.#isFirst ? [ZLIB_HEADER] : [];
    this.#isFirst = false;
    for (let start = 0; start < plain.length; start += STORED_BLOCK_BYTES_MAX) {
      const piece = plain.subarray(start, start + STORED_BLOCK_BYTES_MAX);
      parts.push(storedBlockHeader(piece.length), piece);
    }
    // The empty block is what a flush leaves; readers that work by blocks look for it.
    return Buffer.concat([...parts, storedBlockHeader(0)]);
  }
}

/** Unpacks header blocks of one connection and direction; every block must pass through, wanted or not. */
export class HeaderDecoder {
  readonly #inflate = new Inflate(headerDictionary());

  decode(block: Buffer): SpdyHeaders {
    return decodePairs(this.#inflate.push(block, HEADER_BLOCK_BYTES_MAX));
  }
}

function storedBlockHeader(length: number): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(length, 1);
  header.writeUInt16LE(length ^ 0xffff, 3);
  return header;
}

function encodePairs(headers: SpdyHeaders): Buffer {
  const pairs = Object.entries(headers);
  return Buffer.concat([
    uint32(pairs.length),
    ...pairs.flatMap(([name, value]) => [...counted(name.toLowerCase()), ...counted(value)]),
  ]);
}

function decodePairs(plain: Buffer): SpdyHeaders {
  let position = 0;
  const readCount = (): number => {
    if (position + 4 > plain.length) throw new SpdyError('protocol', 'header block is cut off');
    position += 4;
    return plain.readUInt32BE(position - 4);
  };
  const readText = (): string => {
    const length = readCount();
    if (length > plain.length - position) throw new SpdyError('protocol', 'header block is cut off');
    position += length;
    return plain.toString('utf8', position - length, position);
  };
  const headers = new Map<string, string>();
  const count = readCount();
  for (let index = 0; index < count; index += 1) {
    const name = readText().toLowerCase();
    headers.set(name, readText());
  }
  return Object.fromEntries(headers);
}

function counted(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  return [uint32(bytes.length), bytes];
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
