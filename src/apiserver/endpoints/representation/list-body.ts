import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import { apiVersionOf, type ListMeta, type ObjectList } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Entry } from '../../storage/entry.ts';
import type { ListPage } from '../../storage/list.ts';
import type { Call } from '../call.ts';
import { acceptsGzip, compressed } from './compress.ts';
import type { Forms } from './forms.ts';
import { type ItemForm, itemForm } from './items.ts';
import { protobufList, type ProtobufListInit } from './list-protobuf.ts';
import { listChunks, type ListParts } from './list-stream.ts';
import { contentTypeOf, type Representation, type Shape } from './negotiate.ts';
import { frozenResponse, representationOf } from './respond.ts';
import { frozenObject, servesStoredBytes } from './serve.ts';
import { tableHead } from './table.ts';

/** Lists above this size are sent in chunks while they are put together. */
const CHUNK_BYTES = 512 * 1024;
/** A chunk ends with the entry that fills it. */
const MEMORY_BYTES = CHUNK_BYTES + 16 * 1024;
/** Shaped lists above this many items are sent while they are made. */
const SHAPED_ITEMS = 250;
/** How much of what is kept one list may fill. */
const LIST_SHARE = 0.75;
const COMMA = 0x2c;

/** Answers with a page of a list. */
export async function respondList(call: Call, page: ListPage): Promise<ApiResponse> {
  const { definition, core } = call;
  const representation = representationOf(call);
  const metadata = listMeta(page);
  if (representation.isFrozen) {
    return frozenResponse(await frozenList(core.executor, definition, page.entries, metadata));
  }
  const isJson =
    representation.shape.type === 'object' && representation.encoding === 'json' && !representation.isPretty;
  if (isJson && servesStoredBytes(definition)) return compressed(call, await plainList(call, page.entries, metadata));
  return compressed(call, await shapedResponse(call, page, { metadata, representation }));
}

