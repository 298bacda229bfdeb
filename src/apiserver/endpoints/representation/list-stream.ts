import { CBOR_TAG, cborHead, encodeCbor } from '#machinery/codec/cbor.ts';
import { encodeValue } from '#machinery/codec/json.ts';
import { encodeYaml } from '#machinery/codec/yaml.ts';
import type { Executor } from '#machinery/executor/executor.ts';
import type { Entry } from '../../storage/entry.ts';
import { prettyJson } from './bodies.ts';
import type { ItemForm } from './items.ts';
import type { Representation } from './negotiate.ts';

/** Pieces are gathered up to this size. */
const CHUNK_BYTES = 512 * 1024;

/** A list whose items are made one by one. */
export interface ListParts {
  /** Everything but the items, in order. */
  readonly head: Readonly<Record<string, unknown>>;
  readonly itemsField: 'items' | 'rows';
  readonly form: ItemForm;
  readonly entries: readonly Entry[];
}

/**
 * The bytes of a list, made while it is sent. Not for protobuf, which says its length first. With `reusesMemory` each
 * chunk is good until the next one.
 */
export async function* listChunks(
  executor: Executor,
  list: ListParts,
  { representation, reusesMemory }: { representation: Representation; reusesMemory: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  let memory = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let used = 0;
  for (const piece of piecesOf(list, representation)) {
    if (used + piece.length > memory.length) {
      if (used > 0) yield memory.subarray(0, used);
      if (!reusesMemory || memory.length < piece.length)
        memory = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, piece.length));
      used = 0;
    }
    memory.set(piece, used);
    used += piece.length;
    if (executor.shouldPause()) await executor.pause('request');
  }
  if (used > 0) yield memory.subarray(0, used);
}

function piecesOf(list: ListParts, { encoding, isPretty }: Representation): Iterable<Uint8Array> {
  if (encoding === 'yaml') return yamlPieces(list);
  if (encoding === 'cbor') return cborPieces(list);
  return isPretty ? prettyPieces(list) : jsonPieces(list);
}

const COMMA = Buffer.from(',');

function* jsonPieces({ head, itemsField, form, entries }: ListParts): Generator<Uint8Array, void, undefined> {
  yield Buffer.from(`${encodeValue(head).slice(0, -1)},"${itemsField}":[`);
  for (const [index, entry] of entries.entries()) {
    if (index > 0) yield COMMA;
    yield* form.slices(entry);
  }
  yield Buffer.from(']}\n');
}

function* prettyPieces({ head, itemsField, form, entries }: ListParts): Generator<Uint8Array, void, undefined> {
  const start = prettyJson(head).slice(0, -2);
  yield Buffer.from(`${start},\n  "${itemsField}": [`);
  for (const [index, entry] of entries.entries()) {
    // Line breaks inside of texts are escaped, so these are all of the layout.
    const item = prettyJson(form.value(entry)).replaceAll('\n', '\n    ');
    yield Buffer.from(`${index > 0 ? ',' : ''}\n    ${item}`);
  }
  yield Buffer.from(entries.length > 0 ? '\n  ]\n}\n' : ']\n}\n');
}

// Keys stand in the order of the alphabet, wherever the items' key falls.
function* yamlPieces({ head, itemsField, form, entries }: ListParts): Generator<Uint8Array, void, undefined> {
  const keys = [...Object.keys(head), itemsField].toSorted();
  for (const key of keys) {
    if (key !== itemsField) {
      yield Buffer.from(encodeYaml({ [key]: head[key] }));
      continue;
    }
    yield Buffer.from(entries.length > 0 ? `${key}:\n` : `${key}: []\n`);
    for (const entry of entries) yield Buffer.from(encodeYaml([form.value(entry)]));
  }
}

function* cborPieces({ head, itemsField, form, entries }: ListParts): Generator<Uint8Array, void, undefined> {
  // Shorter keys first, as the deterministic form has it.
  const keys = [...Object.keys(head), itemsField].toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  yield CBOR_TAG;
  yield cborHead('map', keys.length);
  for (const key of keys) {
    yield encodeCbor(key);
    if (key !== itemsField) {
      yield encodeCbor(head[key]);
      continue;
    }
    yield cborHead('array', entries.length);
    for (const entry of entries) yield* form.slices(entry);
  }
}
