import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import { Readable } from 'node:stream';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Call } from '../call.ts';

/** Upstream compresses answers above this size where the client accepts it. */
const COMPRESS_BYTES_MIN = 128 * 1024;
/** Upstream's level: speed over size. */
const LEVEL = 1;

const gzipAsync = promisify(gzip);

/** Compresses a large answer where the client accepts gzip. Local callers never do, so that virtual time stays pure. */
export function compressed(call: Call, response: ApiResponse): ApiResponse | Promise<ApiResponse> {
  if (!acceptsGzip(call)) return response;
  if (response.type === 'stream') {
    return {
      ...response,
      headers: gzipHeaders(response.headers),
      body: Readable.from(response.body).pipe(createGzip({ level: LEVEL })),
    };
  }
  if (response.type !== 'bytes') return response;
  const size = response.body.reduce((sum, slice) => sum + slice.length, 0);
  return size <= COMPRESS_BYTES_MIN ? response : compressBytes(response);
}

export function acceptsGzip({ context: { request } }: Call): boolean {
  const accepted = request.headers['accept-encoding'];
  return accepted !== undefined && request.localUser === undefined && /\bgzip\b/.test(accepted);
}

async function compressBytes(response: ApiResponse & { type: 'bytes' }): Promise<ApiResponse> {
  const body = await gzipAsync(Buffer.concat(response.body), { level: LEVEL });
  return { ...response, headers: gzipHeaders(response.headers), body: [body] };
}

function gzipHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'content-length': _, ...rest } = headers;
  return { ...rest, 'content-encoding': 'gzip', vary: 'Accept-Encoding' };
}
