import { ProtobufError } from './errors.ts';
import { BYTES, WireReader } from './reader.ts';

/** Which object a body holds. */
export interface TypeName {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface ProtobufEnvelope extends TypeName {
  /** The object's own message. */
  readonly raw: Uint8Array;
  readonly contentType: string;
}

const PREFIX = Buffer.from('k8s\0');

export function isEnvelope(body: Uint8Array): boolean {
  return PREFIX.every((byte, index) => body[index] === byte);
}

/** Splits `k8s\0` and the `runtime.Unknown` that follows it. Throws `ProtobufError` where they are not there. */
export function readEnvelope(body: Uint8Array): ProtobufEnvelope {
  if (body.length === 0) throw new ProtobufError('empty data');
  if (!isEnvelope(body)) {
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  if (body.length === PREFIX.length) throw new ProtobufError('empty body');
  let type: TypeName = { apiVersion: '', kind: '' };
  let raw: Uint8Array = Buffer.alloc(0);
  let contentType = '';
  const reader = new WireReader(body, PREFIX.length);
  while (!reader.isAtEnd) {
    const { number, wireType } = reader.tag('Unknown');
    const name = ENVELOPE_FIELDS[number];
    if (name === undefined) {
      reader.skip(wireType);
      continue;
    }
    if (wireType !== BYTES) throw new ProtobufError(`proto: wrong wireType = ${wireType} for field ${name}`);
    if (number === 1) type = readType(reader.message());
    else if (number === 2) raw = reader.bytes();
    else if (number === 4) contentType = reader.text();
    else reader.skip(wireType);
  }
  return { ...type, raw, contentType };
}

const ENVELOPE_FIELDS: Readonly<Record<number, string>> = {
  1: 'TypeMeta',
  2: 'Raw',
  3: 'ContentEncoding',
  4: 'ContentType',
};

function readType(reader: WireReader): TypeName {
  let apiVersion = '';
  let kind = '';
  while (!reader.isAtEnd) {
    const { number, wireType } = reader.tag('TypeMeta');
    if (number > 2) {
      reader.skip(wireType);
      continue;
    }
    if (wireType !== BYTES) {
      throw new ProtobufError(`proto: wrong wireType = ${wireType} for field ${number === 1 ? 'APIVersion' : 'Kind'}`);
    }
    if (number === 1) apiVersion = reader.text();
    else kind = reader.text();
  }
  return { apiVersion, kind };
}

/** The parts of a body around the object's message of `rawLength` bytes. */
export function envelopeOf(type: TypeName, rawLength: number): { head: Uint8Array; tail: Uint8Array } {
  const apiVersion = Buffer.from(type.apiVersion);
  const kind = Buffer.from(type.kind);
  const names = Buffer.concat([fieldHead(1, apiVersion.length), apiVersion, fieldHead(2, kind.length), kind]);
  return {
    head: Buffer.concat([PREFIX, fieldHead(1, names.length), names, fieldHead(2, rawLength)]),
    tail: ENVELOPE_TAIL,
  };
}

/** Upstream writes the last two fields empty. */
const ENVELOPE_TAIL = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

/** The tag and length of a field of bytes. Its number is below 16. */
export function fieldHead(number: number, length: number): Buffer {
  const bytes = [(number << 3) | BYTES];
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
