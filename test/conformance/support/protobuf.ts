import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reader, Writer } from 'protobufjs/minimal.js';

/**
 * Kubernetes' protobuf form, written after its published facts and for the tests alone: plain and slow, and nothing
 * that it would share with the server. Fields are `[number, type, flags, JSON name?]`.
 */
type Field = readonly [number, string, string, string?];
type Json = Record<string, unknown>;

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const MAGIC = Buffer.from('k8s\0');
const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const EXTENSIONS = 'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1';
const FACTS = join(import.meta.dirname, '..', '..', '..', 'src', 'api', 'facts');

const messages = new Map<string, Readonly<Record<string, Field>>>();
const kinds = new Map<string, string>();

/** The message of a kind, or nothing where it has no protobuf form (custom resources). */
export function messageOf(apiVersion: string, kind: string): string | undefined {
  load();
  if (kind === 'Status' || kind === 'DeleteOptions') return `${META}.${kind}`;
  return kinds.get(`${apiVersion} ${kind}`);
}

/** A whole body: magic number, envelope, object. */
export function encodeBody(object: Json): Buffer {
  const { apiVersion, kind, ...rest } = object;
  const message = messageOf(String(apiVersion), String(kind));
  if (message === undefined) throw new Error(`${String(apiVersion)} ${String(kind)} has no protobuf form`);
  const envelope = Writer.create();
  envelope.uint32(10).fork().uint32(10).string(String(apiVersion)).uint32(18).string(String(kind)).ldelim();
  envelope.uint32(18).bytes(encode(message, rest));
  return Buffer.concat([MAGIC, envelope.finish()]);
}

/** The object of a whole body. */
export function decodeBody(bytes: Buffer): Json {
  if (!bytes.subarray(0, 4).equals(MAGIC)) throw new Error('a protobuf body without its magic number');
  const reader = Reader.create(bytes.subarray(4));
  let apiVersion = '';
  let kind = '';
  let raw: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) {
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) {
        if (reader.uint32() >>> 3 === 1) apiVersion = reader.string();
        else kind = reader.string();
      }
    } else if (tag >>> 3 === 2) raw = reader.bytes();
    else reader.skipType(tag & 7);
  }
  // The resources of the core group come without a version, in JSON too.
  const message = messageOf(apiVersion === '' ? 'v1' : apiVersion, kind);
  if (message === undefined) throw new Error(`an answer of unknown kind: ${apiVersion} ${kind}`);
  // Safe: kinds are messages, and those become objects.
  const object = decode(message, raw) as Json;
  if (kind.endsWith('List') && Array.isArray(object['items']) === false) object['items'] = [];
  return { apiVersion, kind, ...object };
}

/** The events in what has come of a watch so far, and the bytes left over. */
export function decodeFrames(bytes: Buffer): { events: { type: string; object: Json }[]; rest: Buffer } {
  const events: { type: string; object: Json }[] = [];
  let at = 0;
  while (bytes.length >= at + 4 && bytes.length >= at + 4 + bytes.readUInt32BE(at)) {
    const length = bytes.readUInt32BE(at);
    const reader = Reader.create(bytes.subarray(at + 4, at + 4 + length));
    let type = '';
    let object: Json = {};
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag >>> 3 === 1) type = reader.string();
      else {
        const end = reader.uint32() + reader.pos;
        while (reader.pos < end) {
          reader.uint32();
          object = decodeBody(Buffer.from(reader.bytes()));
        }
      }
    }
    events.push({ type, object });
    at += 4 + length;
  }
  return { events, rest: bytes.subarray(at) };
}

