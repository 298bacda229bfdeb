import { ByteBuilder } from './cbor-builder.ts';
import { CborError } from './cbor-errors.ts';

/**
 * CBOR (RFC 8949) as Kubernetes profiles it (KEP-4222): deterministic, definite lengths, texts as byte strings, the
 * shortest float that holds a value. Values are those of JSON, with bigint for integers beyond 2^53.
 */
export function encodeCbor(value: unknown): Uint8Array {
  const builder = new ByteBuilder();
  encodeInto(builder, value, 0);
  return builder.take();
}

/** The head of a list of this length, to be followed by its items. */
export function cborHead(major: 'bytes' | 'array' | 'map', length: number): Uint8Array {
  const builder = new ByteBuilder();
  builder.head(MAJOR[major], length);
  return builder.take();
}

/** The tag that says "this is CBOR" (RFC 8949, 3.4.6); every whole body begins with it. */
export const CBOR_TAG: Uint8Array = Uint8Array.from([0xd9, 0xd9, 0xf7]);

const MAJOR = { bytes: 2, array: 4, map: 5 } as const;
const DEPTH_MAX = 1000;
const TRUE = 0xf5;
const FALSE = 0xf4;
const NULL = 0xf6;

function encodeInto(builder: ByteBuilder, value: unknown, depth: number): void {
  if (depth > DEPTH_MAX) throw new CborError('exceeded max depth');
  switch (typeof value) {
    case 'string':
      builder.text(value);
      return;
    case 'boolean':
      builder.byte(value ? TRUE : FALSE);
      return;
    case 'number':
      encodeNumber(builder, value);
      return;
    case 'bigint':
      encodeInteger(builder, value);
      return;
    case 'object':
      if (value === null) builder.byte(NULL);
      else if (Array.isArray(value)) {
        builder.head(MAJOR.array, value.length);
        for (const item of value) encodeInto(builder, item, depth + 1);
      } else encodeMap(builder, value, depth);
      return;
    default:
      builder.byte(NULL);
  }
}

function encodeMap(builder: ByteBuilder, value: object, depth: number): void {
  // Safe: any object can be read by its own keys.
  const fields = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(fields).filter((key) => fields[key] !== undefined);
  keys.sort(compareKeys);
  builder.head(MAJOR.map, keys.length);
  for (const key of keys) {
    builder.text(key);
    encodeInto(builder, fields[key], depth + 1);
  }
}

/** By the bytes of their encodings: the shorter ones first. */
function compareKeys(a: string, b: string): number {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length - right.length || Buffer.compare(left, right);
}

function encodeNumber(builder: ByteBuilder, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    if (value >= 0) builder.head(0, value);
    else builder.head(1, -1 - value);
    return;
  }
  if (!Number.isFinite(value)) throw new CborError('NaN and infinite numbers have no form');
  builder.float(value);
}

function encodeInteger(builder: ByteBuilder, value: bigint): void {
  const isNegative = value < 0n;
  const magnitude = isNegative ? -1n - value : value;
  if (magnitude > 0xffff_ffff_ffff_ffffn) throw new CborError('an integer has more than 64 bits');
  builder.wideHead(isNegative ? 1 : 0, magnitude);
}
