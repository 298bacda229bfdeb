import { ProtobufError } from './errors.ts';
import type { FieldPlan, MessageEncoder, MessagePlan } from './model.ts';
import { BYTES } from './reader.ts';
import { textOf } from './text.ts';
import type { WireWriter } from './writer.ts';

/** Values that are no tree of this depth never pass the schema of a kind. */
const DEPTH_MAX = 1000;

/** One run of the encoder: what special forms may ask of it. Everything is written from its end to its beginning. */
export class Encoding implements MessageEncoder {
  readonly writer: WireWriter;
  #depth = 0;

  constructor(writer: WireWriter) {
    this.writer = writer;
  }

  /** Writes a message with its length before it. */
  message(plan: MessagePlan, value: unknown): void {
    const { mark } = this.writer;
    this.body(plan, value);
    this.writer.varint(this.writer.mark - mark);
  }

  /** Writes a message. What is no object counts as one without fields. */
  body(plan: MessagePlan, value: unknown): void {
    if (plan.special !== undefined) {
      plan.special.encode(value, this);
      return;
    }
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new ProtobufError('exceeded max depth');
    const object = typeof value === 'object' && value !== null ? value : NOTHING;
    const { fields } = plan;
    for (let index = fields.length - 1; index >= 0; index -= 1) {
      const field = fields[index];
      // Safe: any object can be read by its own keys.
      if (field !== undefined) this.#field(field, object as Readonly<Record<string, unknown>>);
    }
    this.#depth -= 1;
  }

  #field(field: FieldPlan, object: Readonly<Record<string, unknown>>): void {
    const { shape, key } = field;
    if (shape === 'inline') {
      this.message(field.message(), object);
      this.#tag(field);
      return;
    }
    const value = object[key];
    if (shape === 'single') {
      // A nil pointer, and nil bytes, are not there; everything else that is absent is zero.
      if ((value === undefined || value === null) && (field.isPointer || field.type === 'bytes')) return;
      this.#value(field, value);
      this.#tag(field);
    } else if (shape === 'repeated') {
      this.#list(field, value);
    } else {
      this.#map(field, value);
    }
  }

  #list(field: FieldPlan, value: unknown): void {
    if (!Array.isArray(value)) return;
    for (let index = value.length - 1; index >= 0; index -= 1) {
      this.#value(field, value[index]);
      this.#tag(field);
    }
  }

  #map(field: FieldPlan, value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    // Safe: an object is read by its own keys.
    const map = value as Readonly<Record<string, unknown>>;
    const keys = sortedKeys(map);
    for (let index = keys.length - 1; index >= 0; index -= 1) {
      const key = keys[index] ?? '';
      const { mark } = this.writer;
      const item = map[key];
      if (field.type !== 'bytes' || (item !== undefined && item !== null)) {
        this.#value(field, item);
        this.writer.byte((2 << 3) | field.valueWireType);
      }
      this.writer.text(key);
      this.writer.byte((1 << 3) | BYTES);
      this.writer.varint(this.writer.mark - mark);
      this.#tag(field);
    }
  }

  #value(field: FieldPlan, value: unknown): void {
    const { writer } = this;
    switch (field.type) {
      case 'message':
        this.message(field.message(), value);
        return;
      case 'string':
        writer.text(textOf(value));
        return;
      case 'bytes':
        writer.bytes(Buffer.from(typeof value === 'string' ? value : '', 'base64'));
        return;
      case 'bool':
        writer.byte(value === true ? 1 : 0);
        return;
      case 'double':
        writer.double(typeof value === 'number' ? value : 0);
        return;
      default:
        writer.integer(integerOf(value));
    }
  }

  #tag({ number, wireType }: FieldPlan): void {
    if (number < 16) this.writer.byte((number << 3) | wireType);
    else this.writer.varint(number * 8 + wireType);
  }
}

const NOTHING: object = {};

function integerOf(value: unknown): number | bigint {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : 0;
}

/** Go sorts by bytes; JavaScript by halves of characters, which differs only where there are such. */
function sortedKeys(map: object): string[] {
  const keys = Object.keys(map);
  if (keys.length < 2) return keys;
  keys.sort();
  if (keys.some((key) => /[\ud800-\uffff]/.test(key))) {
    keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }
  return keys;
}
