import { decodeJson, encodeValue } from '../json.ts';
import { JsonError } from '../json-errors.ts';
import { ProtobufError } from './errors.ts';
import { isEnvelope, readEnvelope } from './envelope.ts';
import type { MessageDecoder, MessageEncoder, MessagePlan, SpecialForm } from './model.ts';
import { BYTES, VARINT, type WireReader } from './reader.ts';
import { textOf } from './text.ts';
import { durationNanos, durationText, timeParts, timeText } from './times.ts';

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const EXTENSIONS = /^k8s\.io\.apiextensions_apiserver\.pkg\.apis\.apiextensions\.v1(?:beta1)?\./;

/** The special form of a message, where it has one. */
export function specialForm(name: string, planOf: (name: string) => MessagePlan): SpecialForm | undefined {
  const local = name.slice(name.lastIndexOf('.') + 1);
  if (EXTENSIONS.test(name)) return extensionsForm(local, () => planOf(name.replace(/[^.]*$/, 'JSONSchemaProps')));
  switch (name) {
    case `${META}.Time`:
      return timeForm(0);
    case `${META}.MicroTime`:
      return timeForm(6);
    case `${META}.Duration`:
      return DURATION;
    case `${META}.FieldsV1`:
      return JSON_TEXT;
    case `${META}.Verbs`:
      return TEXTS;
    case 'k8s.io.apimachinery.pkg.api.resource.Quantity':
      return QUANTITY;
    case 'k8s.io.apimachinery.pkg.util.intstr.IntOrString':
      return INT_OR_STRING;
    case 'k8s.io.apimachinery.pkg.runtime.RawExtension':
      return RAW_EXTENSION;
    default:
      return local === 'ExtraValue' ? TEXTS : undefined;
  }
}

function extensionsForm(local: string, schema: () => MessagePlan): SpecialForm | undefined {
  switch (local) {
    case 'JSON':
      return JSON_TEXT;
    case 'JSONSchemaPropsOrBool':
      return schemaOrBool(schema);
    case 'JSONSchemaPropsOrArray':
      return schemaOr(schema, {
        read: (reader, decoding) => decoding.inner(schema(), reader),
        write: (value, encoding) => encoding.message(schema(), value),
      });
    case 'JSONSchemaPropsOrStringArray':
      return schemaOr(schema, {
        read: (reader) => reader.text(),
        write: (value, { writer }) => writer.text(textOf(value)),
      });
    default:
      return undefined;
  }
}

type Handlers = Readonly<Record<number, (wireType: number) => void>>;

/** Reads the fields that have a handler, skips the others. */
function readFields(reader: WireReader, message: string, handlers: Handlers): void {
  while (!reader.isAtEnd) {
    const { number, wireType } = reader.tag(message);
    const handler = handlers[number];
    if (handler === undefined) reader.skip(wireType);
    else handler(wireType);
  }
}

function expect(actual: number, expected: number, field: string): void {
  if (actual !== expected) throw new ProtobufError(`proto: wrong wireType = ${actual} for field ${field}`);
}

function timeForm(digits: 0 | 6): SpecialForm {
  return {
    decode: (reader) => {
      if (reader.isAtEnd) return undefined;
      let seconds: number | bigint = 0;
      let nanos = 0;
      readFields(reader, 'Timestamp', {
        1: (wireType) => {
          expect(wireType, VARINT, 'Seconds');
          reader.varint();
          seconds = reader.int64;
        },
        2: (wireType) => {
          expect(wireType, VARINT, 'Nanos');
          reader.varint();
          nanos = reader.int32;
        },
      });
      return timeText({ seconds, nanos }, digits);
    },
    encode: (value, { writer }) => {
      const parts = typeof value === 'string' ? timeParts(value, digits) : undefined;
      if (parts === undefined) return;
      writer.integer(parts.nanos);
      writer.byte((2 << 3) | VARINT);
      writer.integer(parts.seconds);
      writer.byte((1 << 3) | VARINT);
    },
  };
}

const DURATION: SpecialForm = {
  decode: (reader) => {
    let nanos: number | bigint = 0;
    readFields(reader, 'Duration', {
      1: (wireType) => {
        expect(wireType, VARINT, 'Duration');
        reader.varint();
        nanos = reader.int64;
      },
    });
    return durationText(BigInt(nanos));
  },
  encode: (value, { writer }) => {
    writer.integer(typeof value === 'string' ? durationNanos(value) : 0);
    writer.byte((1 << 3) | VARINT);
  },
};

const QUANTITY: SpecialForm = {
  decode: (reader) => {
    let text = '';
    readFields(reader, 'Quantity', {
      1: (wireType) => {
        expect(wireType, BYTES, 'String');
        text = reader.text();
      },
    });
    return text === '' ? '0' : text;
  },
  encode: (value, { writer }) => {
    writer.text(value === undefined || value === null ? '0' : textOf(value));
    writer.byte((1 << 3) | BYTES);
  },
};

