import type { EncodedObject } from './encoded-object.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const METADATA_KEY = Buffer.from(',"metadata":{');
const MANAGED_KEY = Buffer.from('"managedFields":');

/** Finds the offsets of stored bytes again, such as after a restart. The bytes were made by `encodeObject`. */
export function locateEncoded(bytes: Uint8Array): EncodedObject {
  // kind and apiVersion are plain words, so the first match is the object's own metadata.
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(METADATA_KEY);
  if (at < 0) throw new Error('stored bytes do not begin with kind, apiVersion and metadata');
  const versionOffset = at + METADATA_KEY.length;
  let position = versionOffset;
  while (bytes[position] !== CLOSE_BRACE) {
    const entryStart = position;
    if (bytes[position] === COMMA) position += 1;
    const isManaged = startsWith(bytes, position, MANAGED_KEY);
    position = skipString(bytes, position) + 1;
    position = skipValue(bytes, position);
    if (isManaged) return { bytes, versionOffset, managedStart: entryStart, managedEnd: position };
  }
  return { bytes, versionOffset, managedStart: position, managedEnd: position };
}

function startsWith(bytes: Uint8Array, offset: number, prefix: Uint8Array): boolean {
  for (let index = 0; index < prefix.length; index += 1) {
    if (bytes[offset + index] !== prefix[index]) return false;
  }
  return true;
}

/** The offset behind the string that starts here. */
function skipString(bytes: Uint8Array, start: number): number {
  let position = start + 1;
  while (position < bytes.length && bytes[position] !== QUOTE) position += bytes[position] === BACKSLASH ? 2 : 1;
  return position + 1;
}

/** The offset behind the value that starts here. */
function skipValue(bytes: Uint8Array, start: number): number {
  let position = start;
  let depth = 0;
  while (position < bytes.length) {
    const byte = bytes[position];
    if (byte === QUOTE) {
      position = skipString(bytes, position);
      if (depth === 0) return position;
      continue;
    }
    if (byte === OPEN_BRACE || byte === 0x5b) depth += 1;
    else if (byte === CLOSE_BRACE || byte === 0x5d) {
      if (depth === 0) return position;
      depth -= 1;
      if (depth === 0) return position + 1;
    } else if (byte === COMMA && depth === 0) return position;
    position += 1;
  }
  throw new Error('stored bytes end inside metadata');
}
