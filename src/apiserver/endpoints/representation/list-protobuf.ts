import { envelopeOf, fieldHead } from '#machinery/codec/protobuf/envelope.ts';
import type { ProtobufCodec } from '#machinery/codec/protobuf/codec.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { ListMeta } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Entry } from '../../storage/entry.ts';
import { MEDIA_TYPES } from './negotiate.ts';

/** Items are gathered in buffers of this size: few large ones cost the collector less than many small ones. */
const SLAB_BYTES = 512 * 1024;
/** Longer lists are encoded twice, to be measured and to be sent, rather than held: many clients may ask at once. */
const HELD_BYTES_MAX = 16 * SLAB_BYTES;
/** Field 2 of every list. */
const ITEMS_FIELD = 2;

export interface ProtobufListInit {
  readonly codec: ProtobufCodec;
  readonly executor: Executor;
  /** Of the list. */
  readonly type: { readonly apiVersion: string; readonly kind: string };
  readonly metadata: ListMeta;
  readonly entries: readonly Entry[];
  /** The bare message of an entry; good until the next one is asked for. */
  readonly item: (entry: Entry) => Uint8Array;
  /** What is known of lengths from earlier lists; 0 where nothing is. */
  readonly lengths: { readonly get: (entry: Entry) => number; readonly set: (entry: Entry, length: number) => void };
  /** The client's socket takes each piece before it asks for the next. */
  readonly reusesMemory: boolean;
}

/** A list as protobuf, whose length stands at its beginning. */
export async function protobufList(init: ProtobufListInit): Promise<ApiResponse> {
  const { codec, type, metadata } = init;
  const name = codec.messageOf(type);
  if (name === undefined) throw new Error(`${type.apiVersion} ${type.kind} has no protobuf form`);
  const before = codec.encodeMessage(name, { metadata });
  const { slabs, lengths, total } = await measure(init);
  const { head, tail } = envelopeOf(type, before.length + total);
  const headers = { 'content-type': MEDIA_TYPES.protobuf };
  const start = Buffer.concat([head, before]);
  if (slabs !== undefined) return { type: 'bytes', status: 200, headers, body: [start, ...slabs, tail] };
  return {
    type: 'stream',
    status: 200,
    headers: { ...headers, 'content-length': String(start.length + total + tail.length) },
    body: chunks(init, { start, tail, lengths }),
    reusesMemory: init.reusesMemory,
  };
}

interface Measured {
  /** The items with their heads, where they are few enough to be held. */
  readonly slabs: readonly Uint8Array[] | undefined;
  /** Of the items' messages. */
  readonly lengths: Uint32Array;
  /** Of all items with their heads. */
  readonly total: number;
}

async function measure({ executor, entries, item, lengths: known }: ProtobufListInit): Promise<Measured> {
  const lengths = new Uint32Array(entries.length);
  let held: Slabs | undefined = new Slabs();
  let total = 0;
  for (const [index, entry] of entries.entries()) {
    if (executor.shouldPause()) await executor.pause('request');
    let length = held === undefined ? known.get(entry) : 0;
    if (length === 0) {
      const message = item(entry);
      ({ length } = message);
      known.set(entry, length);
      held?.append(fieldHead(ITEMS_FIELD, length), message);
    }
    lengths[index] = length;
    total += fieldHead(ITEMS_FIELD, length).length + length;
    if (total > HELD_BYTES_MAX) held = undefined;
  }
  return { slabs: held?.take(), lengths, total };
}

async function* chunks(
  { executor, entries, item, reusesMemory }: ProtobufListInit,
  { start, tail, lengths }: { start: Uint8Array; tail: Uint8Array; lengths: Uint32Array },
): AsyncGenerator<Uint8Array, void, undefined> {
  yield start;
  let memory = Buffer.alloc(0);
  for (let index = 0; index < entries.length; ) {
    const from = index;
    let size = 0;
    for (; index < entries.length && size < SLAB_BYTES; index++) size += fieldSize(lengths[index] ?? 0);
    if (!reusesMemory || memory.length < size) memory = Buffer.allocUnsafeSlow(Math.max(size, SLAB_BYTES + 64 * 1024));
    let used = 0;
    for (const [offset, entry] of entries.slice(from, index).entries()) {
      if (executor.shouldPause()) await executor.pause('request');
      const message = item(entry);
      const head = fieldHead(ITEMS_FIELD, message.length);
      if (message.length !== lengths[from + offset]) throw new Error(`"${entry.key}" has two lengths as protobuf`);
      memory.set(head, used);
      memory.set(message, used + head.length);
      used += head.length + message.length;
    }
    yield memory.subarray(0, used);
  }
  yield tail;
}

function fieldSize(length: number): number {
  return fieldHead(ITEMS_FIELD, length).length + length;
}

/** Bytes that are appended piece by piece. */
class Slabs {
  readonly #full: Uint8Array[] = [];
  #slab = Buffer.alloc(0);
  #used = 0;

  append(head: Uint8Array, message: Uint8Array): void {
    const needed = head.length + message.length;
    if (this.#used + needed > this.#slab.length) {
      this.#finish();
      // The first one is small: most lists are.
      const size = this.#full.length === 0 ? 16 * 1024 : SLAB_BYTES;
      this.#slab = Buffer.allocUnsafeSlow(Math.max(size, needed));
    }
    this.#slab.set(head, this.#used);
    this.#slab.set(message, this.#used + head.length);
    this.#used += needed;
  }

  take(): Uint8Array[] {
    this.#finish();
    return this.#full;
  }

  #finish(): void {
    if (this.#used > 0) this.#full.push(this.#slab.subarray(0, this.#used));
    this.#used = 0;
  }
}