const INT_OR_STRING: SpecialForm = {
  decode: (reader) => {
    let isText = false;
    let number = 0;
    let text = '';
    readFields(reader, 'IntOrString', {
      1: (wireType) => {
        expect(wireType, VARINT, 'Type');
        reader.varint();
        isText = reader.int64 === 1;
      },
      2: (wireType) => {
        expect(wireType, VARINT, 'IntVal');
        reader.varint();
        number = reader.int32;
      },
      3: (wireType) => {
        expect(wireType, BYTES, 'StrVal');
        text = reader.text();
      },
    });
    return isText ? text : number;
  },
  encode: (value, { writer }) => {
    const isText = typeof value === 'string';
    writer.text(isText ? value : '');
    writer.byte((3 << 3) | BYTES);
    writer.integer(typeof value === 'number' ? Math.trunc(value) : 0);
    writer.byte((2 << 3) | VARINT);
    writer.byte(isText ? 1 : 0);
    writer.byte((1 << 3) | VARINT);
  },
};

/** One field of bytes that are JSON. */
const JSON_TEXT: SpecialForm = {
  decode: (reader) => parseJson(rawOf(reader, 'FieldsV1')),
  encode: (value, { writer }) => {
    if (value === undefined || value === null) return;
    writer.text(encodeValue(value));
    writer.byte((1 << 3) | BYTES);
  },
};

/** As above, or a whole body with its envelope. */
const RAW_EXTENSION: SpecialForm = {
  decode: (reader, decoding) => {
    const raw = rawOf(reader, 'RawExtension');
    return isEnvelope(raw) ? decoding.object(readEnvelope(raw)) : parseJson(raw);
  },
  encode: JSON_TEXT.encode,
};

/** A list of texts as the only field. */
const TEXTS: SpecialForm = {
  decode: (reader) => {
    const texts: string[] = [];
    readFields(reader, 'ExtraValue', {
      1: (wireType) => {
        expect(wireType, BYTES, 'Items');
        texts.push(reader.text());
      },
    });
    return texts;
  },
  encode: (value, { writer }) => {
    for (const text of reversed(value)) {
      writer.text(textOf(text));
      writer.byte((1 << 3) | BYTES);
    }
  },
};

function schemaOrBool(schema: () => MessagePlan): SpecialForm {
  return {
    decode: (reader, decoding) => {
      let value: unknown = false;
      let inner: unknown;
      readFields(reader, 'JSONSchemaPropsOrBool', {
        1: (wireType) => {
          expect(wireType, VARINT, 'Allows');
          reader.varint();
          value = !reader.isZero;
        },
        2: (wireType) => {
          expect(wireType, BYTES, 'Schema');
          inner = decoding.inner(schema(), reader);
        },
      });
      return inner ?? value;
    },
    encode: (value, encoding) => {
      const isSchema = typeof value === 'object' && value !== null;
      if (isSchema) {
        encoding.message(schema(), value);
        encoding.writer.byte((2 << 3) | BYTES);
      }
      encoding.writer.byte(isSchema || value === true ? 1 : 0);
      encoding.writer.byte((1 << 3) | VARINT);
    },
  };
}

/** A schema in field 1, or a list in field 2. */
function schemaOr(
  schema: () => MessagePlan,
  items: {
    read: (reader: WireReader, decoding: MessageDecoder) => unknown;
    write: (value: unknown, encoding: MessageEncoder) => void;
  },
): SpecialForm {
  return {
    decode: (reader, decoding) => {
      let single: unknown;
      const list: unknown[] = [];
      readFields(reader, 'JSONSchemaPropsOrArray', {
        1: (wireType) => {
          expect(wireType, BYTES, 'Schema');
          single = decoding.inner(schema(), reader);
        },
        2: (wireType) => {
          expect(wireType, BYTES, 'JSONSchemas');
          list.push(items.read(reader, decoding));
        },
      });
      return single ?? list;
    },
    encode: (value, encoding) => {
      if (Array.isArray(value)) {
        for (const item of reversed(value)) {
          items.write(item, encoding);
          encoding.writer.byte((2 << 3) | BYTES);
        }
      } else if (value !== undefined && value !== null) {
        encoding.message(schema(), value);
        encoding.writer.byte((1 << 3) | BYTES);
      }
    },
  };
}

function* reversed(value: unknown): Generator<unknown, void, undefined> {
  if (!Array.isArray(value)) return;
  for (let index = value.length - 1; index >= 0; index -= 1) yield value[index];
}

function rawOf(reader: WireReader, message: string): Buffer {
  let raw: Buffer = Buffer.alloc(0);
  readFields(reader, message, {
    1: (wireType) => {
      expect(wireType, BYTES, 'Raw');
      raw = reader.bytes();
    },
  });
  return raw;
}

function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return decodeJson(bytes).value;
  } catch (error) {
    if (error instanceof JsonError) throw new ProtobufError(error.message);
    throw error;
  }
}
