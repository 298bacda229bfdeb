import { PassThrough, type Readable } from 'node:stream';
// Not by name: a name that an older Node lacks would keep the module from loading at all.
import * as zlib from 'node:zlib';

const MAGIC_BYTES = 4;

/** The stream as it is, or unpacked where it begins with gzip's or zstd's magic bytes. Errors pass through. */
export async function decompress(source: Readable): Promise<Readable> {
  const head = await readHead(source);
  const unpack = decoderFor(head);
  // Errors of the source must reach whoever reads the result; pipe() alone does not carry them.
  source.once('error', (error) => unpack.destroy(error));
  unpack.once('close', () => source.destroy());
  return source.pipe(unpack);
}

function decoderFor(head: Buffer): PassThrough | zlib.Gunzip | zlib.ZstdDecompress {
  if (head[0] === 0x1f && head[1] === 0x8b) return zlib.createGunzip();
  if (head.length >= MAGIC_BYTES && head.readUInt32LE() === 0xfd2fb528) {
    // Node 22 has it from 22.15 on.
    if (typeof zlib.createZstdDecompress !== 'function') throw new Error('this Node version cannot unpack zstd');
    return zlib.createZstdDecompress();
  }
  return new PassThrough();
}

/** The first bytes, put back for the next reader. */
async function readHead(source: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < MAGIC_BYTES) {
    const chunk: unknown = source.read();
    if (Buffer.isBuffer(chunk)) {
      chunks.push(chunk);
      length += chunk.length;
      continue;
    }
    if (source.readableEnded || source.destroyed) break;
    const isOver = await nextReadable(source);
    if (isOver) break;
  }
  const head = Buffer.concat(chunks);
  if (head.length > 0) source.unshift(head);
  return head;
}

/** True when the stream has ended. */
function nextReadable(source: Readable): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (isOver: boolean): void => {
      source.off('readable', onReadable).off('end', onEnd).off('error', reject);
      resolve(isOver);
    };
    const onReadable = (): void => settle(false);
    const onEnd = (): void => settle(true);
    source.on('readable', onReadable).on('end', onEnd).on('error', reject);
  });
}
