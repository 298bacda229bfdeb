import type { Readable } from 'node:stream';
import { badRequest, requestEntityTooLarge } from '#machinery/errors/status-error.ts';

const EMPTY = new Uint8Array(0);

/** Reads a whole body. Throws 413 as soon as more than `limitBytes` are announced or seen. */
export function readBody(source: Readable, options: { announced: string | undefined; limitBytes: number }) {
  const { announced, limitBytes } = options;
  if (announced === '0') return Promise.resolve(EMPTY);
  if (announced !== undefined && Number(announced) > limitBytes) return Promise.reject(tooLarge(limitBytes));
  return new Promise<Uint8Array>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const stop = () => {
      source.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limitBytes) {
        stop();
        source.pause();
        reject(tooLarge(limitBytes));
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = () => {
      stop();
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length));
    };
    const onError = (error: Error) => {
      stop();
      reject(badRequest(`the request's body could not be read: ${error.message}`));
    };
    const onClose = () => {
      stop();
      reject(badRequest("the request's body ended early"));
    };
    if (source.readableEnded) resolve(EMPTY);
    else if (source.destroyed) onClose();
    else source.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

function tooLarge(limitBytes: number) {
  return requestEntityTooLarge(`Request entity too large: limit is ${limitBytes}`);
}
