/**
 * Reads Kubernetes' protobuf bodies (`application/vnd.kubernetes.protobuf`) into the JSON form of the object, from a
 * table of messages: no code is generated. Source of the rules: k8s.io/apimachinery's protobuf serializer and the
 * proto2 wire format.
 */

import { formatTime } from '../clock/clock.ts';

/** Field name → [number, type, flags, JSON name]; flags: `r` repeated, `m` map, `i` inline, `p` pointer, `a` always. */
export type ProtobufField = readonly [number: number, type: string, flags: string, jsonName?: string];

export type ProtobufTable = Readonly<Record<string, Readonly<Record<string, ProtobufField>>>>;

export interface ProtobufEnvelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The object's own message. */
  readonly raw: Uint8Array;
}

/** The body is not what its media type says. */
export class ProtobufError extends Error {
  readonly code = 'Protobuf';

  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

const PREFIX = [0x6b, 0x38, 0x73, 0x00];
/** Deeper messages are no API objects; JSONSchemaProps nest deepest. */
const DEPTH_MAX = 100;

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const RUNTIME = 'k8s.io.apimachinery.pkg.runtime';
const APIEXTENSIONS = 'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1';

/** Splits `k8s\0` and the envelope that follows it. Throws `ProtobufError` where they are not there. */
export function openEnvelope(body: Uint8Array): ProtobufEnvelope {
  if (PREFIX.some((byte, index) => body[index] !== byte)) {
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  const envelope: { apiVersion: string; kind: string; raw: Uint8Array } = {
    apiVersion: '',
    kind: '',
    raw: new Uint8Array(),
  };
  for (const field of fieldsOf(body.subarray(PREFIX.length))) {
    if (field.number === 2) envelope.raw = bytesOf(field);
    if (field.number !== 1) continue;
    for (const part of fieldsOf(bytesOf(field))) {
      if (part.number === 1) envelope.apiVersion = textOf(part);
      if (part.number === 2) envelope.kind = textOf(part);
    }
  }
  return envelope;
}

/** The JSON form of one message. Unknown fields are skipped, as protobuf has it. Throws `ProtobufError`. */
export function decodeMessage(
  raw: Uint8Array,
  options: { readonly message: string; readonly table: ProtobufTable },
): Record<string, unknown> {
  return new Decoder(options.table).message(raw, options.message, 0);
}

interface WireField {
  readonly number: number;
  readonly wireType: number;
  /** Of wire types 1, 2 and 5. */
  readonly bytes: Uint8Array;
  /** Of wire type 0. */
  readonly varint: bigint;
}

/** Types whose JSON is not an object of the message's fields. */
const SPECIAL: Readonly<Record<string, (raw: Uint8Array, decoder: Decoder, depth: number) => unknown>> = {
  [`${META}.Time`]: (raw) => timeText(raw, 0),
  [`${META}.MicroTime`]: (raw) => timeText(raw, 6),
  [`${META}.Duration`]: (raw) => durationText(signed(find(raw, 1)?.varint ?? 0n)),
  [`${META}.FieldsV1`]: jsonInside,
  'k8s.io.apimachinery.pkg.api.resource.Quantity': (raw) => textAt(raw, 1),
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': (raw) =>
    (find(raw, 1)?.varint ?? 0n) === 1n ? textAt(raw, 3) : Number(signed(find(raw, 2)?.varint ?? 0n)),
  [`${RUNTIME}.RawExtension`]: (raw, decoder, depth) => {
    const inner = find(raw, 1)?.bytes ?? new Uint8Array();
    if (inner[0] !== PREFIX[0]) return parseJson(inner);
    const { kind, apiVersion } = openEnvelope(inner);
    throw new ProtobufError(`cannot decode ${apiVersion} ${kind} inside another object at depth ${depth}`);
  },
  [`${APIEXTENSIONS}.JSON`]: jsonInside,
  [`${APIEXTENSIONS}.JSONSchemaPropsOrBool`]: (raw, decoder, depth) => {
    const schema = find(raw, 2);
    if (schema !== undefined) return decoder.message(bytesOf(schema), `${APIEXTENSIONS}.JSONSchemaProps`, depth);
    return (find(raw, 1)?.varint ?? 0n) !== 0n;
  },
  [`${APIEXTENSIONS}.JSONSchemaPropsOrArray`]: (raw, decoder, depth) => {
    const name = `${APIEXTENSIONS}.JSONSchemaProps`;
    const schema = find(raw, 1);
    if (schema !== undefined) return decoder.message(bytesOf(schema), name, depth);
    return findAll(raw, 2).map((field) => decoder.message(bytesOf(field), name, depth));
  },
  [`${APIEXTENSIONS}.JSONSchemaPropsOrStringArray`]: (raw, decoder, depth) => {
    const schema = find(raw, 1);
    if (schema !== undefined) return decoder.message(bytesOf(schema), `${APIEXTENSIONS}.JSONSchemaProps`, depth);
    return findAll(raw, 2).map(textOf);
  },
  [`${META}.Verbs`]: (raw) => findAll(raw, 1).map(textOf),
  'k8s.io.api.authentication.v1.ExtraValue': (raw) => findAll(raw, 1).map(textOf),
  'k8s.io.api.authorization.v1.ExtraValue': (raw) => findAll(raw, 1).map(textOf),
  'k8s.io.api.certificates.v1.ExtraValue': (raw) => findAll(raw, 1).map(textOf),
};

class Decoder {
  readonly #table: ProtobufTable;

  constructor(table: ProtobufTable) {
    this.#table = table;
  }

  message(raw: Uint8Array, name: string, depth: number): Record<string, unknown> {
    if (depth > DEPTH_MAX) throw new ProtobufError(`${name} is nested more than ${DEPTH_MAX} deep`);
    const fields = this.#table[name];
    if (fields === undefined) throw new ProtobufError(`no protobuf message is named ${name}`);
    const byNumber = new Map(Object.entries(fields).map(([key, field]) => [field[0], { key, field }]));
    const result: Record<string, unknown> = {};
    for (const wire of fieldsOf(raw)) {
      const known = byNumber.get(wire.number);
      if (known === undefined) continue;
      const [, type, flags, jsonName] = known.field;
      const key = jsonName ?? known.key;
      if (flags.includes('m')) {
        this.#addEntry(mapAt(result, key), { wire, type, depth });
      } else if (flags.includes('r')) {
        listAt(result, key).push(this.#value(wire, type, depth));
      } else if (flags.includes('i')) {
        Object.assign(result, this.#value(wire, type, depth));
      } else {
        const value = this.#value(wire, type, depth);
        if (isKept(value, flags, type)) result[key] = value;
      }
    }
    return result;
  }

  #addEntry(map: Record<string, unknown>, entry: { wire: WireField; type: string; depth: number }): void {
    const raw = bytesOf(entry.wire);
    const value = find(raw, 2);
    // `__proto__` must become a plain key.
    Object.defineProperty(map, textAt(raw, 1), {
      value: value === undefined ? zeroOf(entry.type) : this.#value(value, entry.type, entry.depth),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }

  #value(wire: WireField, type: string, depth: number): unknown {
    switch (type) {
      case 'string':
        return textOf(wire);
      case 'bytes':
        return Buffer.from(bytesOf(wire)).toString('base64');
      case 'bool':
        return wire.varint !== 0n;
      case 'int32':
        return Number(BigInt.asIntN(32, wire.varint));
      case 'int64':
        return integer(signed(wire.varint));
      case 'double':
        if (wire.bytes.length !== 8) throw new ProtobufError(`field ${wire.number} is no double`);
        return new DataView(wire.bytes.buffer, wire.bytes.byteOffset, 8).getFloat64(0, true);
      default: {
        const special = SPECIAL[type];
        const raw = bytesOf(wire);
        return special === undefined ? this.message(raw, type, depth + 1) : special(raw, this, depth + 1);
      }
    }
  }
}

/** A zero scalar that is no pointer says nothing: JSON leaves it out, unless Go's encoder always writes the field. */
function isKept(value: unknown, flags: string, type: string): boolean {
  if (value === undefined || value === null) return false;
  if (flags.includes('p') || flags.includes('a')) return true;
  if (type.includes('.')) return !(typeof value === 'object' && Object.keys(value).length === 0);
  return value !== '' && value !== 0 && value !== false;
}

function zeroOf(type: string): unknown {
  if (type === 'string' || type === 'bytes') return '';
  if (type === 'bool') return false;
  return type.includes('.') ? {} : 0;
}

function mapAt(target: Record<string, unknown>, key: string): Record<string, unknown> {
  target[key] ??= {};
  // Safe: only this function puts values under the key of a map field.
  return target[key] as Record<string, unknown>;
}

function listAt(target: Record<string, unknown>, key: string): unknown[] {
  target[key] ??= [];
  // Safe: as above, for repeated fields.
  return target[key] as unknown[];
}

function* fieldsOf(raw: Uint8Array): Generator<WireField> {
  let offset = 0;
  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = raw[offset];
      if (byte === undefined) throw new ProtobufError('unexpected EOF');
      offset += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('a number has more than 64 bits');
  };
  const take = (length: number): Uint8Array => {
    if (length > raw.length - offset) throw new ProtobufError('unexpected EOF');
    offset += length;
    return raw.subarray(offset - length, offset);
  };
  const empty = new Uint8Array();
  while (offset < raw.length) {
    const tag = readVarint();
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (number === 0) throw new ProtobufError('field number 0');
    if (wireType === 0) yield { number, wireType, bytes: empty, varint: readVarint() };
    else if (wireType === 1) yield { number, wireType, bytes: take(8), varint: 0n };
    else if (wireType === 5) yield { number, wireType, bytes: take(4), varint: 0n };
    else if (wireType === 2) yield { number, wireType, bytes: take(Number(readVarint())), varint: 0n };
    else throw new ProtobufError(`wire type ${wireType} is not in use`);
  }
}

function find(raw: Uint8Array, number: number): WireField | undefined {
  let found: WireField | undefined;
  for (const field of fieldsOf(raw)) if (field.number === number) found = field;
  return found;
}

function findAll(raw: Uint8Array, number: number): WireField[] {
  return [...fieldsOf(raw)].filter((field) => field.number === number);
}

function bytesOf(field: WireField): Uint8Array {
  if (field.wireType !== 2) throw new ProtobufError(`field ${field.number} has wire type ${field.wireType}, not 2`);
  return field.bytes;
}

function textOf(field: WireField): string {
  return Buffer.from(bytesOf(field)).toString('utf8');
}

function textAt(raw: Uint8Array, number: number): string {
  const field = find(raw, number);
  return field === undefined ? '' : textOf(field);
}

function signed(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

/** A number where that is exact, else the digits as they are. */
function integer(value: bigint): unknown {
  const number = Number(value);
  // JSON.rawJSON is what JSON.stringify writes unchanged (ES2026 JSON.parse source text access; Node 22 has it).
  return Number.isSafeInteger(number) ? number : Reflect.apply(Reflect.get(JSON, 'rawJSON'), JSON, [String(value)]);
}

function jsonInside(raw: Uint8Array): unknown {
  return parseJson(find(raw, 1)?.bytes ?? new Uint8Array());
}

function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new ProtobufError(`an embedded value is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** RFC 3339 with `digits` decimals; the zero time is absent. */
function timeText(raw: Uint8Array, digits: 0 | 6): string | undefined {
  if (raw.length === 0) return undefined;
  const seconds = signed(find(raw, 1)?.varint ?? 0n);
  const nanos = Number(BigInt.asIntN(32, find(raw, 2)?.varint ?? 0n));
  const ms = Number(seconds) * 1000;
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) throw new ProtobufError('a time is out of range');
  const whole = formatTime(ms).slice(0, 19);
  if (digits === 0) return `${whole}Z`;
  return `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

/** Go's text of a duration: `1h2m3.5s`. */
function durationText(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const total = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (total < 1_000n) return `${sign}${total}ns`;
  if (total < 1_000_000n) return `${sign}${Number(total) / 1_000}µs`;
  if (total < 1_000_000_000n) return `${sign}${Number(total) / 1_000_000}ms`;
  const minutes = total / 60_000_000_000n;
  const seconds = Number(total % 60_000_000_000n) / 1_000_000_000;
  const hours = minutes / 60n;
  if (hours > 0n) return `${sign}${hours}h${minutes % 60n}m${seconds}s`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}
