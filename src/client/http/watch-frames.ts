import { StatusError, genericStatus } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { ConnectionError, type WatchEvent } from '../client.ts';
import { isStatus } from './response-error.ts';

// An object is at most 1.5 MiB on disk; a frame that is longer than this is no watch event.
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const NEWLINE = 10;
const EVENT_TYPES: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/**
 * The events of a watch's body: JSON values, one a line. Reads on only when the consumer asks for more, so a slow
 * consumer slows the server down. Throws the `StatusError` of an ERROR event, and a `ConnectionError` for anything that
 * is no event.
 */
export async function* watchFrames<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<WatchEvent<T>, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const piece of chunks) {
    let chunk = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE)) {
      const line = pending.length === 0 ? chunk.subarray(0, end) : Buffer.concat([...pending, chunk.subarray(0, end)]);
      pending = [];
      pendingBytes = 0;
      chunk = chunk.subarray(end + 1);
      if (line.length > 0) yield parseFrame<T>(line);
    }
    if (chunk.length === 0) continue;
    pending.push(chunk);
    pendingBytes += chunk.length;
    if (pendingBytes > FRAME_BYTES_MAX) {
      throw new ConnectionError(`watch: a frame is longer than ${FRAME_BYTES_MAX} bytes`);
    }
  }
  // A last frame without a newline was cut off: the watch ended, and the consumer resumes from the event before.
}

function parseFrame<T extends KubeObject>(line: Buffer): WatchEvent<T> {
  const frame = parseJson(line);
  if (typeof frame === 'object' && frame !== null && 'type' in frame && 'object' in frame) {
    const { type, object } = frame;
    if (type === 'ERROR') throw errorOf(object);
    // Safe: the types are checked, and the object is what the resource's type says.
    if (EVENT_TYPES.has(type)) return { type, object } as WatchEvent<T>;
  }
  throw new ConnectionError(`watch: the server sent something that is no event: ${line.toString('utf8', 0, 200)}`);
}

function errorOf(object: unknown): StatusError {
  if (isStatus(object)) return new StatusError(object);
  return genericStatus(500, 'InternalError', `the watch failed: ${JSON.stringify(object)}`);
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch (error) {
    const start = line.toString('utf8', 0, 200);
    throw new ConnectionError(`watch: the server sent something that is not JSON: ${start}`, { cause: error });
  }
}
