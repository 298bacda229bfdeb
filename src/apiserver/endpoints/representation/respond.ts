import { encodeValue } from '#machinery/codec/json.ts';
import { encodeYaml } from '#machinery/codec/yaml.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { ApiResponse } from '../../pipeline/types.ts';
import type { Entry } from '../../storage/entry.ts';
import type { Call } from '../call.ts';
import { compressed } from './compress.ts';
import { contentTypeOf, negotiate, type Representation } from './negotiate.ts';
import { partialObject } from './partial.ts';
import { frozenObject, servedObject, servesStoredBytes } from './serve.ts';
import { tableMetadata, tableOf } from './table.ts';

const NEWLINE = Buffer.from('\n');
const FROZEN_HEADERS = {};
const JSON_HEADERS = { 'content-type': 'application/json' };

/** Answers with a stored object; the stored bytes themselves where they are what was asked for. */
export function respondEntry(call: Call, entry: Entry, status = 200): ApiResponse | Promise<ApiResponse> {
  const representation = negotiate(call.context.request);
  if (representation.isFrozen) return frozenResponse(frozenObject(call.definition, entry), status);
  const isPlain =
    representation.shape.type === 'object' && representation.encoding === 'json' && !representation.isPretty;
  if (isPlain && servesStoredBytes(call.definition)) {
    const slices = entry.slices();
    slices.push(NEWLINE);
    return compressed(call, { type: 'bytes', status, headers: JSON_HEADERS, body: slices });
  }
  return respondObject(call, servedObject(call.definition, entry), status);
}

/** Answers with an object of the resource that is not (or not so) stored. */
export function respondObject(call: Call, object: KubeObject, status = 200): ApiResponse | Promise<ApiResponse> {
  const representation = negotiate(call.context.request);
  if (representation.isFrozen) return frozenResponse(object, status);
  return compressed(call, encode(shaped(call, object, representation), representation, status));
}

/** Answers with a value that is no object of the resource (Status, Scale): only its encoding is negotiated. */
export function respondValue(call: Call, value: object, status = 200): ApiResponse {
  const representation = negotiate(call.context.request);
  return representation.isFrozen ? frozenResponse(value, status) : encode(value, representation, status);
}

export function encode(value: unknown, representation: Representation, status: number): ApiResponse {
  return {
    type: 'bytes',
    status,
    headers: { 'content-type': contentTypeOf(representation) },
    body: [encodeText(value, representation)],
  };
}

export function encodeText(value: unknown, { encoding, isPretty }: Representation): Uint8Array {
  if (encoding === 'yaml') return Buffer.from(encodeYaml(value));
  return Buffer.from(`${isPretty ? JSON.stringify(value, null, 2) : encodeValue(value)}\n`);
}

export function frozenResponse(value: unknown, status = 200): ApiResponse {
  return { type: 'bytes', status, headers: FROZEN_HEADERS, body: [], value };
}

function shaped(call: Call, object: KubeObject, { shape }: Representation): unknown {
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
