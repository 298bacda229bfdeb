import type { ResourceDefinition } from '#api/registry/resource.ts';
import { encodeValue } from '#machinery/codec/json.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import { apiVersionOf, type ListMeta, type ObjectList } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Entry } from '../../storage/entry.ts';
import type { ListPage } from '../../storage/list.ts';
import type { Call } from '../call.ts';
import { acceptsGzip, compressed } from './compress.ts';
import { negotiate, type Representation } from './negotiate.ts';
import { partialObject } from './partial.ts';
import { encode, frozenResponse } from './respond.ts';
import { frozenObject, servedObject, servesStoredBytes } from './serve.ts';
import { rowOf, tableHead } from './table.ts';

/** Lists above this size are sent in chunks while they are put together. */
const CHUNK_BYTES = 512 * 1024;
/** A chunk ends with the entry that fills it. */
const MEMORY_BYTES = CHUNK_BYTES + 16 * 1024;
/** Shaped lists above this many items are sent while they are made. */
const SHAPED_ITEMS = 250;
const COMMA = 0x2c;

/** Answers with a page of a list. */
export async function respondList(call: Call, page: ListPage): Promise<ApiResponse> {
  const { definition, core } = call;
  const representation = negotiate(call.context.request);
  const metadata = listMeta(page);
  if (representation.isFrozen) {
    return frozenResponse(await frozenList(core.executor, definition, page.entries, metadata));
  }
  const isJson =
    representation.shape.type === 'object' && representation.encoding === 'json' && !representation.isPretty;
  if (isJson && servesStoredBytes(definition)) return compressed(call, plainList(call, page.entries, metadata));
  return compressed(
    call,
    await shapedResponse(call, page.entries, shapedList(call, metadata, representation), representation),
  );
}

function listMeta({ revision, continueToken, remaining }: ListPage): ListMeta {
  return {
    resourceVersion: String(revision),
    ...(continueToken === '' ? {} : { continue: continueToken }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}

function plainList(call: Call, entries: readonly Entry[], metadata: ListMeta): ApiResponse {
  const { core, definition } = call;
  const head = JSON.stringify({ kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata });
  const start = Buffer.from(`${head.slice(0, -1)},"items":[`);
  const end = Buffer.from(']}\n');
  let size = start.length + end.length + Math.max(0, entries.length - 1);
  for (const entry of entries) size += sizeOf(entry);
  if (size <= CHUNK_BYTES) {
    const body = Buffer.allocUnsafe(size);
    let length = start.copy(body);
    for (let index = 0; index < entries.length; index++) length = appendEntry(body, length, entries, index);
    end.copy(body, length);
    return { type: 'bytes', status: 200, headers: { 'content-type': 'application/json' }, body: [body] };
  }
  // With its length known the body needs no chunked encoding, whose pieces the socket would join by copying.
  const headers = { 'content-type': 'application/json', 'content-length': String(size) };
  // Whoever keeps the chunks, or hands them on to somebody who does, gets new memory for each.
  const reusesMemory = call.context.request.localUser === undefined && !acceptsGzip(call);
  const body = chunks(core.executor, entries, { start, end, reusesMemory });
  return { type: 'stream', status: 200, headers, body, reusesMemory };
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

/** A list whose items are made one by one. */
interface ShapedList {
  /** Everything but the items, in order. */
  readonly head: object;
  readonly itemsField: 'items' | 'rows';
  readonly item: (entry: Entry) => unknown;
}

function shapedList({ core, definition }: Call, metadata: ListMeta, { shape }: Representation): ShapedList {
  switch (shape.type) {
    case 'object':
      return {
        head: { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata },
        itemsField: 'items',
        item: (entry) => servedObject(definition, entry),
      };
    case 'partial':
      return {
        head: { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${shape.version}`, metadata },
        itemsField: 'items',
        item: (entry) => partialObject(servedObject(definition, entry), shape.version),
      };
    case 'table': {
      const options = { ...shape, nowMs: core.executor.clock.now() };
      // Rows without whole objects are made of the cached ones, which lack only managedFields.
      const read = shape.includeObject === 'Object' ? servedObject : frozenObject;
      return {
        head: tableHead(definition, metadata, options),
        itemsField: 'rows',
        item: (entry) => rowOf(definition, read(definition, entry), options),
      };
    }
  }
}

/** JSON of a long list goes out while it is made, so that nothing blocks; people's formats are made in one piece. */
async function shapedResponse(
  { core }: Call,
  entries: readonly Entry[],
  list: ShapedList,
  representation: Representation,
): Promise<ApiResponse> {
  const { executor } = core;
  const isStreamed = entries.length > SHAPED_ITEMS && representation.encoding === 'json' && !representation.isPretty;
  if (isStreamed) {
    const headers = { 'content-type': 'application/json' };
    return { type: 'stream', status: 200, headers, body: shapedChunks(executor, entries, list) };
  }
  const items: unknown[] = [];
  for (const entry of entries) {
    if (executor.shouldPause()) await executor.pause('request');
    items.push(list.item(entry));
  }
  return encode({ ...list.head, [list.itemsField]: items }, representation, 200);
}

async function* shapedChunks(
  executor: Executor,
  entries: readonly Entry[],
  { head, itemsField, item }: ShapedList,
): AsyncGenerator<Uint8Array, void, undefined> {
  let text = `${JSON.stringify(head).slice(0, -1)},"${itemsField}":[`;
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index];
    if (entry === undefined) continue;
    if (index > 0) text += ',';
    text += encodeValue(item(entry));
    if (text.length >= CHUNK_BYTES) {
      yield Buffer.from(text);
      text = '';
    }
    if (executor.shouldPause()) await executor.pause('request');
  }
  yield Buffer.from(`${text}]}\n`);
}