function listMeta({ revision, continueToken, remaining }: ListPage): ListMeta {
  return {
    resourceVersion: String(revision),
    ...(continueToken === '' ? {} : { continue: continueToken }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}

async function plainList(call: Call, entries: readonly Entry[], metadata: ListMeta): Promise<ApiResponse> {
  const { core, definition } = call;
  const head = JSON.stringify({ kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata });
  const start = Buffer.from(`${head.slice(0, -1)},"items":[`);
  const end = Buffer.from(']}\n');
  let size = start.length + end.length + Math.max(0, entries.length - 1);
  for (const entry of entries) {
    if (core.executor.shouldPause()) await core.executor.pause('request');
    size += sizeOf(entry);
  }
  if (size <= CHUNK_BYTES) {
    const body = Buffer.allocUnsafe(size);
    let length = start.copy(body);
    for (let index = 0; index < entries.length; index++) length = appendEntry(body, length, entries, index);
    end.copy(body, length);
    return { type: 'bytes', status: 200, headers: { 'content-type': 'application/json' }, body: [body] };
  }
  // With its length known the body needs no chunked encoding, whose pieces the socket would join by copying.
  const headers = { 'content-type': 'application/json', 'content-length': String(size) };
  const isReused = reusesMemory(call);
  const body = chunks(core.executor, entries, { start, end, reusesMemory: isReused });
  return { type: 'stream', status: 200, headers, body, reusesMemory: isReused };
}

// Slices are copied into chunks: a socket takes few large buffers much faster than many small ones. A new buffer for
// each chunk would make every long list a reason to collect the whole heap.
async function* chunks(
  executor: Executor,
  entries: readonly Entry[],
  { start, end, reusesMemory }: { start: Uint8Array; end: Uint8Array; reusesMemory: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  yield start;
  let memory = Buffer.alloc(0);
  for (let index = 0; index < entries.length; ) {
    const from = index;
    let size = 0;
    for (let entry = entries[index]; entry !== undefined && size < CHUNK_BYTES; entry = entries[++index]) {
      size += sizeOf(entry) + (index > 0 ? 1 : 0);
    }
    if (!reusesMemory || memory.length < size) memory = Buffer.allocUnsafeSlow(Math.max(size, MEMORY_BYTES));
    let length = 0;
    for (let at = from; at < index; at++) length = appendEntry(memory, length, entries, at);
    yield memory.subarray(0, length);
    if (executor.shouldPause()) await executor.pause('request');
  }
  yield end;
}

const VERSION_HEAD = '"resourceVersion":"';
const VERSION_END = '",';

/** Bytes of an entry in a list, without the comma before it. */
function sizeOf({ encoded, revision }: Entry): number {
  return encoded.bytes.length + VERSION_HEAD.length + String(revision).length + VERSION_END.length;
}

function appendEntry(target: Buffer, offset: number, entries: readonly Entry[], index: number): number {
  const entry = entries[index];
  if (entry === undefined) return offset;
  let length = offset;
  if (index > 0) target[length++] = COMMA;
  const { bytes, versionOffset } = entry.encoded;
  target.set(bytes.subarray(0, versionOffset), length);
  length += versionOffset;
  length += target.write(`${VERSION_HEAD}${entry.revision}${VERSION_END}`, length, 'latin1');
  target.set(bytes.subarray(versionOffset), length);
  return length + bytes.length - versionOffset;
}

async function frozenList(
  executor: Executor,
  definition: ResourceDefinition,
  entries: readonly Entry[],
  metadata: ListMeta,
): Promise<ObjectList> {
  const items = [];
  for (const entry of entries) {
    if (executor.shouldPause()) await executor.pause('request');
    items.push(frozenObject(definition, entry));
  }
  return { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata, items };
}

function shapedList(call: Call, page: ListPage, { metadata, representation }: ListContext): ListParts {
  const { core, definition } = call;
  const { shape } = representation;
  const nowMs = core.executor.clock.now();
  const form = itemForm(core.forms, definition, { representation, nowMs });
  if (shape.type !== 'table')
    return { head: listHead(call, metadata, shape), itemsField: 'items', form, entries: page.entries };
  const head = { ...tableHead(definition, metadata, { ...shape, nowMs }) };
  return { head, itemsField: 'rows', form, entries: page.entries };
}

function listHead(
  { definition }: Call,
  metadata: ListMeta,
  shape: Shape,
): { kind: string; apiVersion: string; metadata: ListMeta } {
  return shape.type === 'partial'
    ? { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${shape.version}`, metadata }
    : { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata };
}

interface ListContext {
  readonly metadata: ListMeta;
  readonly representation: Representation;
}

/** A long list goes out while it is made, so that nothing blocks. */
async function shapedResponse(call: Call, page: ListPage, context: ListContext): Promise<ApiResponse> {
  const { core, definition } = call;
  const { metadata, representation } = context;
  await core.forms.load(representation.encoding);
  if (representation.encoding === 'protobuf') {
    const { kind, apiVersion } = listHead(call, metadata, representation.shape);
    const form = itemForm(core.forms, definition, { representation, nowMs: 0 });
    return protobufList({
      codec: core.forms.codec,
      executor: core.executor,
      type: { kind, apiVersion },
      metadata,
      entries: page.entries,
      item: boundedItem(core.forms, form),
      lengths: lengthsOf(definition, representation.shape),
      reusesMemory: reusesMemory(call),
    });
  }
  const list = shapedList(call, page, context);
  const headers = { 'content-type': contentTypeOf(representation) };
  if (page.entries.length > SHAPED_ITEMS) {
    const isReused = reusesMemory(call);
    const body = listChunks(core.executor, list, { representation, reusesMemory: isReused });
    return { type: 'stream', status: 200, headers, body, reusesMemory: isReused };
  }
  const pieces: Uint8Array[] = [];
  const chunksOfList = listChunks(core.executor, list, { representation, reusesMemory: false });
  for await (const piece of chunksOfList) pieces.push(piece);
  return { type: 'bytes', status: 200, headers, body: pieces };
}

/** A list that is larger than what is kept leaves its beginning there, so that the next one finds that much. */
function boundedItem(forms: Forms, form: ItemForm): (entry: Entry) => Uint8Array {
  let bytes = 0;
  const bytesMax = forms.bytesMax * LIST_SHARE;
  return (entry) => {
    const item = form.encode(entry, bytes < bytesMax ? 'keep' : 'borrow');
    bytes += item.length;
    return item;
  };
}

/** Entries remember how long they are in the forms that long lists are asked for in. */
function lengthsOf(definition: ResourceDefinition, shape: Shape): ProtobufListInit['lengths'] {
  if (!servesStoredBytes(definition)) return { get: () => 0, set: () => undefined };
  if (shape.type === 'partial') {
    return {
      get: (entry) => entry.protobufPartialBytes,
      set: (entry, length) => {
        entry.protobufPartialBytes = length;
      },
    };
  }
  return {
    get: (entry) => entry.protobufBytes,
    set: (entry, length) => {
      entry.protobufBytes = length;
    },
  };
}

/** Whoever keeps the chunks, or hands them on to somebody who does, gets new memory for each. */
function reusesMemory(call: Call): boolean {
  return call.context.request.localUser === undefined && !acceptsGzip(call);
}