function load(): void {
  if (messages.size > 0) return;
  const lines = (file: string): unknown[] =>
    readFileSync(join(FACTS, file), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  // Safe: the shapes of our own files of facts.
  for (const { message, fields } of lines('protobuf.jsonl') as { message: string; fields: Record<string, Field> }[]) {
    messages.set(message, fields);
  }
  type Definition = { name: string; gvk?: readonly { group: string; version: string; kind: string }[] };
  for (const { name, gvk = [] } of lines('definitions.jsonl') as Definition[]) {
    const [first = '', second = '', ...rest] = name.split('.');
    const message = [second, first, ...rest].join('.').replaceAll('-', '_');
    for (const { group, version, kind } of gvk)
      kinds.set(`${group === '' ? '' : `${group}/`}${version} ${kind}`, message);
  }
}

function encode(message: string, value: unknown): Uint8Array {
  const writer = Writer.create();
  const special = encodeSpecial(message, value);
  if (special !== undefined) return special;
  // Safe: messages that are no objects in JSON are special ones.
  const object = value as Json;
  for (const [name, [number, type, flags, jsonName]] of Object.entries(messages.get(message) ?? {})) {
    const item = flags.includes('i') ? object : object[jsonName ?? name];
    if (item === undefined || item === null) continue;
    if (flags.includes('m')) {
      for (const [key, entry] of Object.entries(item)) {
        writer
          .uint32((number << 3) | 2)
          .fork()
          .uint32(10)
          .string(key);
        writeValue(writer, 2, type, entry);
        writer.ldelim();
      }
    } else if (flags.includes('r')) {
      // Safe: repeated fields are arrays in JSON.
      for (const each of item as unknown[]) writeValue(writer, number, type, each);
    } else writeValue(writer, number, type, item);
  }
  return writer.finish();
}

function writeValue(writer: Writer, number: number, type: string, value: unknown): void {
  switch (type) {
    case 'string':
      writer.uint32((number << 3) | 2).string(String(value));
      return;
    case 'bytes':
      writer.uint32((number << 3) | 2).bytes(Buffer.from(String(value), 'base64'));
      return;
    case 'bool':
      writer.uint32(number << 3).bool(value === true);
      return;
    case 'int32':
    case 'int64':
      writer.uint32(number << 3).int64(Number(value));
      return;
    case 'double':
      writer.uint32((number << 3) | 1).double(Number(value));
      return;
    default:
      writer.uint32((number << 3) | 2).bytes(encode(type, value));
  }
}

function encodeSpecial(message: string, value: unknown): Uint8Array | undefined {
  const writer = Writer.create();
  switch (message) {
    case `${META}.Time`:
    case `${META}.MicroTime`: {
      const seconds = Math.floor(Date.parse(String(value)) / 1000);
      const fraction = /\.(\d{1,9})/.exec(String(value))?.[1] ?? '';
      return writer
        .uint32(8)
        .int64(seconds)
        .uint32(16)
        .int32(Number(fraction.padEnd(9, '0')))
        .finish();
    }
    case 'k8s.io.apimachinery.pkg.api.resource.Quantity':
      return writer.uint32(10).string(String(value)).finish();
    case 'k8s.io.apimachinery.pkg.util.intstr.IntOrString':
      if (typeof value === 'number') return writer.uint32(8).int64(0).uint32(16).int32(value).finish();
      return writer.uint32(8).int64(1).uint32(26).string(String(value)).finish();
    case 'k8s.io.apimachinery.pkg.runtime.RawExtension':
    case `${META}.FieldsV1`:
    case `${EXTENSIONS}.JSON`:
      return writer
        .uint32(10)
        .bytes(Buffer.from(JSON.stringify(value)))
        .finish();
    case `${META}.Verbs`:
    case 'k8s.io.api.authentication.v1.ExtraValue':
    case 'k8s.io.api.authorization.v1.ExtraValue':
    case 'k8s.io.api.certificates.v1.ExtraValue':
      return listOf(value);
    case `${EXTENSIONS}.JSONSchemaPropsOrBool`:
      if (typeof value === 'boolean') return writer.uint32(8).bool(value).finish();
      return writer
        .uint32(8)
        .bool(true)
        .uint32(18)
        .bytes(encode(`${EXTENSIONS}.JSONSchemaProps`, value))
        .finish();
    case `${EXTENSIONS}.JSONSchemaPropsOrArray`:
      return writer
        .uint32(10)
        .bytes(encode(`${EXTENSIONS}.JSONSchemaProps`, value))
        .finish();
    default:
      return undefined;
  }
}

function listOf(value: unknown): Uint8Array {
  const writer = Writer.create();
  for (const item of Array.isArray(value) ? value : []) writer.uint32(10).string(String(item));
  return writer.finish();
}

function decode(message: string, bytes: Uint8Array): unknown {
  const fields = Object.entries(messages.get(message) ?? {});
  const byNumber = new Map(fields.map(([name, field]) => [field[0], { name: field[3] ?? name, field }]));
  const reader = Reader.create(bytes);
  const object: Json = {};
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const known = byNumber.get(tag >>> 3);
    if (known === undefined) {
      reader.skipType(tag & 7);
      continue;
    }
    const { name, field } = known;
    const [, type, flags] = field;
    if (flags.includes('m')) {
      const [key, value] = readEntry(reader, type);
      object[name] = { ...(object[name] as Json | undefined), [key]: value };
    } else if (flags.includes('r')) {
      object[name] = [...((object[name] as unknown[] | undefined) ?? []), readValue(reader, type)];
    } else {
      const value = readValue(reader, type);
      if (flags.includes('i')) Object.assign(object, value);
      else if (flags.includes('p') || flags.includes('a') || !isZero(value)) object[name] = value;
    }
  }
  return decodeSpecial(message, object);
}

