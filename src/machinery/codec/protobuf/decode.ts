import { setOwn } from '../deep.ts';
import type { ProtobufEnvelope } from './envelope.ts';
import { ProtobufError } from './errors.ts';
import type { FieldPlan, MessageDecoder, MessagePlan } from './model.ts';
import { BYTES, WireReader } from './reader.ts';

/** Deeper messages are no API objects; schemas of custom resources nest deepest. */
const DEPTH_MAX = 500;

const NO_BYTES = new Uint8Array();

type Fields = Record<string, unknown>;

/** One run of the decoder: what special forms may ask of it. */
export class Decoding implements MessageDecoder {
  readonly #objectOf: (envelope: ProtobufEnvelope, decoding: Decoding) => unknown;
  #depth = 0;

  /** `objectOf` decodes a whole object that stands inside another one. */
  constructor(objectOf: (envelope: ProtobufEnvelope, decoding: Decoding) => unknown) {
    this.#objectOf = objectOf;
  }

  object(envelope: ProtobufEnvelope): unknown {
    return this.#nested(() => this.#objectOf(envelope, this));
  }

  /** The JSON form of the message that stands, with its length, at the reader. */
  inner(plan: MessagePlan, reader: WireReader, into?: unknown): unknown {
    return this.#nested(() => this.value(plan, reader.message(), into));
  }

  /** The JSON form of a message that fills the reader; fields are added to `into`, where that is an object. */
  value(plan: MessagePlan, reader: WireReader, into?: unknown): unknown {
    if (plan.special !== undefined) return plan.special.decode(reader, this);
    // Safe: only this method makes what stands in the place of a message.
    return this.message(plan, reader, (into ?? {}) as Fields);
  }

  message(plan: MessagePlan, reader: WireReader, target: Fields): Fields {
    while (!reader.isAtEnd) {
      const { number, wireType } = reader.tag(plan.name);
      const field = plan.byNumber.get(number);
      if (field === undefined) reader.skip(wireType);
      else this.#field(field, reader, { target, wireType });
    }
    return target;
  }

  #field(field: FieldPlan, reader: WireReader, { target, wireType }: { target: Fields; wireType: number }): void {
    const { key } = field;
    const isPacked = field.shape === 'repeated' && wireType === BYTES && field.wireType !== BYTES;
    if (wireType !== field.wireType && !isPacked) {
      throw new ProtobufError(`proto: wrong wireType = ${wireType} for field ${field.goName}`);
    }
    switch (field.shape) {
      case 'map':
        this.#entry(field, reader.message(), mapAt(target, key));
        return;
      case 'repeated': {
        const list = listAt(target, key);
        if (!isPacked) {
          list.push(this.#scalarOrMessage(field, reader) ?? null);
          return;
        }
        const packed = reader.message();
        while (!packed.isAtEnd) list.push(this.#scalarOrMessage(field, packed));
        return;
      }
      case 'inline':
        this.inner(field.message(), reader, target);
        return;
      case 'single': {
        const value = this.#scalarOrMessage(field, reader, target[key]);
        if (isKept(value, field)) target[key] = value;
        else delete target[key];
      }
    }
  }

  #entry(field: FieldPlan, reader: WireReader, map: Fields): void {
    let key = '';
    let value: unknown;
    while (!reader.isAtEnd) {
      const { number, wireType } = reader.tag(field.goName);
      if (number === 1 && wireType === BYTES) key = reader.text();
      else if (number === 2 && wireType === field.valueWireType) value = this.#scalarOrMessage(field, reader);
      else reader.skip(wireType);
    }
    setOwn(map, key, value ?? this.#zero(field));
  }

  #zero({ type, message }: FieldPlan): unknown {
    switch (type) {
      case 'string':
      case 'bytes':
        return '';
      case 'bool':
        return false;
      case 'message':
        return this.value(message(), new WireReader(NO_BYTES)) ?? null;
      default:
        return 0;
    }
  }

  #scalarOrMessage(field: FieldPlan, reader: WireReader, into?: unknown): unknown {
    switch (field.type) {
      case 'string':
        return reader.text();
      case 'bytes':
        return reader.bytes().toString('base64');
      case 'bool':
        reader.varint();
        return !reader.isZero;
      case 'int32':
        reader.varint();
        return reader.int32;
      case 'int64':
        reader.varint();
        return reader.int64;
      case 'double':
        return reader.double();
      case 'message':
        return this.inner(field.message(), reader, into);
    }
  }

  #nested<T>(action: () => T): T {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new ProtobufError('exceeded max depth');
    const result = action();
    this.#depth -= 1;
    return result;
  }
}

/** A zero scalar that is no pointer says nothing: JSON leaves it out, unless Go's encoder always writes the field. */
function isKept(value: unknown, { isPointer, isAlways, type }: FieldPlan): boolean {
  if (value === undefined || value === null) return false;
  if (isPointer || isAlways) return true;
  if (type === 'message') return typeof value !== 'object' || Object.keys(value).length > 0;
  return value !== '' && value !== 0 && value !== false;
}

function mapAt(target: Fields, key: string): Fields {
  target[key] ??= {};
  // Safe: only this function puts values under the key of a map field.
  return target[key] as Fields;
}

function listAt(target: Fields, key: string): unknown[] {
  target[key] ??= [];
  // Safe: as above, for repeated fields.
  return target[key] as unknown[];
}
