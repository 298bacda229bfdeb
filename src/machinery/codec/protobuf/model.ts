import type { ProtobufEnvelope } from './envelope.ts';
import type { WireReader } from './reader.ts';
import type { WireWriter } from './writer.ts';

/** Field name → [number, type, flags, JSON name]; flags: `r` repeated, `m` map, `i` inline, `p` pointer, `a` always. */
export type ProtobufField = readonly [number: number, type: string, flags: string, jsonName?: string];

/** Messages by full name, such as `k8s.io.api.core.v1.Pod`. */
export type ProtobufTable = Readonly<Record<string, Readonly<Record<string, ProtobufField>>>>;

export type ScalarType = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'double';

/** One field of a message, ready to be read and written. */
export interface FieldPlan {
  readonly number: number;
  /** Its name in JSON. */
  readonly key: string;
  /** Its name in Go, as the texts of failures have it. */
  readonly goName: string;
  readonly type: ScalarType | 'message';
  /** The message's plan; only of messages. Compiled at its first use: messages may contain themselves. */
  readonly message: () => MessagePlan;
  readonly shape: 'single' | 'repeated' | 'map' | 'inline';
  /** Absent and zero are two things. */
  readonly isPointer: boolean;
  /** JSON has the field even where it is empty. */
  readonly isAlways: boolean;
  readonly wireType: number;
  /** Of the value of a map's entry; of other fields the same as above. */
  readonly valueWireType: number;
}

export interface MessagePlan {
  /** Without its package. */
  readonly name: string;
  /** In order of their numbers. */
  readonly fields: readonly FieldPlan[];
  readonly byNumber: ReadonlyMap<number, FieldPlan>;
  /** Where JSON has something else than an object of the fields. */
  readonly special: SpecialForm | undefined;
}

/** How a message looks in JSON that is not an object of its fields, both ways. */
export interface SpecialForm {
  /** The JSON value; undefined where it is absent. */
  readonly decode: (reader: WireReader, decoding: MessageDecoder) => unknown;
  /** Writes the message of a JSON value; `undefined` and `null` are Go's zero value. */
  readonly encode: (value: unknown, encoding: MessageEncoder) => void;
}

/** What special forms may ask of a run of the decoder. */
export interface MessageDecoder {
  /** A whole object that stands inside another one. */
  object(envelope: ProtobufEnvelope): unknown;
  /** The JSON form of the message that stands, with its length, at the reader. */
  inner(plan: MessagePlan, reader: WireReader): unknown;
}

/** What special forms may ask of a run of the encoder. */
export interface MessageEncoder {
  readonly writer: WireWriter;
  /** Writes a message with its length before it. */
  message(plan: MessagePlan, value: unknown): void;
}
