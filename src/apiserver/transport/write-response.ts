import type { Writable } from 'node:stream';
import type { Clock } from '#machinery/clock/clock.ts';
import type { ApiResponse, WatchFrame } from '../pipeline/types.ts';

/** Where an answer goes: an HTTP/1.1 response or an HTTP/2 stream. */
export interface ResponseSink {
  readonly writable: Writable;
  /** Called once, before anything is written. */
  sendHead(status: number, headers: Readonly<Record<string, string>>, options: { hasBody: boolean }): void;
}

export interface WriteOptions {
  readonly clock: Clock;
  readonly drainTimeoutMs: number;
  readonly isHead: boolean;
  readonly signal: AbortSignal;
}

/** Slices are joined up to this size: one copy of 128 KiB costs less than a hundred writes. */
const JOIN_BYTES_MAX = 128 * 1024;

/** Writes a finished answer; resolves when the last byte was accepted or the client went away. */
export function writeBytes(
  response: Extract<ApiResponse, { type: 'bytes' }>,
  sink: ResponseSink,
  options: { isHead: boolean },
): Promise<void> | undefined {
  const { body } = response;
  let length = 0;
  for (const slice of body) length += slice.length;
  const bodiless = options.isHead || response.status === 204 || response.status === 304;
  const headers =
    response.status === 204 ? response.headers : { ...response.headers, 'content-length': String(length) };
  const hasBody = !bodiless && length > 0;
  sink.sendHead(response.status, headers, { hasBody });
  const { writable } = sink;
  if (!hasBody) {
    writable.end();
    return undefined;
  }
  const [only] = body;
  if (body.length === 1 && only !== undefined) {
    writable.end(only);
    return undefined;
  }
  if (length <= JOIN_BYTES_MAX) {
    writable.end(Buffer.concat(body, length));
    return undefined;
  }
  return writeSlices(body, writable);
}

/** Writes one frame batch per turn; the next batch is pulled when the socket took the last one. */
export async function writeWatch(
  response: Extract<ApiResponse, { type: 'watch' }>,
  sink: ResponseSink,
  options: WriteOptions,
): Promise<void> {
  const { watch } = response;
  const { writable } = sink;
  const stop = () => watch.close();
  options.signal.addEventListener('abort', stop, { once: true });
  writable.once('close', stop);
  try {
    if (options.signal.aborted || writable.destroyed) return;
    sink.sendHead(200, response.headers, { hasBody: true });
    for (let frames = await watch.next(); frames !== undefined; frames = await watch.next()) {
      if (writable.destroyed) return;
      if (!writable.write(joinFrames(frames))) await drained(writable, options);
    }
  } finally {
    options.signal.removeEventListener('abort', stop);
    writable.off('close', stop);
    watch.close();
    if (!writable.destroyed) writable.end();
  }
}

export async function writeStream(
  response: Extract<ApiResponse, { type: 'stream' }>,
  sink: ResponseSink,
  options: WriteOptions,
): Promise<void> {
  const { writable } = sink;
  sink.sendHead(response.status, response.headers, { hasBody: !options.isHead });
  const body = response.body[Symbol.asyncIterator]();
  // A source that waits for its next line must still learn that nobody listens.
  const stop = () => void body.return?.().catch(() => undefined);
  writable.once('close', stop);
  try {
    if (options.isHead) return;
    for (let step = await body.next(); step.done !== true; step = await body.next()) {
      if (writable.destroyed) return;
      if (response.reusesMemory === true) await written(writable, step.value, options);
      else if (!writable.write(step.value)) await drained(writable, options);
    }
    if (!writable.destroyed) writable.end();
  } catch (error) {
    // The head is out: all that is left to tell the client is that the body is not whole.
    writable.destroy();
    throw error;
  } finally {
    writable.off('close', stop);
    await body.return?.();
    if (options.isHead) writable.end();
  }
}

async function writeSlices(body: readonly Uint8Array[], writable: Writable): Promise<void> {
  let batch: Uint8Array[] = [];
  let batchLength = 0;
  for (const slice of body) {
    batch.push(slice);
    batchLength += slice.length;
    if (batchLength < JOIN_BYTES_MAX) continue;
    const accepted = writable.write(batch.length === 1 ? slice : Buffer.concat(batch, batchLength));
    batch = [];
    batchLength = 0;
    if (!accepted && !(await settled(writable))) return;
    if (writable.destroyed) return;
  }
  writable.end(Buffer.concat(batch, batchLength));
}

/** Resolves to whether the writable drained; false once it is closed. */
function settled(writable: Writable): Promise<boolean> {
  if (writable.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (isDrained: boolean) => {
      writable.off('drain', onDrain).off('close', onClose);
      resolve(isDrained);
    };
    const onDrain = () => done(true);
    const onClose = () => done(false);
    writable.on('drain', onDrain).on('close', onClose);
  });
}

async function drained(writable: Writable, options: WriteOptions): Promise<void> {
  const timer = options.clock.setTimeout(() => writable.destroy(), options.drainTimeoutMs, { unref: true });
  try {
    await settled(writable);
  } finally {
    timer.cancel();
  }
}

/** Writes a piece and waits until its memory is free again. */
async function written(writable: Writable, piece: Uint8Array, options: WriteOptions): Promise<void> {
  const timer = options.clock.setTimeout(() => writable.destroy(), options.drainTimeoutMs, { unref: true });
  const done = Promise.withResolvers<void>();
  const onClose = () => done.resolve();
  writable.once('close', onClose);
  // An error closes the writable, which ends the loop that calls this.
  writable.write(piece, () => done.resolve());
  try {
    await done.promise;
  } finally {
    writable.off('close', onClose);
    timer.cancel();
  }
}

function joinFrames(frames: readonly WatchFrame[]): Uint8Array {
  const [first] = frames;
  const [slice] = first?.bytes ?? [];
  if (frames.length === 1 && first?.bytes.length === 1 && slice !== undefined) return slice;
  const slices: Uint8Array[] = [];
  for (const frame of frames) for (const part of frame.bytes) slices.push(part);
  return Buffer.concat(slices);
}
