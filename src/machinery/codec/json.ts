import type { KubeObject, ManagedFieldsEntry } from '../meta/types.ts';
import type { ByteSlab } from './byte-slab.ts';
import type { EncodedObject } from './encoded-object.ts';
import { type ExactJson, parseExactJson } from './exact-json.ts';
import { DEPTH_MAX, JsonError } from './json-errors.ts';

export type { EncodedObject } from './encoded-object.ts';
export { locateEncoded } from './locate.ts';

/** From this many digits on an integer may not fit a double. */
const EXACT_DIGITS = 16;

/**
 * Decodes a JSON document. `JSON.parse` does the work; where counting shows a repeated key, or a number has 16 digits
 * or more, the exact parser takes over. Throws `JsonError`.
 */
export function decodeJson(bytes: Uint8Array): ExactJson {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The exact parser refuses it, too, and says it in the words that clients know.
    return parseExactJson(text);
  }
  const pairs = countPairs(bytes);
  if (pairs === TOO_DEEP) throw new JsonError('exceeded max depth');
  return pairs < 0 || pairs !== countKeys(value) ? parseExactJson(text) : { value, duplicates: [] };
}

const LONG_NUMBER = -1;
const TOO_DEEP = -2;

/** Number of `key: value` pairs in a well-formed document, or why it is not to be counted. */
function countPairs(bytes: Uint8Array): number {
  let pairs = 0;
  let depth = 0;
  let digits = 0;
  const { length } = bytes;
  for (let index = 0; index < length; index += 1) {
    const byte = bytes[index];
    if (byte === 0x22) {
      digits = 0;
      index += 1;
      while (bytes[index] !== 0x22) index += bytes[index] === 0x5c ? 2 : 1;
    } else if (byte === 0x3a) {
      pairs += 1;
    } else if (byte !== undefined && byte >= 0x30 && byte <= 0x39) {
      digits += 1;
      if (digits >= EXACT_DIGITS) return LONG_NUMBER;
    } else {
      digits = 0;
      if (byte === 0x7b || byte === 0x5b) depth += 1;
      else if (byte === 0x7d || byte === 0x5d) depth -= 1;
      if (depth > DEPTH_MAX) return TOO_DEEP;
    }
  }
  return pairs;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countKeys(item);
    return count;
  }
  // Safe: any object can be read by its own keys.
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    count += 1;
    const child = fields[key];
    if (typeof child === 'object') count += countKeys(child);
  }
  return count;
}

/**
 * Serializes an object once, for the store and for every reader. Its resourceVersion is left out. The bytes are taken
 * from `slab` where they are to be kept.
 */
export function encodeObject(object: KubeObject, slab?: ByteSlab): EncodedObject {
  const head = `{"kind":${JSON.stringify(object.kind)},"apiVersion":${JSON.stringify(object.apiVersion)},"metadata":{`;
  const metadata: Record<string, unknown> = {};
  let managedFields: ManagedFieldsEntry[] | undefined;
  let name: keyof typeof object.metadata;
  for (name in object.metadata) {
    if (name === 'managedFields') managedFields = object.metadata.managedFields;
    else if (name !== 'resourceVersion') metadata[name] = object.metadata[name];
  }
  const metadataText = encodeValue(metadata).slice(1, -1);
  let managedText = '';
  if (managedFields !== undefined && managedFields.length > 0) {
    managedText = `${metadataText === '' ? '' : ','}"managedFields":${encodeValue(managedFields)}`;
  }
  let tail = '}';
  // Safe: an object is read by its own keys; kind-specific values are plain JSON.
  const fields = object as unknown as Record<string, unknown>;
  for (const key in fields) {
    if (key === 'kind' || key === 'apiVersion' || key === 'metadata' || fields[key] === undefined) continue;
    tail += `,${JSON.stringify(key)}:${encodeValue(fields[key])}`;
  }
  const versionOffset = Buffer.byteLength(head);
  const managedStart = versionOffset + Buffer.byteLength(metadataText);
  const text = `${head}${metadataText}${managedText}${tail}}`;
  return {
    bytes: slab?.encode(text) ?? Buffer.from(text),
    versionOffset,
    managedStart,
    managedEnd: managedStart + Buffer.byteLength(managedText),
  };
}

/** `JSON.stringify` that also writes bigint, as plain digits. */
export function encodeValue(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return encodeExact(value);
  }
}

/** Bytes of any JSON value, without the object layout. */
export function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(encodeValue(value));
}

function encodeExact(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(encodeExact).join(',')}]`;
  const parts: string[] = [];
  for (const [key, child] of Object.entries(value)) {
    if (child !== undefined) parts.push(`${JSON.stringify(key)}:${encodeExact(child)}`);
  }
  return `{${parts.join(',')}}`;
}

/**
 * The object's bytes with its resourceVersion, as slices that share the encoded bytes. With `withoutManagedFields` the
 * managedFields are cut off, too.
 */
export function spliceVersion(
  encoded: EncodedObject,
  revision: number | string,
  options: { withoutManagedFields?: boolean } = {},
): Uint8Array[] {
  const { bytes, versionOffset, managedStart, managedEnd } = encoded;
  const isCut = options.withoutManagedFields === true && managedEnd > managedStart;
  const nextOffset = isCut && managedStart === versionOffset ? managedEnd : versionOffset;
  const comma = bytes[nextOffset] === 0x7d ? '' : ',';
  const version = Buffer.from(`"resourceVersion":"${revision}"${comma}`);
  const head = bytes.subarray(0, versionOffset);
  if (!isCut) return [head, version, bytes.subarray(versionOffset)];
  return [head, version, bytes.subarray(versionOffset, managedStart), bytes.subarray(managedEnd)];
}

/** The object without managedFields; the same bytes where it has none, a copy otherwise. */
export function withoutManagedFields(encoded: EncodedObject): EncodedObject {
  const { bytes, versionOffset, managedStart, managedEnd } = encoded;
  if (managedStart === managedEnd) return encoded;
  const cut = Buffer.concat([bytes.subarray(0, managedStart), bytes.subarray(managedEnd)]);
  return { bytes: cut, versionOffset, managedStart, managedEnd: managedStart };
}
