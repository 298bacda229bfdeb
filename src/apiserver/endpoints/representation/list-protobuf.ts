import { envelopeOf, fieldHead } from '#machinery/codec/protobuf/envelope.ts';
import type { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { ListMeta } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Entry } from '../../storage/entry.ts';
import { MEDIA_TYPES } from './negotiate.ts';

/** Items are gathered in buffers of this size: few large ones cost the collector less than many small ones. */
const SLAB_BYTES = 512 * 1024;
/** Field 2 of every list. */
const ITEMS_FIELD = 2;

export interface ProtobufListInit {
  readonly codec: ProtobufCodec;
  readonly executor: Executor;
  /** Of the list. */
  readonly type: { readonly apiVersion: string; readonly kind: string };
  readonly metadata: ListMeta;
  readonly entries: readonly Entry[];
  /** The bare message of an entry. */
  readonly item: (entry: Entry, index: number) => Uint8Array;
}

/** A list as protobuf. Its length stands at its beginning, so all of it is there before the first byte goes out. */
export async function protobufList(init: ProtobufListInit): Promise<ApiResponse> {
  const { codec, type, metadata } = init;
  const name = codec.messageOf(type);
  if (name === undefined) throw new Error(`${type.apiVersion} ${type.kind} has no protobuf form`);
  const before = codec.encodeMessage(name, { metadata });
  const { slabs, length } = await gather(init);
  const { head, tail } = envelopeOf(type, before.length + length);
  const size = head.length + before.length + length + tail.length;
  const body = [head, before, ...slabs, tail];
  const headers = { 'content-type': MEDIA_TYPES.protobuf };
  if (slabs.length <= 1) return { type: 'bytes', status: 200, headers, body };
  // Sent slab by slab, as the socket takes them.
  return {
    type: 'stream',
    status: 200,
    headers: { ...headers, 'content-length': String(size) },
    body: chunks(body, init.executor),
  };
}

async function gather({
  executor,
  entries,
  item,
}: ProtobufListInit): Promise<{ slabs: readonly Uint8Array[]; length: number }> {
  const slabs: Uint8Array[] = [];
  let slab = Buffer.allocUnsafeSlow(Math.min(SLAB_BYTES, entries.length * 4096));
  let used = 0;
  let length = 0;
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index];
    if (entry === undefined) continue;
    if (executor.shouldPause()) await executor.pause('request');
    const message = item(entry, index);
    const head = fieldHead(ITEMS_FIELD, message.length);
    const needed = head.length + message.length;
    if (used + needed > slab.length) {
      if (used > 0) slabs.push(slab.subarray(0, used));
      slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, needed));
      used = 0;
    }
    slab.set(head, used);
    slab.set(message, used + head.length);
    used += needed;
    length += needed;
  }
  if (used > 0) slabs.push(slab.subarray(0, used));
  return { slabs, length };
}

async function* chunks(body: Uint8Array[], executor: Executor): AsyncGenerator<Uint8Array, void, undefined> {
  for (let next = body.shift(); next !== undefined; next = body.shift()) {
    yield next;
    if (executor.shouldPause()) await executor.pause('request');
  }
}
