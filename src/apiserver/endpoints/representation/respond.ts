import { apiVersionOf, type KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Entry } from '../../storage/entry.ts';
import type { Call } from '../call.ts';
import { encodeBody, NEWLINE, wrapItem } from './bodies.ts';
import { compressed } from './compress.ts';
import type { Forms } from './forms.ts';
import { itemForm } from './items.ts';
import { contentTypeOf, negotiate, type Representation } from './negotiate.ts';
import { partialObject } from './partial.ts';
import { frozenObject, servedObject, servesStoredBytes } from './serve.ts';
import { tableMetadata, tableOf } from './table.ts';

const FROZEN_HEADERS = {};
const JSON_HEADERS = { 'content-type': 'application/json' };

/** What the client of a call takes of what the resource's objects can be sent as. */
export function representationOf({ core, context, definition }: Call, isWatch = false): Representation {
  const { forms } = core;
  return negotiate(context.request, {
    encodings: forms.encodings,
    objectEncodings: forms.encodingsOf(definition),
    isWatch,
  });
}

/** Answers with a stored object; the stored bytes themselves where they are what was asked for. */
export function respondEntry(call: Call, entry: Entry, status = 200): ApiResponse | Promise<ApiResponse> {
  const { definition } = call;
  const representation = representationOf(call);
  if (representation.isFrozen) return frozenResponse(frozenObject(definition, entry), status);
  const { shape, encoding, isPretty } = representation;
  if (shape.type === 'object' && encoding === 'json' && !isPretty && servesStoredBytes(definition)) {
    const slices = entry.slices();
    slices.push(NEWLINE);
    return compressed(call, { type: 'bytes', status, headers: JSON_HEADERS, body: slices });
  }
  if (shape.type !== 'table' && encoding !== 'yaml' && !isPretty) {
    return respondItem(call, entry, { representation, encoding, status });
  }
  return respondShaped(call, servedObject(definition, entry), { representation, status });
}

/** Answers with an object of the resource that is not (or not so) stored. */
export function respondObject(call: Call, object: KubeObject, status = 200): ApiResponse | Promise<ApiResponse> {
  const representation = representationOf(call);
  if (representation.isFrozen) return frozenResponse(object, status);
  return respondShaped(call, object, { representation, status });
}

/** Answers with a value that is no object of the resource (Status, Scale): only its encoding is negotiated. */
export function respondValue(call: Call, value: object, status = 200): ApiResponse | Promise<ApiResponse> {
  const { forms } = call.core;
  // A list of what was deleted is of the resource after all.
  const isOwn = 'kind' in value && value.kind === call.definition.listKind;
  const representation = isOwn
    ? representationOf(call)
    : negotiate(call.context.request, { encodings: forms.encodings, objectOnly: true });
  if (representation.isFrozen) return frozenResponse(value, status);
  return encode(forms, value, { representation, status });
}

/** A whole answer in a negotiated encoding. */
export async function encode(
  forms: Forms,
  value: object,
  { representation, status }: { representation: Representation; status: number },
): Promise<ApiResponse> {
  await forms.load(representation.encoding);
  const headers = { 'content-type': contentTypeOf(representation) };
  return { type: 'bytes', status, headers, body: encodeBody(forms, value, representation) };
}

export function frozenResponse(value: unknown, status = 200): ApiResponse {
  return { type: 'bytes', status, headers: FROZEN_HEADERS, body: [], value };
}

async function respondItem(
  call: Call,
  entry: Entry,
  options: { representation: Representation; encoding: 'json' | 'protobuf' | 'cbor'; status: number },
): Promise<ApiResponse> {
  const { core, definition } = call;
  const { representation, encoding, status } = options;
  await core.forms.load(encoding);
  const { shape } = representation;
  const form = itemForm(core.forms, definition, { representation, nowMs: 0 });
  const type =
    shape.type === 'partial'
      ? { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${shape.version}` }
      : { kind: definition.kind, apiVersion: apiVersionOf(definition) };
  const body = wrapItem(encoding, form.encode(entry), type);
  return compressed(call, { type: 'bytes', status, headers: { 'content-type': contentTypeOf(representation) }, body });
}

async function respondShaped(
  call: Call,
  object: KubeObject,
  options: { representation: Representation; status: number },
): Promise<ApiResponse> {
  return compressed(call, await encode(call.core.forms, shaped(call, object, options.representation), options));
}

function shaped(call: Call, object: KubeObject, { shape }: Representation): object {
  switch (shape.type) {
    case 'object':
      return object;
    case 'partial':
      return partialObject(object, shape.version);
    case 'table': {
      const nowMs = call.core.executor.clock.now();
      return tableOf(call.definition, [object], tableMetadata(object.metadata), { ...shape, nowMs });
    }
  }
}
