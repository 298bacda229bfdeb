import { encodeCbor, CBOR_TAG, cborHead } from '#machinery/codec/cbor.ts';
import { encodeValue } from '#machinery/codec/json.ts';
import { envelopeOf, fieldHead, type TypeName } from '#machinery/codec/protobuf/envelope.ts';
import type { TypedObject } from '#machinery/codec/protobuf/codec.ts';
import type { Forms } from './forms.ts';
import type { Encoding } from './negotiate.ts';

export type EventName = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** The bytes of one watch event around the bytes of an object (its bare message where the encoding is protobuf). */
export function frameOfItem(
  encoding: Encoding,
  event: EventName,
  { item, type }: { item: Uint8Array; type: TypeName },
): Uint8Array {
  if (encoding === 'protobuf') {
    const { head, tail } = envelopeOf(type, item.length);
    return protobufFrame(event, [head, item, tail]);
  }
  if (encoding === 'cbor') return cborFrame(event, item);
  return Buffer.concat([Buffer.from(`{"type":"${event}","object":`), item, END]);
}

/** The bytes of one watch event with any value. */
export function frameOfValue(forms: Forms, encoding: Encoding, event: EventName, value: object): Uint8Array {
  // Safe: only objects of a kind are sent as protobuf.
  if (encoding === 'protobuf') return protobufFrame(event, [forms.codec.encodeObject(value as TypedObject)]);
  if (encoding === 'cbor') return cborFrame(event, encodeCbor(value));
  return Buffer.from(`{"type":"${event}","object":${encodeValue(value)}}\n`);
}

const END = Buffer.from('}\n');

/** A length of four bytes and a bare WatchEvent {1 type, 2 object {1 raw}}; what is raw is a whole body. */
function protobufFrame(event: EventName, body: readonly Uint8Array[]): Uint8Array {
  const name = Buffer.from(event);
  const rawLength = body.reduce((sum, part) => sum + part.length, 0);
  const raw = fieldHead(1, rawLength);
  const start = Buffer.concat([fieldHead(1, name.length), name, fieldHead(2, raw.length + rawLength), raw]);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(start.length + rawLength);
  return Buffer.concat([length, start, ...body]);
}

const CBOR_TYPE = encodeCbor('type');
const CBOR_OBJECT = encodeCbor('object');

/** One item of a CBOR sequence (RFC 8742). */
function cborFrame(event: EventName, object: Uint8Array): Uint8Array {
  return Buffer.concat([CBOR_TAG, cborHead('map', 2), CBOR_TYPE, encodeCbor(event), CBOR_OBJECT, CBOR_TAG, object]);
}