function readEntry(reader: Reader, type: string): [string, unknown] {
  const end = reader.uint32() + reader.pos;
  let key = '';
  let value: unknown = type === 'string' ? '' : undefined;
  while (reader.pos < end) {
    if (reader.uint32() >>> 3 === 1) key = reader.string();
    else value = readValue(reader, type);
  }
  return [key, value];
}

function readValue(reader: Reader, type: string): unknown {
  switch (type) {
    case 'string':
      return reader.string();
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'bool':
      return reader.bool();
    case 'int32':
      return reader.int32();
    case 'int64':
      return Number(reader.int64());
    case 'double':
      return reader.double();
    default:
      return decode(type, reader.bytes());
  }
}

function isZero(value: unknown): boolean {
  if (value === '' || value === 0 || value === false || value === null) return true;
  return typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0;
}

function decodeSpecial(message: string, object: Json): unknown {
  const time = () => new Date(Number(object['seconds'] ?? 0) * 1000).toISOString().slice(0, 19);
  switch (message) {
    case `${META}.Time`:
      return object['seconds'] === undefined ? null : `${time()}Z`;
    case `${META}.MicroTime`: {
      const micros = Math.floor(Number(object['nanos'] ?? 0) / 1000);
      return object['seconds'] === undefined ? null : `${time()}.${String(micros).padStart(6, '0')}Z`;
    }
    case 'k8s.io.apimachinery.pkg.api.resource.Quantity':
      return object['string'] ?? '0';
    case 'k8s.io.apimachinery.pkg.util.intstr.IntOrString':
      return object['type'] === 1 ? (object['strVal'] ?? '') : (object['intVal'] ?? 0);
    case 'k8s.io.apimachinery.pkg.runtime.RawExtension':
    case `${META}.FieldsV1`:
    case `${EXTENSIONS}.JSON`: {
      const text = object['raw'] ?? object['Raw'];
      const raw = Buffer.from(typeof text === 'string' ? text : '', 'base64');
      return raw.length === 0 ? undefined : JSON.parse(raw.toString());
    }
    case `${META}.Verbs`:
    case 'k8s.io.api.authentication.v1.ExtraValue':
    case 'k8s.io.api.authorization.v1.ExtraValue':
    case 'k8s.io.api.certificates.v1.ExtraValue':
      return object['items'] ?? [];
    case `${EXTENSIONS}.JSONSchemaPropsOrBool`:
      return object['schema'] ?? object['allows'] ?? false;
    case `${EXTENSIONS}.JSONSchemaPropsOrArray`:
      return object['schema'] ?? object['jSONSchemas'];
    default:
      return object;
  }
}
