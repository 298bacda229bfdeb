import { constants, createDeflate } from 'node:zlib';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { headerDictionary } from './dictionary.ts';
import { HeaderDecoder, HeaderEncoder } from './header-block.ts';
import { Inflate } from './inflate.ts';

const BYTES_MAX = 64 * 1024;

/** Packs pieces as Go's and Node's compressors do: one stream, flushed after each piece. */
async function deflatePieces(pieces: readonly Buffer[], level: number): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: headerDictionary(), level });
  const packed: Buffer[] = [];
  for (const piece of pieces) {
    const chunks: Buffer[] = [];
    const onData = (chunk: Buffer): void => void chunks.push(chunk);
    deflate.on('data', onData);
    deflate.write(piece);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    deflate.off('data', onData);
    packed.push(Buffer.concat(chunks));
  }
  deflate.destroy();
  return packed;
}

function errorName(action: () => void): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return error instanceof Error ? error.name : 'not an error';
  }
}

describe('Inflate', () => {
  test('unpacks what zlib packed, piece by piece', async () => {
    const text = fc.array(fc.constantFrom('streamtype', 'port', 'requestid', 'GMT', 'a', '\u0000\u0000', 'zz9'), {
      maxLength: 200,
    });
    const property = fc.asyncProperty(
      fc.array(text, { minLength: 1, maxLength: 4 }),
      fc.nat(9),
      async (words, level) => {
        const pieces = words.map((list) => Buffer.from(`x${list.join('')}`));
        const inflate = new Inflate(headerDictionary());
        const unpacked = (await deflatePieces(pieces, level)).map((packed) => inflate.push(packed, BYTES_MAX));
        expect(Buffer.concat(unpacked).equals(Buffer.concat(pieces))).toBe(true);
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  test('unpacks random bytes', async () => {
    const property = fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 5000 }), async (bytes) => {
      const [packed] = await deflatePieces([Buffer.from(bytes)], 9);
      expect(new Inflate(headerDictionary()).push(packed!, BYTES_MAX).equals(bytes)).toBe(true);
    });
    await fc.assert(property, { numRuns: 40 });
  });

  test('stops at its limit', async () => {
    const [packed] = await deflatePieces([Buffer.alloc(1024 * 1024)], 9);
    expect(packed!.length).toBeLessThan(2000);
    expect(() => new Inflate(headerDictionary()).push(packed!, BYTES_MAX)).toThrow('header block is too large');
  });

  test('throws nothing but SpdyError on garbage', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const input = Buffer.concat([Buffer.from([0x78, 0x01]), bytes]);
      expect(['none', 'SpdyError']).toContain(errorName(() => new Inflate(headerDictionary()).push(input, BYTES_MAX)));
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe('HeaderEncoder', () => {
  test('is read back by HeaderDecoder and keeps its state over blocks', () => {
    const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/).filter((name) => name !== '__proto__');
    const headers = fc.array(fc.dictionary(names, fc.string({ unit: 'binary', maxLength: 50 })), { maxLength: 5 });
    const property = fc.property(headers, (blocks) => {
      const encoder = new HeaderEncoder();
      const decoder = new HeaderDecoder();
      for (const block of blocks) expect(decoder.decode(encoder.encode(block))).toEqual({ ...block });
    });
    fc.assert(property, { numRuns: 40 });
  });
});
