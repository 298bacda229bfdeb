import type { ResourceDefinition } from '#api/registry/resource.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import { apiVersionOf, type ListMeta, type ObjectList } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Entry } from '../../storage/entry.ts';
import type { ListPage } from '../../storage/list.ts';
import type { Call } from '../call.ts';
import { compressed } from './compress.ts';
import { negotiate, type Representation } from './negotiate.ts';
import { partialList } from './partial.ts';
import { encode, frozenResponse } from './respond.ts';
import { frozenObject, servedObject, servesStoredBytes } from './serve.ts';
import { tableOf } from './table.ts';

/** Lists above this size are sent in chunks while they are put together. */
const CHUNK_BYTES = 512 * 1024;
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
  return compressed(call, encode(await shapedList(call, page.entries, metadata, representation), representation, 200));
}

function listMeta({ revision, continueToken, remaining }: ListPage): ListMeta {
  return {
    resourceVersion: String(revision),
    ...(continueToken === '' ? {} : { continue: continueToken }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}

function plainList({ core, definition }: Call, entries: readonly Entry[], metadata: ListMeta): ApiResponse {
  const head = JSON.stringify({ kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata });
  const start = Buffer.from(`${head.slice(0, -1)},"items":[`);
  const end = Buffer.from(']}\n');
  const headers = { 'content-type': 'application/json' };
  let size = 0;
  for (const entry of entries) size += entry.encoded.bytes.length + 40;
  if (size <= CHUNK_BYTES) {
    const body = Buffer.allocUnsafe(start.length + end.length + size);
    let length = start.copy(body);
    for (let index = 0; index < entries.length; index++) length = appendEntry(body, length, entries, index);
    length += end.copy(body, length);
    return { type: 'bytes', status: 200, headers, body: [body.subarray(0, length)] };
  }
  return { type: 'stream', status: 200, headers, body: chunks(core.executor, entries, { start, end }) };
}

// Slices are copied into chunks: a socket takes few large buffers much faster than many small ones.
async function* chunks(
  executor: Executor,
  entries: readonly Entry[],
  { start, end }: { start: Uint8Array; end: Uint8Array },
): AsyncGenerator<Uint8Array, void, undefined> {
  yield start;
  for (let index = 0; index < entries.length; ) {
    const from = index;
    let size = 0;
    while (index < entries.length && size < CHUNK_BYTES) size += (entries[index++]?.encoded.bytes.length ?? 0) + 40;
    const chunk = Buffer.allocUnsafe(size);
    let length = 0;
    for (let at = from; at < index; at++) length = appendEntry(chunk, length, entries, at);
    yield chunk.subarray(0, length);
    if (executor.shouldPause()) await executor.pause('request');
  }
  yield end;
}

function appendEntry(target: Buffer, offset: number, entries: readonly Entry[], index: number): number {
  const entry = entries[index];
  if (entry === undefined) return offset;
  let length = offset;
  if (index > 0) target[length++] = COMMA;
  const { bytes, versionOffset } = entry.encoded;
  target.set(bytes.subarray(0, versionOffset), length);
  length += versionOffset;
  length += target.write(`"resourceVersion":"${entry.revision}",`, length, 'latin1');
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

async function shapedList(
  { core, definition }: Call,
  entries: readonly Entry[],
  metadata: ListMeta,
  { shape }: Representation,
): Promise<unknown> {
  const objects = [];
  for (const entry of entries) {
    if (core.executor.shouldPause()) await core.executor.pause('request');
    objects.push(needsWhole(shape) ? servedObject(definition, entry) : frozenObject(definition, entry));
  }
  switch (shape.type) {
    case 'object':
      return { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata, items: objects };
    case 'partial':
      return partialList(objects, metadata, shape.version);
    case 'table':
      return tableOf(definition, objects, metadata, { ...shape, nowMs: core.executor.clock.now() });
  }
}

// Tables are made of the cached objects; whoever wants objects or metadata gets them with managedFields.
function needsWhole(shape: Representation['shape']): boolean {
  return shape.type !== 'table' || shape.includeObject === 'Object';
}
