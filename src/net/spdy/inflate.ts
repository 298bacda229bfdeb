import { SpdyError } from './errors.ts';

const WINDOW_BYTES = 32 * 1024;
const CODE_BITS_MAX = 15;

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * Unpacks one zlib stream (RFC 1950, 1951) that arrives in pieces which each end on a flush, synchronously and with a
 * limit a piece. Node's own streams are asynchronous, and a header block must be read before the frame after it.
 */
export class Inflate {
  readonly #dictionary: Buffer;
  /** The last bytes of output, which later pieces may refer to. */
  #history: Buffer = Buffer.alloc(0);
  #hasHeader = false;

  constructor(dictionary: Buffer) {
    this.#dictionary = dictionary;
  }

  /** Throws `SpdyError` where the data is no deflate, or unpacks to more than `bytesMax`. */
  push(input: Buffer, bytesMax: number): Buffer {
    const bits = new BitReader(input);
    if (!this.#hasHeader) this.#readHeader(bits);
    const output = new Output(this.#history, bytesMax);
    while (!bits.isAtEnd) readBlock(bits, output);
    this.#history = output.history();
    return output.bytes();
  }

  #readHeader(bits: BitReader): void {
    const method = bits.read(8);
    const flags = bits.read(8);
    if ((method & 0x0f) !== 8 || ((method << 8) | flags) % 31 !== 0) throw new SpdyError('protocol', 'no zlib header');
    if ((flags & 0x20) !== 0) {
      for (let byte = 0; byte < 4; byte += 1) bits.read(8);
      this.#history = this.#dictionary;
    }
    this.#hasHeader = true;
  }
}

function readBlock(bits: BitReader, output: Output): void {
  bits.read(1);
  switch (bits.read(2)) {
    case 0:
      copyStored(bits, output);
      return;
    case 1:
      readCompressed(bits, output, FIXED.literals, FIXED.distances);
      return;
    case 2: {
      const { literals, distances } = readDynamicCodes(bits);
      readCompressed(bits, output, literals, distances);
      return;
    }
    default:
      throw new SpdyError('protocol', 'bad deflate block');
  }
}

function copyStored(bits: BitReader, output: Output): void {
  bits.alignToByte();
  const length = bits.read(16);
  const complement = bits.read(16);
  if ((length ^ complement) !== 0xffff) throw new SpdyError('protocol', 'bad stored block');
  for (let index = 0; index < length; index += 1) output.push(bits.read(8));
}

function readCompressed(bits: BitReader, output: Output, literals: Huffman, distances: Huffman): void {
  for (;;) {
    const symbol = literals.decode(bits);
    if (symbol === 256) return;
    if (symbol < 256) {
      output.push(symbol);
      continue;
    }
    const length = table(LENGTH_BASE, symbol - 257) + bits.read(table(LENGTH_EXTRA, symbol - 257));
    const code = distances.decode(bits);
    output.copy(table(DISTANCE_BASE, code) + bits.read(table(DISTANCE_EXTRA, code)), length);
  }
}

function readDynamicCodes(bits: BitReader): { literals: Huffman; distances: Huffman } {
  const literalCount = bits.read(5) + 257;
  const distanceCount = bits.read(5) + 1;
  const codeCount = bits.read(4) + 4;
  const codeLengths = Array.from({ length: 19 }, () => 0);
  for (const symbol of CODE_LENGTH_ORDER.slice(0, codeCount)) codeLengths[symbol] = bits.read(3);
  const codes = new Huffman(codeLengths);
  const lengths: number[] = [];
  while (lengths.length < literalCount + distanceCount) {
    const symbol = codes.decode(bits);
    if (symbol < 16) lengths.push(symbol);
    else if (symbol === 16) repeat(lengths, lengths.at(-1) ?? 0, 3 + bits.read(2));
    else if (symbol === 17) repeat(lengths, 0, 3 + bits.read(3));
    else repeat(lengths, 0, 11 + bits.read(7));
  }
  return {
    literals: new Huffman(lengths.slice(0, literalCount)),
    distances: new Huffman(lengths.slice(literalCount, literalCount + distanceCount)),
  };
}

function repeat(lengths: number[], value: number, times: number): void {
  for (let count = 0; count < times; count += 1) lengths.push(value);
}

function table(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new SpdyError('protocol', 'bad deflate symbol');
  return value;
}

/** A canonical Huffman code, decoded bit by bit: header blocks are short. */
class Huffman {
  readonly #counts = Array.from({ length: CODE_BITS_MAX + 1 }, () => 0);
  readonly #symbols: number[] = [];

  constructor(lengths: readonly number[]) {
    for (const length of lengths) this.#counts[length] = (this.#counts[length] ?? 0) + 1;
    this.#counts[0] = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length += 1) {
      lengths.forEach((candidate, symbol) => {
        if (candidate === length) this.#symbols.push(symbol);
      });
    }
  }

  decode(bits: BitReader): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length += 1) {
      code |= bits.read(1);
      const count = this.#counts[length] ?? 0;
      const symbol = code - count < first ? this.#symbols[index + (code - first)] : undefined;
      if (symbol !== undefined) return symbol;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new SpdyError('protocol', 'bad deflate code');
  }
}

const FIXED = {
  literals: new Huffman(
    Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
  ),
  distances: new Huffman(Array.from({ length: 30 }, () => 5)),
};

class BitReader {
  readonly #input: Buffer;
  #position = 0;
  #bit = 0;

  constructor(input: Buffer) {
    this.#input = input;
  }

  /** Every piece ends byte-aligned, on the empty stored block of a flush. */
  get isAtEnd(): boolean {
    return this.#position >= this.#input.length;
  }

  read(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index += 1) {
      const byte = this.#input[this.#position];
      if (byte === undefined) throw new SpdyError('protocol', 'header block is cut off');
      value |= ((byte >> this.#bit) & 1) << index;
      this.#bit += 1;
      if (this.#bit === 8) this.alignToByte();
    }
    return value;
  }

  alignToByte(): void {
    if (this.#bit === 0) return;
    this.#bit = 0;
    this.#position += 1;
  }
}

/** The output of one piece, after the history that it may copy from. */
class Output {
  #buffer: Buffer;
  #length: number;
  readonly #start: number;
  readonly #bytesMax: number;

  constructor(history: Buffer, bytesMax: number) {
    this.#buffer = Buffer.alloc(history.length + 1024);
    history.copy(this.#buffer);
    this.#start = history.length;
    this.#length = history.length;
    this.#bytesMax = bytesMax;
  }

  push(byte: number): void {
    if (this.#length - this.#start >= this.#bytesMax) throw new SpdyError('protocol', 'header block is too large');
    if (this.#length === this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], this.#length * 2);
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  copy(distance: number, length: number): void {
    for (let index = 0; index < length; index += 1) {
      const byte = distance > this.#length ? undefined : this.#buffer[this.#length - distance];
      if (byte === undefined) throw new SpdyError('protocol', 'bad deflate distance');
      this.push(byte);
    }
  }

  bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#length);
  }

  history(): Buffer {
    return Buffer.from(this.#buffer.subarray(Math.max(0, this.#length - WINDOW_BYTES), this.#length));
  }
}
